#!/usr/bin/env bash
#
# The entry point of a container gives the nodes of VFIO to the driver's user:
# those that stand behind them follow, and the driver runs.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2317 # runs in a guest
entry_point() { # KERNEL
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local rights=+sys_rawio,+ipc_lock
    local user=(setpriv --reuid 65534 --regid 65534 --clear-groups
        --inh-caps "$rights" --ambient-caps "$rights")

    comes_to "$1: what was there before" "group EACCES" \
        "${shim[@]}" "${user[@]}" steps "$VM_DEVICES" group
    ok "$1: chmod" "${shim[@]}" chmod 0666 /dev/vfio/vfio
    ok "$1: chown" "${shim[@]}" chown 65534:65534 /dev/vfio/noiommu-0
    ok "$1: chmod by another call" "${shim[@]}" \
        python3 -c 'import os; os.chmod("/dev/vfio/noiommu-0", 0o640)'
    is "$1: what the program sees" \
        "$("${shim[@]}" stat -c '%a %u:%g' /dev/vfio/noiommu-0)" "640 65534:65534"
    is "$1: what stands behind" \
        "$(stat -c '%a %u:%g' /dev/iommu /dev/vfio/devices/noiommu-vfio0)" \
        $'666 0:0\n640 65534:65534'
    comes_to "$1: the driver runs" "lookup 64 pages" "${shim[@]}" "${user[@]}" \
        steps "$VM_DEVICES" container group join noiommu device lookup
    says ""
    comes_to "$1: who may not, is told so" \
        "chmod: changing permissions of '/dev/vfio/noiommu-0': Operation not permitted" \
        "${shim[@]}" setpriv --reuid 1000 --clear-groups chmod 0666 /dev/vfio/noiommu-0
    [[ $1 == cdev ]] || return 0
    comes_to "$1: what the kernel does not have stays as it is" \
        "chmod: changing permissions of '/sys/kernel/iommu_groups/0': Operation not permitted" \
        "${shim[@]}" chmod 0700 /sys/kernel/iommu_groups/0
}

vm_checks --kernel cdev --device edu -- entry_point cdev
vm_checks --kernel both --device edu -- entry_point both
