#!/usr/bin/env bash
#
# The kernel's own tests of memory come to the same under the library as without it, but
# for what a pin is bound to change (see tests/vm/differences).
#
# SELFTESTS=DIRECTORY runs them, in ten minutes; not without. DIRECTORY is
# tools/testing/selftests/mm in the source of the test kernels (Debian's linux-source), after
# `make headers`, and `make -C tools/testing/selftests TARGETS=mm` with libcap-dev and
# libnuma-dev.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2317 # runs in a guest
each() { # DIRECTORY
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local program

    "$vm_dir/guest/selftests" "$1" >/tmp/without
    echo 0 >/sys/kernel/mm/ksm/run
    "$vm_dir/guest/selftests" "$1" "${shim[@]}" >/tmp/with
    for program in without with; do
        comparable selftests "/tmp/$program" >"/tmp/$program.lines"
    done
    while read -r program; do
        is "$program: the same" "$(diff <(grep "^$program: " /tmp/without.lines) \
            <(grep "^$program: " /tmp/with.lines))" ""
    done < <(sed -n 's/: status .*//p' /tmp/without)
    nothing_is_left
    tested "Linux's selftests of memory" "$(uname -r)" "Linux $(uname -r)" \
        "$(sed -n 's/: status .*//p' /tmp/with | paste -s -d ,)"
}

if [[ ! ${SELFTESTS-} ]]; then
    skip "the kernel's tests of memory" "only with SELFTESTS=DIRECTORY"
    exit
fi
vm_checks --kernel both --device edu --numa 2 --hugepages 64 --mem 3G --timeout 1800 \
    --share "$SELFTESTS" -- each "$(realpath "$SELFTESTS")"
