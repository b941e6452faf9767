#!/usr/bin/env bash
#
# arm64, on Debian 12's own kernel, where io_uring pins: a device writes into memory of
# every kind while another process moves it. Needs what `./bootstrap check` builds in
# build/arm64.
#
# It takes minutes, and is only run with ARM64=yes, for which the check also gets that
# kernel (tests/vm/stock --arch arm64 debian12).

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

if [[ ${ARM64-} != yes ]]; then
    skip arm64 "only with ARM64=yes"
    exit
fi

build=$(cd "$vm_dir/../.." && pwd)/build/arm64
machine=(--arch arm64 --kernel debian12 --numa 2 --hugepages 64 --device edu --timeout 900)

# What can be registered: no page of these is read-only. "sysv" from Linux 6.5 on.
kinds=$(qemu-aarch64 -L "$("$vm_dir/rootfs" --arch arm64 --path bookworm)" \
    "$build/tests/drivers/edu-dma" --kinds list |
    sed -E 's/ .*//; /^(read-only|code|memfd-1g|sysv)$/d' | paste -sd ,)

transfers "${machine[@]}" -- env "LD_PRELOAD=$build/.libs/libnoiommu-shim.so" \
    "$build/tests/drivers/edu-dma" --uio --kinds "$kinds" --early --again --storm --rounds 2
all_right "edu, debian12" 100
is "... of every kind" "$(grep -c ' [1-9][0-9]* transfers, ' <<<"$out")" \
    "$(grep -o , <<<"$kinds," | wc -l)"
transfers "${machine[@]}" -- "$build/tests/drivers/edu-dma" --uio --early --storm --out-only
some_wrong "plain, edu, debian12"
