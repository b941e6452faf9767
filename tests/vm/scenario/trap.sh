#!/usr/bin/env bash
#
# Programs that no preload reaches, linked without a dynamic linker by gcc and by
# musl-gcc, and drivers in Go and Rust: what a preload does for others, traps do for them.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

top=$(cd "$vm_dir/../.." && pwd)
machine=$(uname -m)-linux-gnu

# ---- the programs -----------------------------------------------------------

# Where musl has no header, the kernel's is in the directory of glibc's.
flags=(-static -std=gnu11 -O1 -D_GNU_SOURCE -pthread -w)
kernels=(-idirafter /usr/include -idirafter "/usr/include/$machine")

build_static() { # NAME SOURCE...
    gcc "${flags[@]}" -o "$scratch/$1-gcc" "${@:2}" &&
        musl-gcc "${flags[@]}" "${kernels[@]}" -o "$scratch/$1-musl" "${@:2}"
}

build_all() {
    local drivers=$top/tests/drivers name
    local common=("$drivers"/{held,legacy,storm}.c)

    for name in edu-dma nvme-io patterns; do
        build_static "$name" "$drivers/$name.c" "${common[@]}" || return
    done
    for name in names processes; do
        gcc "${flags[@]}" -o "$scratch/$name" "$drivers/$name.c" "${common[@]}" || return
    done
    gcc "${flags[@]}" -o "$scratch/stress" "$top/tests/stress/stress.c" &&
        CGO_ENABLED=0 GO111MODULE=off GOCACHE=$scratch/go-cache \
            go build -o "$scratch/edu-go" "$drivers/edu.go" &&
        rustc --edition 2021 -O -C target-feature=+crt-static -o "$scratch/edu-rust" "$drivers/edu.rs"
}

build_all >"$scratch/log" 2>&1 || fails "the programs are built" "$(tail -n 20 "$scratch/log")"

# ---- in a guest -------------------------------------------------------------

# shellcheck disable=SC2317 # runs in a guest
in_a_guest() { # DIRECTORY LIBC...
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local edu e1000e nvme libc name language pid status
    read -r edu e1000e nvme <<<"$VM_DEVICES"

    data_are_right() { # NAME COMMAND [ARG...]
        local last

        last=$("${traps[@]}" "${@:2}" 2>/tmp/err | tail -n 1) || true
        is "$1: the device's data are right" \
            "$(sed -E 's/^[1-9][0-9]* /some /' <<<"$last")" "some transfers, 0 corrupted"
    }
    for libc in "${@:2}"; do
        for name in $("$1/patterns-$libc" list); do
            ok "static, $libc: $name" timeout 60 "${traps[@]}" "$1/patterns-$libc" "$name" "$e1000e"
        done
        data_are_right "static, $libc, edu" "$1/edu-dma-$libc" --early --storm "$edu"
        data_are_right "static, $libc, nvme" "$1/nvme-io-$libc" --storm --transfers 200 "$nvme"
    done
    # Another process moves their memory, from outside.
    for language in go rust; do
        "${traps[@]}" "$1/edu-$language" "$edu" 8 >/tmp/out 2>&1 &
        pid=$!
        until grep -q '^ready' /tmp/out || ! kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
        ok "$language: its memory is moved" \
            timeout 120 "$top/build/tests/drivers/storm" "$pid" --until-exit
        status=0
        wait "$pid" || status=$?
        is "$language: the device's data are right" "$status/$(tail -n 1 /tmp/out)" \
            "0/16 transfers, 0 corrupted"
    done
    says ""
    nothing_is_left
    no_process_is_left
}

# shellcheck disable=SC2317 # runs in a guest
several_processes() { # DIRECTORY
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local edu e1000e name variables
    read -r edu e1000e <<<"$VM_DEVICES"

    for name in $("$1/processes" list); do
        # The fork of a daemon() is like any other here: noiommu-shim(7).
        [[ $name != daemonized ]] || continue
        variables=()
        [[ $name != handed ]] || variables=(NOIOMMU_SHIM_FORK=grandchild)
        ok "static: $name" timeout 60 env "${variables[@]}" "${traps[@]}" "$1/processes" \
            --moved "$name" "$e1000e"
    done
    for name in $("$1/names" list); do
        ok "static, own pagemap: $name" timeout 60 unshare -m "${traps[@]}" "$1/names" "$name"
    done
    ok "static: killed 20 times" timeout 300 "${traps[@]}" "$1/processes" kill 20 "$edu"
    ok "static: threads, forks and signals" "${traps[@]}" "$1/stress" 20
    nothing_is_left
    no_process_is_left
}

