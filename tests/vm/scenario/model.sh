#!/usr/bin/env bash
#
# Random uses of memory: after each step another process tells where every page
# is, and how much is pinned. Then a long life in little memory.
#
# MODEL=N performs N sequences in place of 1500.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

build=$(cd "$vm_dir/../.." && pwd)/build
model=(env "LD_PRELOAD=$build/.libs/libnoiommu-shim.so" "$build/tests/model/model")
count=${MODEL:-1500}
guest=(--device edu --numa 2 --hugepages 64 --timeout $((900 + count / 2)))

# A program that looks up after it has given its rights away is told so, and so is one
# that becomes a daemon with other memory at an address that went unseen, or looks up by
# io_uring what it may not write to.
complaints_of_others() {
    complaints | sed '/: error: cannot pin a page (EPERM): /d; /: error: in the background: of [0-9]* pages /d
        /: error: cannot pin the page at 0x[0-9a-f]* (EFAULT): io_uring /d'
}

agrees() { # KERNEL FIRST COUNT [OPTION...]
    local name="$1: $3 sequences without a difference${4:+, $4}, by $NOIOMMU_SHIM_BACKEND"

    vm --kernel "$1" "${guest[@]}" -- "${model[@]}" --seed "$2" --count "$3" "${@:4}"
    if [[ $status == 0 && -z $out$(complaints_of_others) ]]; then
        passes "$name"
    else
        fails "$name" "status $status"$'\n'"$out"$'\n'"$err"
    fi
}

export NOIOMMU_SHIM_BACKEND=iommufd
agrees cdev 1 "$count"
agrees cdev 100001 250 --unprivileged
agrees both 101001 250
NOIOMMU_SHIM_BACKEND=uring agrees group 102001 200
# io_uring pins until a lookup that it refuses borrows a device.
NOIOMMU_SHIM_BACKEND=auto agrees cdev 103001 100
# They know no PROCMAP_QUERY and no PAGEMAP_SCAN, and Debian 11's no tables that change.
for kernel in debian11 debian12; do
    NOIOMMU_SHIM_BACKEND=uring agrees "$kernel" 102001 25 --no-sysv
done

vm --kernel cdev "${guest[@]}" -- "${model[@]}" --long 500000
is "a long life" "$status:$(complaints)" 0:
echo "# $out"
