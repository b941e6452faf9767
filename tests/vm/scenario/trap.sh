#!/usr/bin/env bash
#
# Programs that no preload reaches, linked without a dynamic linker by gcc and by
# musl-gcc, and a driver in Go: what a preload does for others, traps do for them.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

top=$(cd "$vm_dir/../.." && pwd)
machine=$(uname -m)-linux-gnu

# ---- the programs -----------------------------------------------------------

# Where musl has no header, the kernel's is in the directory of glibc's.
flags=(-static -std=gnu11 -O1 -D_GNU_SOURCE -pthread -w)
kernels=(-idirafter /usr/include -idirafter "/usr/include/$machine")

build_all() {
    local drivers=$top/tests/drivers name

    for name in edu-dma patterns; do
        gcc "${flags[@]}" -o "$scratch/$name-gcc" "$drivers/$name.c" \
            "$drivers"/{held,legacy,storm}.c &&
            musl-gcc "${flags[@]}" "${kernels[@]}" -o "$scratch/$name-musl" \
                "$drivers/$name.c" "$drivers"/{held,legacy,storm}.c || return
    done
    CGO_ENABLED=0 GO111MODULE=off GOCACHE=$scratch/go-cache \
        go build -o "$scratch/edu-go" "$drivers/edu.go"
}

build_all >"$scratch/log" 2>&1 || fails "the programs are built" "$(tail -n 20 "$scratch/log")"

# ---- in a guest -------------------------------------------------------------

# shellcheck disable=SC2317 # runs in a guest
in_a_guest() { # DIRECTORY
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local edu e1000e libc name last pid status=0
    local run=("$top/build/noiommu-shim" run --)
    read -r edu e1000e <<<"$VM_DEVICES"

    for libc in gcc musl; do
        for name in $("$1/patterns-$libc" list); do
            ok "static, $libc: $name" timeout 60 "${run[@]}" "$1/patterns-$libc" "$name" "$e1000e"
        done
        last=$("${run[@]}" "$1/edu-dma-$libc" --early --storm "$edu" 2>/tmp/err | tail -n 1) || true
        is "static, $libc: the device's data are right" \
            "$(sed -E 's/^[1-9][0-9]* /some /' <<<"$last")" "some transfers, 0 corrupted"
    done
    # Another process moves its memory, from outside.
    "${run[@]}" "$1/edu-go" "$edu" 8 >/tmp/out 2>&1 &
    pid=$!
    until grep -q '^ready' /tmp/out || ! kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    ok "Go: its memory is moved" timeout 120 "$top/build/tests/drivers/storm" "$pid" --until-exit
    wait "$pid" || status=$?
    is "Go: the device's data are right" "$status/$(tail -n 1 /tmp/out)" \
        "0/16 transfers, 0 corrupted"
    says ""
    nothing_is_left
    no_process_is_left
}

vm_checks --kernel cdev --device edu --device e1000e --numa 2 --hugepages 16 --timeout 600 \
    --share "$scratch" -- in_a_guest "$scratch"
