#!/usr/bin/env bash
#
# Debian's own dpdk-testpmd forwards packets under the library, and none of the
# pages whose address it was given moves. Where there is no cdev it runs as it
# does without the library, and is told so.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

nics=(--device e1000e --device e1000e --hugepages 256)
nodes=(--parallel --numa 2 --mem 2G)

testpmd() { # [OPTION...] -- ARG...
    local options=()

    while [[ $1 != -- ]]; do
        options+=("$1")
        shift
    done
    vm "${options[@]}" "$1" "$vm_dir/guest/testpmd" "${@:2}"
    # What is not a number below has its reason here.
    ((status == 0)) || fails "testpmd $2 in a guest (${options[*]})" "$out"$'\n'"$err"
}

of_library() {
    complaints | sed -n '/^noiommu-shim/p'
}

warns_once() { # WHERE
    is "$1: one line of warning" "$(of_library | wc -l)" 1
    contains "$1: it says why" "$(of_library)" \
        "warning: memory is not pinned, the group path is used as it is: no device has a no-IOMMU cdev"
}

for kernel in both cdev; do
    testpmd --kernel "$kernel" "${nics[@]}" "${nodes[@]}" -- shim 20 --storm
    forwards "shim, $kernel"
    ok "shim, $kernel: addresses are given out" test "$(value given)" -gt 0
    is "shim, $kernel: none of their pages moves" "$(value moved)" 0
    is "shim, $kernel: the library has no complaint" "$(of_library)" ""
done

# The storm does move what is not pinned.
testpmd --kernel both "${nics[@]}" "${nodes[@]}" -- observed 20 --storm
ok "without pins, pages move" test "$(value moved)" -gt 0

testpmd --kernel compat "${nics[@]}" -- shim 10
forwards "shim, compat"

# Where nothing pins.
export NOIOMMU_SHIM_BACKEND=iommufd
testpmd --kernel group "${nics[@]}" -- auto 10
forwards "auto, group"
warns_once "auto, group"

# A driver without a device, but with memory to look up
testpmd --kernel both --hugepages 256 -- plain 3
alone=$out
testpmd --kernel both --hugepages 256 -- auto 3
is "auto, no device: as without the library" "$out" "$alone"
warns_once "auto, no device"
