#!/usr/bin/env bash
#
# The harness itself: what a guest of run-in-vm is like, on each kernel, and
# what the caller learns when it goes wrong.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# ---- a guest, from inside ---------------------------------------------------

# shellcheck disable=SC2317 # runs in a guest
environment() { # DIRECTORY
    local bdf

    is "the command is root" "$(id -u)" 0
    is "it starts in the caller's directory" "$PWD" "$1"
    is "it gets variables NOIOMMU_SHIM_*" "${NOIOMMU_SHIM_HARNESS-}" $'a "b"\nc'
    is "it gets no others" "${UNRELATED-none}" none
    is "its standard input is empty" "$(cat)" ""
    ok "it can write to /" touch "$2"
    ok "it can write to /tmp" touch /tmp/file
    is "/run starts empty" "$(ls /run)" ""
    is "lo is up" "$(cat /sys/class/net/lo/flags)" 0x9
    is "there are three processors" "$(nproc)" 3
    is "there are two nodes" "$(cat /sys/devices/system/node/online)" 0-1
    ok "/dev/hugepages is for huge pages" \
        grep -q '^hugetlbfs /dev/hugepages ' /proc/mounts
    is "eight huge pages are free" \
        "$(cat /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages)" 8
    is "devices have the documented addresses" "$VM_DEVICES" \
        "0000:00:10.0 0000:00:11.0 0000:00:12.0 0000:00:13.0"
    for bdf in $VM_DEVICES; do
        is "$bdf is bound to vfio-pci" \
            "$(basename "$(readlink "/sys/bus/pci/devices/$bdf/driver")")" vfio-pci
    done
}

stray=/stray-file-of-$$
NOIOMMU_SHIM_HARNESS=$'a "b"\nc' UNRELATED=1 vm_checks --cpus 3 --numa 2 --hugepages 8 \
    --device e1000e --device virtio-net --device nvme --device edu \
    -- environment "$PWD" "$stray"
ok "what a guest writes does not reach the host" test ! -e "$stray"

# shellcheck disable=SC2317 # runs in a guest
nodes() { # KERNEL NODE...
    is "the $1 kernel has its nodes in /dev/vfio" \
        "$(cd /dev/vfio && find . -type c -printf '%P\n' | sort)" \
        "$(printf '%s\n' "${@:2}")"
}

cdev=devices/noiommu-vfio0
vm_checks --kernel both --device edu -- nodes both "$cdev" noiommu-0 vfio
vm_checks --kernel cdev --device edu -- nodes cdev "$cdev"
vm_checks --kernel group --device edu -- nodes group noiommu-0 vfio
vm_checks --kernel compat --device edu -- nodes compat "$cdev" noiommu-0 vfio

# shellcheck disable=SC2317 # runs in a guest
placement() { # ADDRESSES GROUPS
    is "devices are at $1" "$VM_DEVICES" "$1"
    is "their groups are $2" "$(cd /dev/vfio && echo [n0-9]*)" "$2"
}

vm_checks --topology ports --device e1000e --device edu \
    -- placement "0000:01:00.0 0000:02:00.0" "noiommu-0 noiommu-1"
vm_checks --topology functions --device e1000e --device e1000e \
    -- placement "0000:01:00.0 0000:01:00.1" "noiommu-0 noiommu-1"

# shellcheck disable=SC2317 # runs in a guest
real_group() {
    contains "with --iommu a device has a group" \
        "$(readlink "/sys/bus/pci/devices/$VM_DEVICES/iommu_group")" /iommu_groups/
    is "and it is not a no-IOMMU group" "$(cd /dev/vfio && echo *noiommu*)" "*noiommu*"
}

vm_checks --iommu --device e1000e -- real_group

# ---- the command, from outside ----------------------------------------------

# More than a pipe or a port holds, with every byte in it
for ((byte = 0; byte < 256; byte++)); do
    printf '%b' "\\0$(printf %o "$byte")"
done >"$scratch/bytes"
for ((n = 0; n < 4000; n++)); do
    cat "$scratch/bytes"
done >"$scratch/data"

vm --share "$scratch" -- sh -c "cat '$scratch/data'; echo error >&2; exit 42"
is "the exit status is the command's" "$status" 42
ok "stdout comes through byte for byte" cmp "$scratch/data" "$scratch/out"
is "stderr is kept apart" "$err" error

vm -- /nonexistent
is "a command that does not exist ends with 127" "$status" 127
contains "its name is given" "$err" "cannot run /nonexistent"

vm -- sh -c 'kill -SEGV $$'
is "a killed command ends as in a shell" "$status" 139

# In the pause the guest has nothing else to do than to carry the output out.
vm -- sh -c 'echo before; sleep 1; echo c >/proc/sysrq-trigger; sleep 60'
is "a panic ends with 125" "$status" 125
is "what was written before it is there" "$out" before
contains "the panic's messages are shown" "$err" "Kernel panic"

vm --timeout 10 -- sh -c 'echo before; echo last words >/dev/kmsg; sleep 60'
is "a hang ends with 124" "$status" 124
is "what was written before it is there" "$out" before
contains "it is called by its name" "$err" "no end after 10 seconds"

vm --kernel none -- true
is "an unknown kernel ends with 125" "$status" 125
