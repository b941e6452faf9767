#!/usr/bin/env bash
#
# Sixteen threads, forks and signals under the library: as it is, built with the
# checkers for data races and for memory, and built for helgrind. And threads
# that get each other's addresses, whose memory has to stay where it is.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

top=$(cd "$vm_dir/../.." && pwd)

# The directories are those of ./bootstrap check.
build() { # NAME CONFIGURE-ARG CFLAG...
    local directory=$top/build/$1

    mkdir -p "$directory"
    cd "$directory" || return
    [[ -e config.status ]] || "$top/configure" --disable-command --enable-werror "$2" || return
    make -j"$(nproc)" libnoiommu-shim.la &&
        gcc -std=gnu11 -g -O1 "${@:3}" -o "$scratch/$1" "$top/tests/stress/stress.c" \
            -pthread -Wl,--no-as-needed,-rpath,"$directory/.libs" .libs/libnoiommu-shim.so
}

builds() { # NAME CONFIGURE-ARG CFLAG...
    (build "$@") >"$scratch/log" 2>&1 || fails "it builds with $2" "$(tail -n 20 "$scratch/log")"
}

builds tsan --with-sanitizer=thread -fsanitize=thread
builds asan --with-sanitizer=address,undefined -fsanitize=address,undefined
builds helgrind --enable-helgrind
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
    ok "with helgrind" valgrind --tool=helgrind --quiet --error-exitcode=99 "$1/helgrind" 30
    is "nothing but a taken group and a lent page table is told" \
        "$(grep -v -e 'EBUSY): it is open already' -e ' lent its page table, ' "$NOIOMMU_SHIM_LOG_FILE")" ""
}

# shellcheck disable=SC2317 # runs in a guest
reuse() { # PROGRAM
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"

    is "plain, pages of reused addresses move" \
        "$("$1" 100 | sed -n '$s/^[1-9][0-9]* of/some of/p')" "some of 400 pages moved"
    is "under the library none does" "$("${shim[@]}" "$1" 1500)" "0 of 6000 pages moved"
}

vm_checks --kernel cdev --parallel --device edu --share "$scratch" -- stress "$scratch"
gcc -std=gnu11 -O1 -pthread -I"$top/src" -I"$top/include" \
    -o "$scratch/reuse" "$top/tests/stress/reuse.c" "$top/src/base/sys.c"
vm_checks --kernel cdev --device edu --numa 2 --cpus 4 --share "$scratch" \
    -- reuse "$scratch/reuse"
