#!/usr/bin/env bash
#
# Sixteen threads, forks and signals under the library: as it is, and built
# with the checkers for data races and for memory.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

top=$(cd "$vm_dir/../.." && pwd)

# The directories are those of ./bootstrap check.
build() { # NAME SANITIZER
    local directory=$top/build/$1

    mkdir -p "$directory"
    cd "$directory" || return
    [[ -e config.status ]] ||
        "$top/configure" --disable-command --enable-werror "--with-sanitizer=$2"
    make -j"$(nproc)" libnoiommu-shim.la
    gcc -std=gnu11 -g -O1 "-fsanitize=$2" -o "$scratch/$1" "$top/tests/stress/stress.c" \
        -pthread -Wl,--no-as-needed,-rpath,"$directory/.libs" .libs/libnoiommu-shim.so
}

for sanitizer in tsan:thread asan:address,undefined; do
    (build "${sanitizer%:*}" "${sanitizer#*:}") >"$scratch/log" 2>&1 ||
        fails "it builds with $sanitizer" "$(tail -n 20 "$scratch/log")"
done
gcc -std=gnu11 -g -O1 -pthread -o "$scratch/plain" "$top/tests/stress/stress.c"

# shellcheck disable=SC2317 # runs in a guest
stress() { # DIRECTORY
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"

    # A child of fork() goes on; the handler makes only calls that it may make.
    export TSAN_OPTIONS=die_after_fork=0 ASAN_OPTIONS=detect_leaks=0
    ok "under the library" "${shim[@]}" "$1/plain" 300
    ok "with TSan" "$1/tsan" 100
    ok "with ASan and UBSan" "$1/asan" 100
    is "nothing but a taken group was complained of" \
        "$(grep -v 'EBUSY): it is open already' "$NOIOMMU_SHIM_LOG_FILE")" ""
}

vm_checks --kernel cdev --parallel --device edu --timeout 600 --share "$scratch" -- stress "$scratch"
