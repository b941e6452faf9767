#!/usr/bin/env bash
#
# Real DMA by two devices, out of and into memory of every kind, which another
# process moves to and fro all the time. Under the library every byte is right;
# that some are wrong without it shows that the storm is one.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

build=$(cd "$vm_dir/../.." && pwd)/build
shim=(env "LD_PRELOAD=$build/.libs/libnoiommu-shim.so")
nodes=(--parallel --numa 2 --hugepages 64 --timeout 600)
giant=(--mem 4G --append 'hugepagesz=1G hugepages=1')

# The guest runs a driver, of which the last line counts.
transfers() { # [OPTION...] -- COMMAND [ARG...]
    vm "${nodes[@]}" "$@" 0000:00:10.0
    count=0 corrupted=
    [[ ! ${out##*$'\n'} =~ ^([0-9]+)' transfers, '([0-9]+)' corrupted'$ ]] ||
        count=${BASH_REMATCH[1]} corrupted=${BASH_REMATCH[2]}
}

all_right() { # NAME LEAST
    ok "$1: $2 transfers" test "$count" -ge "$2"
    if [[ $status/$corrupted == 0/0 && $(complaints) != *noiommu-shim* ]]; then
        passes "$1: none corrupted, no complaint"
    else
        fails "$1: none corrupted, no complaint" "status $status"$'\n'"$out"$'\n'"$err"
    fi
}

some_wrong() { # NAME
    if [[ $status == 1 && $corrupted -gt 0 ]]; then
        passes "$1: some are corrupted"
    else
        fails "$1: some are corrupted" "status $status"$'\n'"$out"$'\n'"$err"
    fi
}

for kernel in both cdev; do
    transfers --kernel "$kernel" --device edu "${giant[@]}" -- "${shim[@]}" \
        "$build/tests/drivers/edu-dma" --all --early --again --storm --rounds 4
    all_right "shim, $kernel, edu" 240
    is "... of every kind" "$(grep -c ' [1-9][0-9]* transfers, ' <<<"$out")" \
        "$("$build/tests/drivers/edu-dma" --kinds list | wc -l)"

    transfers --kernel "$kernel" --device nvme -- "${shim[@]}" \
        "$build/tests/drivers/nvme-io" --storm --transfers 100000
    all_right "shim, $kernel, nvme" 100000
done

# Nothing here writes to an address that may be out of date.
transfers --device edu -- "$build/tests/drivers/edu-dma" --early --storm --out-only
some_wrong "plain, edu"
transfers --device nvme -- "$build/tests/drivers/nvme-io" --storm --out-only
some_wrong "plain, nvme"
