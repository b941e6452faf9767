#!/usr/bin/env bash
#
# Kernels without the series, of the project's own and as Debian has them: memory is
# pinned by io_uring, and all else is the kernel's. A program that only looks addresses
# up, another one that moves all its memory from outside; and what refuses io_uring.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2317 # runs in a guest
stays() { # HOW EXPECTED SYSV
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local -n path=$1
    local drivers=$top/build/tests/drivers free line moved status=0
    free=$(cat /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages)

    mkfifo /tmp/end
    "${path[@]}" "$drivers/lookups" /tmp/told </tmp/end >/tmp/out 2>/tmp/errors &
    exec 9>/tmp/end
    until grep -q ready /tmp/out || ! kill -0 $!; do
        sleep 0.1
    done
    line=$("$drivers/storm" $! --rounds 4 --report /tmp/told)
    echo "# $line; $(tr '\n' ' ' </tmp/out)"
    moved=${line#*moved }
    ok "$1: addresses are told" test "$(grep -c . /tmp/told)" -ge 500
    is "$1: addresses of pages that moved" $((${moved% gone*} > 0)) "$2"
    exec 9>&-
    wait $! || status=$?
    is "$1: no lookup fails" "$status" 0
    is "... errors" "$(cat /tmp/errors)" ""
    for _ in {1..50}; do
        [[ $(cat /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages) != "$free" ]] || break
        sleep 0.1
    done
    is "... huge pages are back" \
        "$(cat /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages)" "$free"
    says ""
    [[ $1 == shim ]] || return 0

    # io_uring takes System V's memory for a file's before Linux 6.5.
    cat >/tmp/sysv <<'END'
import ctypes, os
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
at = libc.shmat(libc.shmget(0, 4096, 0o1600), None, 0)
ctypes.memset(at, 1, 1)
try:
    entry = os.pread(os.open("/proc/self/pagemap", os.O_RDONLY), 8, at // 4096 * 8)
    print("told" if int.from_bytes(entry, "little") >> 63 else "absent")
except OSError as error:
    print(error.strerror)
END
    is "memory of System V" "$("${path[@]}" python3 /tmp/sysv 2>&1)" "$3"
}

# What refuses io_uring is named, and the program runs as it does without the library.
# shellcheck disable=SC2317 # runs in a guest
refused() {
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local lookups=("$top/build/tests/drivers/lookups" /tmp/told) native status
    local warning="does not pin it either:" forced=(env NOIOMMU_SHIM_BACKEND=uring)

    as_natively() { # NAME CAUSE [BEFORE-THE-COMMAND...]
        : >"$NOIOMMU_SHIM_LOG_FILE"
        is "$1: as without the library" \
            "$("${@:3}" "${shim[@]}" "${lookups[@]}" </dev/null 2>&1 || echo "status $?")" "$native"
        says "$2"
        contains "... which is a warning" "$(cat "$NOIOMMU_SHIM_LOG_FILE")" \
            "warning: memory is not pinned, the group path is used as it is: "
    }

    # io_uring_setup() fails, as in a container.
    cat >/tmp/filter <<'END'
import ctypes, os, struct, sys
code = struct.pack("=" + "HBBI" * 4, 0x20, 0, 0, 0, 0x15, 0, 1, 425,
                   0x06, 0, 0, 0x50000 | int(sys.argv[1]), 0x06, 0, 0, 0x7fff0000)
memory = ctypes.create_string_buffer(code)
program = struct.pack("@HP", 4, ctypes.addressof(memory))
libc = ctypes.CDLL(None)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program):
    sys.exit("prctl")
os.execvp(sys.argv[2], sys.argv[2:])
END
    native=$("${lookups[@]}" </dev/null 2>&1)
    contains "lookups, without the library" "$native" ready
    as_natively "seccomp" "$warning a seccomp filter is in force" python3 /tmp/filter 1
    as_natively "seccomp, EPERM" \
        "$warning a seccomp profile forbids it" "${forced[@]}" python3 /tmp/filter 1
    as_natively "seccomp, ENOSYS" "$warning this kernel has none, or a seccomp profile hides it" \
        "${forced[@]}" python3 /tmp/filter 38
    echo 2 >/proc/sys/kernel/io_uring_disabled
    as_natively "sysctl" "$warning kernel.io_uring_disabled forbids it" env
    echo 0 >/proc/sys/kernel/io_uring_disabled

    # It is to be had here, and what is over the limit is refused.
    : >"$NOIOMMU_SHIM_LOG_FILE"
    prlimit --memlock=65536 setpriv --bounding-set -ipc_lock --inh-caps -ipc_lock \
        "${shim[@]}" "${lookups[@]}" </dev/null >/tmp/out 2>&1 && status=0 || status=$?
    is "RLIMIT_MEMLOCK: lookups fail" \
        "$status/$(grep -m 1 -o 'Cannot allocate memory' /tmp/out)" "1/Cannot allocate memory"
    contains "... and the log says why" "$(cat "$NOIOMMU_SHIM_LOG_FILE")" RLIMIT_MEMLOCK
}

# Many pins, large ones, and ends of all kinds.
# shellcheck disable=SC2317 # runs in a guest
ends() {
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"

    local command=$top/build/noiommu-shim status
    "$command" check >/tmp/out && status=0 || status=$?
    is "check" "$status/$(tail -n 1 /tmp/out)" \
        "0/io_uring pins memory, and groups stay the kernel's own."
    "$command" compare --ways group,uring --json -- "$top/build/tests/drivers/lookups" /tmp/told \
        >/tmp/out 2>/tmp/err && status=0 || status=$?
    is "compare without VFIO" "$status $(python3 -c 'import json; r = json.load(open("/tmp/out"))
print(r["same"], r["group"]["backend"], r["uring"]["backend"])')" "0 True None io_uring"
    is "pins of processes that fork, give back, are killed, execute" \
        "$("${shim[@]}" "$vm_dir/guest/rings" 2>&1)" "many 20000 0
fork 20032
its end 20000 0
half 10000 0
none 0 0
large 0 327680
parts 163840 0
giant 262143 True
none 0 0
exit 0 0 0
before kill True -4
kill 0 0
exec 0 0"
    says ""
}

options=(--numa 2 --mem 1G --hugepages 16)
vm_checks --kernel group "${options[@]}" -- stays plain 1
vm_checks --kernel group "${options[@]}" -- stays shim 0 told
# The filters that trap calls are no reason to leave io_uring alone. 5.10 tells how many there are.
vm_checks --kernel debian11 "${options[@]}" -- stays traps 0
for kernel in debian11 debian12 debian13; do
    [[ $kernel == debian13 ]] && sysv=told || sysv="Bad address"
    vm_checks --kernel "$kernel" "${options[@]}" -- stays plain 1
    vm_checks --kernel "$kernel" "${options[@]}" -- stays shim 0 "$sysv"
done
vm_checks --kernel debian13 --hugepages 16 -- refused
vm_checks --kernel debian12 --mem 4G --hugepages 16 \
    --append 'hugepagesz=1G hugepages=1' -- ends
