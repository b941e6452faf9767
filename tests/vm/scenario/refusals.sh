#!/usr/bin/env bash
#
# What a driver and its user are told where the library cannot do its work: an
# errno that drivers know, and one line in the log.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2317 # runs in a guest
rights() {
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    local no_rawio=(setpriv --bounding-set -sys_rawio --inh-caps -sys_rawio)
    local no_ipc_lock=(setpriv --bounding-set -ipc_lock --inh-caps -ipc_lock)

    comes_to "not root" "container EACCES" \
        "${shim[@]}" "${nobody[@]}" steps "$VM_DEVICES" container
    says "cannot open /dev/iommu (EACCES)"
    comes_to "not root" "group EACCES" \
        "${shim[@]}" "${nobody[@]}" steps "$VM_DEVICES" group
    says "cannot open the group of $VM_DEVICES"
    # The kernel would not fail, but show none either.
    comes_to "not root" "lookup 0 pages" \
        "${shim[@]}" "${nobody[@]}" steps "$VM_DEVICES" lookup
    says "cannot pin a page (EACCES)"

    comes_to "no CAP_SYS_RAWIO" "group EPERM" \
        "${shim[@]}" "${no_rawio[@]}" steps "$VM_DEVICES" container group
    says "no-IOMMU devices need CAP_SYS_RAWIO"
    # The kernel would show addresses, but of pages that nobody holds.
    comes_to "no CAP_SYS_RAWIO" "lookup EPERM" \
        "${shim[@]}" NOIOMMU_SHIM_BACKEND=iommufd "${no_rawio[@]}" steps "$VM_DEVICES" lookup
    says "cannot pin a page (EPERM)"
    # Without a device io_uring holds them.
    comes_to "no CAP_SYS_RAWIO, and io_uring" "lookup 64 pages" \
        "${shim[@]}" "${no_rawio[@]}" steps "$VM_DEVICES" lookup
    says ""
    comes_to "no CAP_SYS_RAWIO, io_uring, and a filter that would kill for it" "lookup EPERM" \
        "${shim[@]}" "${no_rawio[@]}" steps "$VM_DEVICES" confined lookup
    says "cannot pin a page (EPERM)"

    comes_to "RLIMIT_MEMLOCK too small, before the device is open" "lookup ENOMEM" \
        "${shim[@]}" prlimit --memlock=65536 "${no_ipc_lock[@]}" \
        steps "$VM_DEVICES" lookup
    says "RLIMIT_MEMLOCK is used up"
    comes_to "RLIMIT_MEMLOCK too small, after that" "lookup ENOMEM" \
        "${shim[@]}" prlimit --memlock=65536 "${no_ipc_lock[@]}" \
        steps "$VM_DEVICES" container group join noiommu device lookup
    says "RLIMIT_MEMLOCK is used up"
    comes_to "RLIMIT_MEMLOCK too small, and to fall back" "lookup 64 pages" \
        "${shim[@]}" NOIOMMU_SHIM_UNPINNED=fallback prlimit --memlock=65536 \
        "${no_ipc_lock[@]}" steps "$VM_DEVICES" lookup
    says "RLIMIT_MEMLOCK is used up"
    comes_to "RLIMIT_MEMLOCK large enough" "lookup 64 pages" \
        "${shim[@]}" prlimit --memlock=8388608 "${no_ipc_lock[@]}" \
        steps "$VM_DEVICES" lookup
    says ""

    comes_to "where process_vm_readv() is refused" "identity 8086:10d3" \
        "${shim[@]}" steps "$VM_DEVICES" confined container group status join noiommu \
        device lookup identity
    says ""

    comes_to "who looks at everything pins nothing" "pinned 0" \
        "${shim[@]}" steps "$VM_DEVICES" scan pagescan pinned
    says ""
    comes_to "pages under PROT_NONE are the kernel's" "barred 64 pages" \
        "${shim[@]}" steps "$VM_DEVICES" barred
    says ""
}

# shellcheck disable=SC2317 # runs in a guest
busy() { # KERNEL
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local driver=(steps "$VM_DEVICES" container group join noiommu device)

    comes_to "busy under the library" "group EBUSY" \
        "${shim[@]}" "${driver[@]}" while "${driver[@]}"
    says "(EBUSY)"
    comes_to "busy even when the driver has locked and unlocked its files" "group EBUSY" \
        "${shim[@]}" "${driver[@]}" locks while "${driver[@]}"
    says "(EBUSY)"
    comes_to "memory can be looked up even so" "lookup 64 pages" \
        "${shim[@]}" "${driver[@]}" while \
        env NOIOMMU_SHIM_BACKEND=iommufd steps "$VM_DEVICES" lookup
    says "memory is not pinned before a device is opened: no device is idle"

    if [[ $1 == cdev ]]; then
        # A node that is open is not the device's yet, as a group is not.
        comes_to "busy under a driver of cdevs" "device EBUSY" \
            steps "$VM_DEVICES" iommufd cdev bind while "${shim[@]}" "${driver[@]}"
        says "another process has it open"
        return
    fi
    comes_to "busy under a driver of cdevs" "group EBUSY" \
        steps "$VM_DEVICES" iommufd cdev bind while "${shim[@]}" "${driver[@]}"
    says "(EBUSY)"
    comes_to "busy on the group path" "group EBUSY" \
        "${driver[@]}" while "${shim[@]}" "${driver[@]}"
    says "(EBUSY)"
    comes_to "busy for the group path, by a device" "group EBUSY" \
        "${shim[@]}" "${driver[@]}" while "${plain[@]}" "${driver[@]}"
    says ""
    comes_to "busy for the group path, by a group" "group EBUSY" \
        "${shim[@]}" steps "$VM_DEVICES" group while "${plain[@]}" "${driver[@]}"
    says ""
}

