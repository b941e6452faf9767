#!/usr/bin/env bash
#
# Drivers on uio_pci_generic on Debian's own kernels: all that the library does there is
# to have their memory pinned by io_uring. And one on a group of a kernel without the
# series. Another process moves all their memory meanwhile.
#
# UIO=all runs dpdk-testpmd on all these kernels, without pins too, which takes a guest
# of Debian's minutes, and ten times the transfers.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

drivers=$(cd "$vm_dir/../.." && pwd)/build/tests/drivers
shim=(env "LD_PRELOAD=${drivers%/tests/*}/.libs/libnoiommu-shim.so")
nodes=(--parallel --numa 2)
kernels=(debian13) transfers=10000
[[ ${UIO-} != all ]] || kernels=(debian11 debian12 debian13) transfers=100000

# What can be registered: no page of these is read-only. "sysv" from Linux 6.5 on.
kinds=$("$drivers/edu-dma" --kinds list | sed -E 's/ .*//; /^(read-only|code|memfd-1g)$/d' |
    paste -sd ,)

testpmd() { # KERNEL PATH
    vm "${nodes[@]}" --mem 2G --kernel "$1" --device e1000e --device e1000e --hugepages 256 \
        -- "$vm_dir/guest/testpmd" "$2" 10 --storm
    # What is not a number below has its reason here.
    ((status == 0)) || fails "testpmd $2 on $1" "$out"$'\n'"$err"
}

for kernel in "${kernels[@]}"; do
    testpmd "$kernel" auto
    forwards "testpmd, $kernel"
    ok "testpmd, $kernel: addresses are given out" test "$(value given)" -gt 0
    is "testpmd, $kernel: none of their pages moves" "$(value moved)" 0
    is "testpmd, $kernel: the library has no complaint" "$(complaints | grep noiommu-shim)" ""
    [[ ${UIO-} == all ]] || continue
    testpmd "$kernel" observed
    ok "testpmd, $kernel, without pins: pages move" test "$(value moved)" -gt 0
done

transfers "${nodes[@]}" --hugepages 64 --kernel debian13 --device edu -- "${shim[@]}" \
    "$drivers/edu-dma" --uio --kinds "$kinds" --early --again --storm --rounds 2
all_right "edu, debian13" 100
is "... of every kind" "$(grep -c ' [1-9][0-9]* transfers, ' <<<"$out")" \
    "$(grep -o , <<<"$kinds," | wc -l)"
transfers "${nodes[@]}" --hugepages 64 --kernel debian13 --device edu -- \
    "$drivers/edu-dma" --uio --early --storm --out-only
some_wrong "plain, edu, debian13"

transfers "${nodes[@]}" --hugepages 64 --kernel group --device nvme -- "${shim[@]}" \
    "$drivers/nvme-io" --storm --transfers "$transfers"
all_right "nvme, group" "$transfers"
