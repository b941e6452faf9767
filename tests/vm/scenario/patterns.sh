#!/usr/bin/env bash
#
# The sequences of calls of well-known drivers, each as it is on a kernel with
# groups, and under the library on kernels with and without them. What such a
# driver leaves open when it ends, the kernel closes: nothing must be left.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2317 # runs in a guest
all_patterns() { # HOW...
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local how name acquired released

    for how in "$@"; do
        declare -n path=$how
        for name in $(patterns list); do
            ok "$how: $name" timeout 60 "${path[@]}" patterns "$name" "$VM_DEVICES"
            is "... nobody has the device open" "$(open_devices)" ""
            echo 1 >/proc/sys/vm/stat_refresh # each processor counts for itself
            acquired=$(sed -n 's/^nr_foll_pin_acquired //p' /proc/vmstat)
            released=$(sed -n 's/^nr_foll_pin_released //p' /proc/vmstat)
            is "... nothing is pinned" "$((acquired - released))" 0
        done
        comes_to "$how: the group opens again" "device ok" \
            "${path[@]}" steps "$VM_DEVICES" container group join noiommu device
    done
    says ""
}

vm_checks --kernel both --device e1000e --hugepages 16 -- all_patterns plain shim
vm_checks --kernel cdev --device e1000e --hugepages 16 -- all_patterns shim