# What keeps system calls from being trapped is named before the program starts.
# shellcheck disable=SC2317 # runs in a guest
obstacles() {
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local scope=/proc/sys/kernel/yama/ptrace_scope cannot="its system calls cannot be trapped:"
    local user=(setpriv --reuid 1000 --regid 1000 --clear-groups --no-new-privs)

    cat >/tmp/denies <<'END'
import ctypes, os, struct, sys
code = struct.pack("=" + "HBBI" * 4, 0x20, 0, 0, 0, 0x15, 0, 1, int(sys.argv[1]),
                   0x06, 0, 0, 0x50001, 0x06, 0, 0, 0x7fff0000)
memory = ctypes.create_string_buffer(code)
program = struct.pack("@HP", 4, ctypes.addressof(memory))
libc = ctypes.CDLL(None)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program):
    sys.exit("prctl")
os.execvp(sys.argv[2], sys.argv[2:])
END
    cat >/tmp/denies-write-execute <<'END'
import ctypes, os, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):
    sys.exit("prctl")
os.execvp(sys.argv[1], sys.argv[1:])
END
    starts() { # NAME [BEFORE-THE-COMMAND...]
        comes_to "$1" started "${@:2}" "${traps[@]}" echo started
    }
    refuses() { # NAME WORDS [BEFORE-THE-COMMAND...]
        local output

        output=$("${@:3}" "${traps[@]}" echo started 2>&1) || output+=" status $?"
        is "$1 is named" "$output" "noiommu-shim run: echo; $cannot $2 status 2"
    }
    echo 1 >"$scope"
    starts "yama lets a parent's helper attach" "${user[@]}"
    echo 2 >"$scope"
    starts "yama lets CAP_SYS_PTRACE attach"
    refuses "yama, which lets no user attach" "kernel.yama.ptrace_scope is 2, and CAP_SYS_PTRACE is \
missing; add that capability, or run sysctl kernel.yama.ptrace_scope=1" "${user[@]}"
    starts "memory is not both written and executed" python3 /tmp/denies-write-execute
    refuses "a profile without ptrace()" "no helper can attach to a program (Operation not \
permitted); allow ptrace in the container's profile" python3 /tmp/denies 101
    refuses "a profile without seccomp()" "seccomp() is refused here, or the kernel lacks it; allow \
seccomp in the container's profile; the kernel needs CONFIG_SECCOMP_FILTER" python3 /tmp/denies 317
    install -m 0111 /bin/echo /tmp/unreadable
    comes_to "a program that may not be read" "noiommu-shim run: /tmp/unreadable cannot be read \
(Permission denied), so this command cannot examine it; make it readable, or run this command as \
root (without this command it runs as before)" "${user[@]}" "${traps[@]}" /tmp/unreadable started
    echo 1 >"$scope"
    # shellcheck disable=SC2016 # for another shell
    comes_to "... and one that a served program executes" "126" \
        "${user[@]}" "${traps[@]}" sh -c '/tmp/unreadable started 2>/dev/null; echo $?'
    says "a program is not started: it may not be read"
    echo 3 >"$scope"
    refuses "yama, which lets nobody attach" "kernel.yama.ptrace_scope is 3: no process may be \
traced; boot with it set to 2 or less"
    no_process_is_left
}

machine=(--device edu --device e1000e --numa 2 --hugepages 16 --share "$scratch")
vm_checks --kernel cdev "${machine[@]}" --device nvme -- in_a_guest "$scratch" gcc musl
vm_checks --kernel both "${machine[@]}" --device nvme -- in_a_guest "$scratch" gcc
vm_checks --kernel cdev "${machine[@]}" -- several_processes "$scratch"
vm_checks --kernel cdev --device edu --append lsm=capability,yama -- obstacles
