#!/usr/bin/env bash
#
# Whom the log must not disturb: drivers whose standard error is replaced, full,
# broken, closed, too small or stopped, each as it is without the library.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2317 # runs in a guest
standard_error() { # HOW...
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local how name

    unset NOIOMMU_SHIM_LOG_FILE
    for how in "$@"; do
        declare -n path=$how
        for name in $(standard-error list); do
            is "$how: $name" "$("${path[@]}" standard-error "$name" "$VM_DEVICES" 2>&1; echo $?)" 0
        done
    done
    contains "a line is written when the lock is left" \
        "$("${shim[@]}" steps "$VM_DEVICES" group group 2>&1)" "(EBUSY)"
}

vm_checks --kernel both --device e1000e -- standard_error plain shim
vm_checks --kernel cdev --device e1000e -- standard_error shim
