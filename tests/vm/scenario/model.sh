#!/usr/bin/env bash
#
# Random uses of memory: after each step another process tells where every page
# is, and how much is pinned. Then a long life in little memory.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

build=$(cd "$vm_dir/../.." && pwd)/build
model=(env "LD_PRELOAD=$build/.libs/libnoiommu-shim.so" "$build/tests/model/model")
guest=(--device edu --numa 2 --hugepages 64 --timeout 1200)

agrees() { # KERNEL FIRST COUNT
    vm --kernel "$1" "${guest[@]}" -- "${model[@]}" --seed "$2" --count "$3"
    if [[ $status == 0 && -z $out$err ]]; then
        passes "$1: $3 sequences without a difference"
    else
        fails "$1: $3 sequences without a difference" "status $status"$'\n'"$out"$'\n'"$err"
    fi
}

agrees cdev 1 10000
agrees both 10001 1000

vm --kernel cdev "${guest[@]}" -- "${model[@]}" --long 500000
is "a long life" "$status:$err" 0:
echo "# $out"
