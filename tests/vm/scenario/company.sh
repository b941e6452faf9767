#!/usr/bin/env bash
#
# Other preloaded libraries before and after this one, a sanitizer in the
# program, and valgrind under it: the drivers' sequences of calls work as
# they do alone.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

top=$(cd "$vm_dir/../.." && pwd)
gcc -std=gnu11 -g -fsanitize=address -o "$scratch/patterns" "$top"/tests/drivers/{patterns,legacy,held}.c

# shellcheck disable=SC2317 # runs in a guest
company() { # DIRECTORY
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local library name where=/usr/lib/x86_64-linux-gnu
    local ours=/tmp/shim/libnoiommu-shim.so all
    local -A others=(
        [eatmydata]=$where/libeatmydata.so
        [fakechroot]=$where/fakechroot/libfakechroot.so
        [libfaketime]=$where/faketime/libfaketime.so.1
        [jemalloc]=$where/libjemalloc.so.2
        [tcmalloc]=$where/libtcmalloc_minimal.so.4
        [mimalloc]=$where/libmimalloc.so.2
        ["one that calls by other names and numbers"]=$top/build/tests/conformance/.libs/circle.so
        ["ASan's runtime"]=$(gcc -print-file-name=libasan.so)
    )
    export FAKECHROOT_BASE=/srv FAKECHROOT_EXCLUDE_PATH=/dev:/proc:/sys
    export FAKETIME=+1d
    # It wants to be the first.
    export ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0

    works() { # NAME PATTERNS COMMAND...
        local pattern

        : >"$NOIOMMU_SHIM_LOG_FILE"
        for pattern in $2; do
            ok "$1: $pattern" timeout 120 "${@:3}" "$pattern" "$VM_DEVICES"
        done
        says ""
    }

    all=$(patterns list)
    for name in "${!others[@]}"; do
        library=${others[$name]}
        works "$name before it" "$all" env "LD_PRELOAD=$library $ours" patterns
        works "$name after it" "$all" env "LD_PRELOAD=$ours $library" patterns
    done
    works "one that counts open pagemaps after it" "dpdk vpp" \
        env "LD_PRELOAD=$ours $top/build/tests/conformance/.libs/balance.so" patterns
    works "built with ASan" "$all" "${shim[@]}" "$1/patterns"
    # The other drivers give it reasons of their own to complain, and it is slow.
    works "under valgrind" "dpdk vfio_nvme" \
        "${shim[@]}" valgrind --quiet --error-exitcode=99 patterns
}

vm_checks --kernel cdev --device e1000e --hugepages 16 --share "$scratch" \
    -- company "$scratch"
