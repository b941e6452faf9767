#!/usr/bin/env bash
#
# Memory is looked up before a device is open. io_uring pins it until then. Where it does
# not, a device lends its page table, and is reset by that: one that nobody uses, by
# whatever way, and none where all are in use.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2317 # runs in a guest
one_of_two() {
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local nvme=${VM_DEVICES% *} edu=${VM_DEVICES#* } open=(container group join noiommu device)

    # VmPin has what an IOAS pins, and not what io_uring pins for root.
    comes_to "io_uring pins" "held no" "${shim[@]}" steps "$edu" lookup held
    is "... and no device lends" "$(cat "$NOIOMMU_SHIM_LOG_FILE")" ""
    comes_to "... until one is open" "held yes" "${shim[@]}" steps "$edu" lookup "${open[@]}" held
    is "... and no device lends" "$(cat "$NOIOMMU_SHIM_LOG_FILE")" ""
    comes_to "... or code is looked up" "held yes" "${shim[@]}" steps "$edu" lookup code held
    contains "... for which one does" "$(cat "$NOIOMMU_SHIM_LOG_FILE")" " lent its page table"

    export NOIOMMU_SHIM_BACKEND=iommufd
    comes_to "registers mapped by sysfs" "unharmed 6 1f001f" \
        "${shim[@]}" steps "$nvme" registers lookup unharmed
    contains "... another device lends" "$(cat "$NOIOMMU_SHIM_LOG_FILE")" \
        "warning: $edu lent its page table"
    comes_to "registers mapped by another process" "unharmed 6 1f001f" \
        "${plain[@]}" steps "$nvme" registers while \
        "${shim[@]}" steps "$nvme" registers lookup unharmed
    comes_to "... memory is pinned all the same" "held yes" \
        "${shim[@]}" steps "$nvme" registers lookup held
}

# shellcheck disable=SC2317 # runs in a guest
the_only_one() {
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local backend=NOIOMMU_SHIM_BACKEND=iommufd

    # shellcheck disable=SC2016 # for another shell
    ok "no device is idle: io_uring pins 64 pages" \
        "${shim[@]}" steps "$VM_DEVICES" registers lookup while \
        sh -c 'echo 1 >/proc/sys/vm/stat_refresh # each processor counts for itself
            awk "/^nr_foll_pin_acquired/ { n += \$2 } /^nr_foll_pin_released/ { n -= \$2 }
                END { exit n < 64 }" /proc/vmstat'
    says ""
    comes_to "no device is idle" "unharmed 6 1f001f" \
        "${shim[@]}" "$backend" steps "$VM_DEVICES" registers lookup unharmed
    says "memory is not pinned before a device is opened: no device is idle"
    comes_to "... until it is opened" "held yes" \
        "${shim[@]}" "$backend" steps "$VM_DEVICES" lookup container group join noiommu device held
}

vm_checks --kernel cdev --device nvme --device edu -- one_of_two
vm_checks --kernel both --device nvme --device edu -- one_of_two
vm_checks --kernel cdev --device nvme -- the_only_one
