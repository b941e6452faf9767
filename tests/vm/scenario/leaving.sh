#!/usr/bin/env bash
#
# A device is closed whatever its driver has given up by then, memory is looked up even so,
# and the device can be taken from vfio-pci while the driver has its group open.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2317 # runs in a guest
closing() { # HOW
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    declare -n path=$1
    local opened=(container group join noiommu device master)

    comes_to "$1: closed by root" "mastering no" \
        "${path[@]}" steps "$VM_DEVICES" "${opened[@]}" close mastering
    comes_to "$1: without rights and in another root directory" "mastering no" \
        "${path[@]}" steps "$VM_DEVICES" "${opened[@]}" nobody close mastering
    comes_to "$1: looked up without rights and in another root directory" "lookup 64 pages" \
        "${path[@]}" steps "$VM_DEVICES" pagemap lookup "${opened[@]}" nobody lookup
    comes_to "$1: not closed" "mastering yes" \
        "${path[@]}" steps "$VM_DEVICES" "${opened[@]}" nobody mastering
}

# shellcheck disable=SC2317 # runs in a guest
taking_away() { # HOW
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    declare -n path=$1
    local joined=(container group join noiommu) steps

    for steps in "" "device close"; do
        # shellcheck disable=SC2086 # several words
        comes_to "$1: taken away${steps:+ after $steps}" "status ENODEV" \
            "${path[@]}" steps "$VM_DEVICES" "${joined[@]}" $steps unbind status
        says ""
        echo "$VM_DEVICES" >/sys/bus/pci/drivers/vfio-pci/bind
        comes_to "$1: ... and had again" "device ok" \
            "${path[@]}" steps "$VM_DEVICES" "${joined[@]}" device
    done
}

vm_checks --device e1000e -- closing plain
vm_checks --device e1000e -- taking_away plain
for kernel in both cdev; do
    vm_checks --kernel "$kernel" --device e1000e -- closing shim
    vm_checks --kernel "$kernel" --device e1000e -- taking_away shim
done
