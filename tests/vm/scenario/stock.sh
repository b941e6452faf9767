#!/usr/bin/env bash
#
# Kernels without the series, of the project's own and as Debian has them: memory is
# pinned by io_uring, and all else is the kernel's. A program that only looks addresses
# up, another one that moves all its memory from outside.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2317 # runs in a guest
stays() { # HOW EXPECTED
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
}

options=(--numa 2 --mem 1G --hugepages 16)
vm_checks --kernel group "${options[@]}" -- stays plain 1
vm_checks --kernel group "${options[@]}" -- stays shim 0
for kernel in debian11 debian12 debian13; do
    vm_checks --kernel "$kernel" "${options[@]}" -- stays plain 1
    vm_checks --kernel "$kernel" "${options[@]}" -- stays shim 0
done
