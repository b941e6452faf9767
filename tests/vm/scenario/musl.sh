#!/usr/bin/env bash
#
# Programs of musl, under a library that is built with musl-gcc: they are
# served, and the command, whose library is of glibc, tells them apart.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

top=$(cd "$vm_dir/../.." && pwd)
headers=(-idirafter /usr/include -idirafter "/usr/include/$(uname -m)-linux-gnu")

build() {
    mkdir -p "$top/build/musl"
    cd "$top/build/musl" || return
    [[ -e config.status ]] ||
        "$top/configure" CC=musl-gcc --disable-command --enable-werror CPPFLAGS="${headers[*]}" ||
        return
    make -j"$(nproc)" libnoiommu-shim.la &&
        musl-gcc -std=gnu11 "${headers[@]}" -o "$scratch/patterns" \
            "$top"/tests/drivers/{patterns,legacy,held}.c
}

(build) >"$scratch/log" 2>&1 || fails "it builds with musl-gcc" "$(tail -n 20 "$scratch/log")"
refusal=$("$top/build/noiommu-shim" run --via=preload -- "$scratch/patterns" list 2>&1) && refusal="it is run"
contains "the command tells them apart" "$refusal" "uses musl (/lib/ld-musl"

# shellcheck disable=SC2317 # runs in a guest
musl() { # DIRECTORY
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local preload=(env "LD_PRELOAD=$top/build/musl/.libs/libnoiommu-shim.so") name

    for name in $("$1/patterns" list); do
        ok "musl: $name" timeout 60 "${preload[@]}" "$1/patterns" "$name" "$VM_DEVICES"
    done
    says ""
    nothing_is_left
}

vm_checks --kernel cdev --device e1000e --hugepages 16 --share "$scratch" -- musl "$scratch"
