#!/usr/bin/env bash
#
# Drivers of several processes: what one has opened comes to another by fork(),
# exec() or a socket, outlives it, and serves it as it does with the kernel's
# groups. Processes on both paths side by side. Nothing is left by them.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2317 # runs in a guest
several_processes() { # HOW...
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local how name device other moved addresses variables
    read -r device other <<<"$VM_DEVICES"

    for how in "$@"; do
        declare -n path=$how
        moved=
        [[ $how == plain ]] || moved=--moved
        for name in $(processes list); do
            : >"$NOIOMMU_SHIM_LOG_FILE"
            variables=()
            [[ $how-$name != shim-handed ]] || variables=(NOIOMMU_SHIM_FORK=grandchild)
            ok "$how: $name" timeout 60 "${path[@]}" "${variables[@]}" processes $moved "$name" "$device"
            nothing_is_left
            # These go on in a child with what their parent had looked up, or without it.
            case $how-$name in
            shim-forked | shim-orphaned) addresses=1 ;;
            shim-reopened | shim-daemonized | shim-undaemonized | shim-handed | plain-*) addresses=0 ;;
            *) continue ;;
            esac
            is "... and is told of addresses that are the parent's" \
                "$(grep -c "is the parent's" "$NOIOMMU_SHIM_LOG_FILE")" "$addresses"
            is "... and of none that is another page's now" \
                "$(grep -c "are not the same" "$NOIOMMU_SHIM_LOG_FILE")" 0
        done
        steps=("${path[@]}" steps "$device" container group join noiommu device)
        comes_to "$how: a device for each of two processes" "identity 8086:10d3" \
            "${steps[@]}" while "${path[@]}" steps "$other" container group join noiommu device \
            lookup identity
        comes_to "$how: by Python's ways to send descriptors" "identity 8086:10d3" \
            "${path[@]}" steps "$other" container group join noiommu device \
            send identity status device lookup identity
        comes_to "$how: one device for two" "group EBUSY" \
            "${steps[@]}" while "${path[@]}" steps "$device" container group
    done

    (($# > 1)) || return 0
    comes_to "the library beside the kernel's groups" "identity 8086:10d3" \
        "${plain[@]}" steps "$device" container group join noiommu device \
        while "${shim[@]}" steps "$other" container group join noiommu device lookup identity
    comes_to "the kernel's groups beside the library" "identity 8086:10d3" \
        "${shim[@]}" steps "$device" container group join noiommu device lookup \
        while "${plain[@]}" steps "$other" container group join noiommu device lookup identity
    comes_to "the library on a device that a kernel's group has" "group EBUSY" \
        "${plain[@]}" steps "$device" container group join noiommu device \
        while "${shim[@]}" steps "$device" container group
    comes_to "a kernel's group for a device that the library has" "group EBUSY" \
        "${shim[@]}" steps "$device" container group join noiommu device \
        while "${plain[@]}" steps "$device" container group
    nothing_is_left
}

# A process knows its own pagemap, whatever its name is and whatever has become of /proc.
# shellcheck disable=SC2317 # runs in a guest
own_pagemap() {
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local name

    for name in $(names list); do
        ok "own pagemap: $name" timeout 60 unshare -m "${shim[@]}" names "$name"
    done
    # The process has another number in this /proc than getpid() says.
    for name in self again stream linked directory bound mounted rooted dropped powerless full \
        overfull last forked; do
        ok "own pagemap in a PID namespace: $name" \
            timeout 60 unshare -m -p -f "${shim[@]}" names "$name"
    done
    is "... and the log has no error" "$(grep error "$NOIOMMU_SHIM_LOG_FILE" || true)" ""
    nothing_is_left
}

machine=(--device edu --device e1000e --numa 2 --hugepages 16)
vm_checks --kernel both "${machine[@]}" -- several_processes plain shim
vm_checks --kernel cdev "${machine[@]}" -- several_processes shim
for kernel in both cdev; do
    vm_checks --kernel "$kernel" "${machine[@]}" -- own_pagemap
done
