#!/usr/bin/env bash
#
# arm64, on kernels with the cdev path and on Debian 12's own, where io_uring pins: devices
# write into memory of every kind while another process moves it. Needs what
# `./bootstrap check` builds in build/arm64.
#
# It takes minutes, and is only run with ARM64=yes, for which the check also gets these
# kernels. To build two of them takes about 20 minutes, once.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

if [[ ${ARM64-} != yes ]]; then
    skip arm64 "only with ARM64=yes"
    exit
fi

build=$(cd "$vm_dir/../.." && pwd)/build/arm64
shim=(env "LD_PRELOAD=$build/.libs/libnoiommu-shim.so")
nodes=(--arch arm64 --numa 2 --hugepages 64)

for kernel in both cdev; do
    transfers "${nodes[@]}" --kernel "$kernel" --device edu -- "${shim[@]}" \
        "$build/tests/drivers/edu-dma" --all --early --again --storm --rounds 2
    all_right "edu, $kernel" 130
    transfers "${nodes[@]}" --kernel "$kernel" --device nvme -- "${shim[@]}" \
        "$build/tests/drivers/nvme-io" --storm --transfers 10000
    all_right "nvme, $kernel" 10000
done
transfers "${nodes[@]}" --kernel both --device edu -- \
    "$build/tests/drivers/edu-dma" --early --storm --out-only
some_wrong "plain, edu, both"

machine=("${nodes[@]}" --kernel debian12 --device edu)

# What can be registered: no page of these is read-only. "sysv" from Linux 6.5 on.
kinds=$(qemu-aarch64 -L "$("$vm_dir/rootfs" --arch arm64 --path bookworm)" \
    "$build/tests/drivers/edu-dma" --kinds list |
    sed -E 's/ .*//; /^(read-only|code|memfd-1g|sysv)$/d' | paste -sd ,)

transfers "${machine[@]}" -- "${shim[@]}" \
    "$build/tests/drivers/edu-dma" --uio --kinds "$kinds" --early --again --storm --rounds 2
all_right "edu, debian12" 100
is "... of every kind" "$(grep -c ' [1-9][0-9]* transfers, ' <<<"$out")" \
    "$(grep -o , <<<"$kinds," | wc -l)"
transfers "${machine[@]}" -- "$build/tests/drivers/edu-dma" --uio --early --storm --out-only
some_wrong "plain, edu, debian12"
