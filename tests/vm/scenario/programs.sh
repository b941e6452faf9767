#!/usr/bin/env bash
#
# The own tests of GNU tar and of Python have the same results under the
# library as without: here, where there is no VFIO, and Python's also in a guest
# with a device, on cdev. There Python has a page pinned meanwhile. tar would
# take a quarter of an hour there, and never gets to a call that is another on
# cdev; test_io would take five minutes, and test_socket and test_subprocess seven,
# of which those are run that are about descriptors.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

top=$(cd "$vm_dir/../.." && pwd)
library=$top/build/.libs/libnoiommu-shim.so
tar=$("$vm_dir/tar" --path)

# Without 167 and 169, which take a minute each for files of 8 GB.
tar_tests() { # DIRECTORY
    mkdir "$1"
    cp "$tar"/tests/at{config,local} "$1"
    cd "$1" || return
    # Some fail in either way: what counts is the result of each.
    "$tar/tests/testsuite" 1-166 168 170- AUTOTEST_PATH="$tar/tests:$tar/src" >log 2>&1 || true
    grep -E '^ *[0-9]+: ' log
}

# Are there results, at least so many of them good, and the same on both ways?
same() { # NAME PLAIN SHIM COUNT GOOD
    local count

    count=$(awk -v word="$5" '$NF == word { n++ } END { print n + 0 }' "$2")
    if ((count < $4)); then
        fails "$1: at least $4 pass without the library" "$count do:"$'\n'"$(tail -n 20 "$2")"
    else
        is "$1: the same under the library, of $count that pass" "$(diff "$2" "$3")" ""
    fi
}

tar_tests "$scratch/tar.plain" >"$scratch/tar-plain" &
LD_PRELOAD=$library tar_tests "$scratch/tar.shim" >"$scratch/tar-shim" &
modules=(test_fcntl test_io test_mmap test_os test_socket test_subprocess)
"$vm_dir/guest/python-tests" "${modules[@]}" >"$scratch/python-plain" 2>&1 &
LD_PRELOAD=$library "$vm_dir/guest/python-tests" "${modules[@]}" >"$scratch/python-shim" 2>&1 &
wait
same "GNU tar" "$scratch/tar-plain" "$scratch/tar-shim" 180 ok
same "Python" "$scratch/python-plain" "$scratch/python-shim" 1500 passed

# shellcheck disable=SC2317 # runs in a guest
python_in_guest() {
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    run_tests() { # COMMAND...
        "$@" "$vm_dir/guest/python-tests" test_fcntl test_mmap test_os
        "$@" "$vm_dir/guest/python-tests" -m '*POSIXProcessTestCase*fd*' -m '*SCMRights*' \
            -m '*SendRecvFds*' -m '*BasicTCPTest.*' -m '*InheritanceTest*' \
            test_socket test_subprocess
    }

    ip link set lo up
    run_tests "${plain[@]}" >/tmp/plain.out &
    run_tests "${shim[@]}" NOIOMMU_SHIM_MODE=cdev >/tmp/shim.out &
    wait
    ok "Python in a guest: results" test "$(grep -c passed /tmp/plain.out)" -ge 300
    is "Python in a guest: the same under the library" "$(diff /tmp/plain.out /tmp/shim.out)" ""
    says ""
}

vm_checks --kernel cdev --device edu -- python_in_guest
