#!/usr/bin/env bash
#
# The userland of Debian 11, with glibc 2.31 and DPDK 20.11: the project builds
# there and passes its unit tests, and its dpdk-testpmd forwards packets, under
# the library that was built there and under the one that was built here.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

top=$(cd "$vm_dir/../.." && pwd)

# shellcheck disable=SC2317 # runs in a guest
debian11() { # TOP
    local library out
    export BUILD=/tmp/build

    is "this is Debian 11" "$(cut -d. -f1 /etc/debian_version)" 11
    mkdir "$BUILD"
    cd "$BUILD"
    ok "it configures" "$1/configure" -q --enable-werror
    ok "it builds" make -j2
    ok "the unit tests build" make -j2 tests/unit/unit
    ok "the unit tests pass" tests/unit/unit

    for library in "built there" "built here"; do
        out=$("$vm_dir/guest/testpmd" shim 10)
        forwards "$library"
        cp "$1/build/.libs/libnoiommu-shim.so" "$BUILD/.libs/"
    done
}

vm_checks --kernel cdev --rootfs "$("$vm_dir/rootfs" --path bullseye)" --mem 2G \
    --device e1000e --device e1000e --hugepages 256 --timeout 600 -- debian11 "$top"