# Looked up while another process has the only device, and opened after that.
# shellcheck disable=SC2317 # runs in a guest
looked_up_too_early() {
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local open=(container group join noiommu device)

    export NOIOMMU_SHIM_BACKEND=iommufd

    early() { # COMMAND, to be run before the device is free; %: the process
        local holder pid

        "${shim[@]}" steps "$VM_DEVICES" "${open[@]}" while sleep 600 >/tmp/holder &
        holder=$!
        until grep -q 'device ok' /tmp/holder; do sleep 0.1; done
        # Its memory is on node 0, and two rounds leave it on node 1.
        "${shim[@]}" taskset -c 0 steps "$VM_DEVICES" lookup stop "${open[@]}" &
        pid=$!
        until grep -q '^State:.T' "/proc/$pid/status"; do sleep 0.1; done
        "${@//%/$pid}"
        pkill -P "$holder" sleep
        wait "$holder" || true # its sleep was killed
        kill -CONT "$pid"
        wait "$pid"
    }
    comes_to "looked up too early, and it stayed" "device ok" early true
    says "memory is not pinned before a device is opened"
    comes_to "looked up too early, and it moved" "device EFAULT" \
        early "$top/build/tests/drivers/storm" % --rounds 2
    contains "... and the log says why" "$(cat "$NOIOMMU_SHIM_LOG_FILE")" \
        "moved before it could be pinned"
}

# shellcheck disable=SC2317 # runs in a guest
settings() { # KERNEL
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local driver=(steps "$VM_DEVICES" container group join noiommu device lookup)

    if [[ $1 == group ]]; then
        comes_to "mode cdev where there is none" "container ENODEV" \
            "${shim[@]}" NOIOMMU_SHIM_MODE=cdev "${driver[@]}"
        says "refusing, as NOIOMMU_SHIM_MODE=cdev asks: no device has a no-IOMMU cdev"
        return
    fi
    comes_to "mode group" "lookup 64 pages" \
        "${shim[@]}" NOIOMMU_SHIM_MODE=group "${driver[@]}"
    says ""
    comes_to "an unknown variable" "lookup 64 pages" \
        "${shim[@]}" NOIOMMU_SHIM_MODUS=cdev "${driver[@]}"
    says "NOIOMMU_SHIM_MODUS is not a variable of noiommu-shim"
    comes_to "an unknown value" "lookup 64 pages" \
        "${shim[@]}" NOIOMMU_SHIM_MODE=cdve "${driver[@]}"
    says "NOIOMMU_SHIM_MODE: 'cdve' is not one of its values"

    rm /dev/iommu
    comes_to "no /dev/iommu" "lookup 64 pages" \
        "${shim[@]}" NOIOMMU_SHIM_BACKEND=iommufd "${driver[@]}"
    says "warning: memory is not pinned, the group path is used as it is: there is no /dev/iommu"
    comes_to "no /dev/iommu, mode cdev" "container ENODEV" \
        "${shim[@]}" NOIOMMU_SHIM_MODE=cdev "${driver[@]}"
    says "refusing, as NOIOMMU_SHIM_MODE=cdev asks: there is no /dev/iommu"
}

# A set-user-id driver with the library where the dynamic linker takes it even
# so: it is served, and its user has no say in how.
# shellcheck disable=SC2317 # runs in a guest
set_user_id() {
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local library=/usr/lib/x86_64-linux-gnu/libnoiommu-shim.so file=/tmp/shim/another
    local nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups env
        LD_PRELOAD=libnoiommu-shim.so NOIOMMU_SHIM_MODE=group NOIOMMU_SHIM_MODUS=1
        NOIOMMU_SHIM_LOG=debug "NOIOMMU_SHIM_LOG_FILE=$file")

    install -m 4755 /tmp/shim/libnoiommu-shim.so "$library"
    install -m 4755 /tmp/shim/patterns /usr/local/bin/driver
    install -m 755 /tmp/shim/patterns /usr/local/bin/plain-driver
    chmod 777 /tmp/shim

    is "set-user-id: it works, and says nothing" \
        "$({ "${nobody[@]}" driver dpdk "$VM_DEVICES" 2>&1 >/dev/null; echo "$?"; } |
            grep -v 'lent its page table')" 0
    ok "... no file is written" test ! -e "$file"
    # Whether it works without rights is no matter here.
    "${nobody[@]}" plain-driver dpdk "$VM_DEVICES" >/dev/null 2>&1 || true
    contains "not set-user-id: the same variables are read" "$(cat "$file")" NOIOMMU_SHIM_MODUS

    ln -s /tmp/shim/target /tmp/shim/link
    contains "a link is not taken for a log file" \
        "$("${shim[@]}" NOIOMMU_SHIM_LOG_FILE=/tmp/shim/link true 2>&1)" \
        "cannot open '/tmp/shim/link' (ELOOP); the log goes to standard error"
    ok "... and nothing is written behind it" test ! -e /tmp/shim/target
}

for kernel in both cdev; do
    vm_checks --kernel "$kernel" --device e1000e -- rights
    vm_checks --kernel "$kernel" --device e1000e -- busy "$kernel"
done
vm_checks --kernel cdev --device e1000e -- set_user_id
vm_checks --kernel cdev --device e1000e --numa 2 -- looked_up_too_early
for kernel in both group; do
    vm_checks --kernel "$kernel" --device e1000e -- settings "$kernel"
done
