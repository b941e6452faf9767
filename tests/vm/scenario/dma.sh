#!/usr/bin/env bash
#
# Real DMA by two devices, out of and into memory of every kind, which another
# process moves to and fro all the time. Under the library every byte is right;
# that some are wrong without it shows that the storm is one.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

build=$(cd "$vm_dir/../.." && pwd)/build
shim=(env "LD_PRELOAD=$build/.libs/libnoiommu-shim.so")
nodes=(--parallel --numa 2 --hugepages 64)
giant=(--mem 4G --append 'hugepagesz=1G hugepages=1')

for kernel in both cdev; do
    transfers "${nodes[@]}" --kernel "$kernel" --device edu "${giant[@]}" -- "${shim[@]}" \
        "$build/tests/drivers/edu-dma" --all --early --again --storm --rounds 4
    all_right "shim, $kernel, edu" 240
    is "... of every kind" "$(grep -c ' [1-9][0-9]* transfers, ' <<<"$out")" \
        "$("$build/tests/drivers/edu-dma" --kinds list | wc -l)"

    transfers "${nodes[@]}" --kernel "$kernel" --device nvme -- "${shim[@]}" \
        "$build/tests/drivers/nvme-io" --storm --transfers 100000
    all_right "shim, $kernel, nvme" 100000
done

# Nothing here writes to an address that may be out of date.
transfers "${nodes[@]}" --device edu -- "$build/tests/drivers/edu-dma" --early --storm --out-only
some_wrong "plain, edu"
transfers "${nodes[@]}" --device nvme -- "$build/tests/drivers/nvme-io" --storm --out-only
some_wrong "plain, nvme"
