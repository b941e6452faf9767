#!/usr/bin/env bash
#
# The userland of Debian 11, with glibc 2.31 and DPDK 20.11: the project builds
# there and passes its unit tests, for which this machine's kernel will do; in a
# guest, its dpdk-testpmd forwards packets, under the library that was built
# there and under the one that was built here.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

top=$(cd "$vm_dir/../.." && pwd)
rootfs=$("$vm_dir/rootfs" --path bullseye)
there=(bwrap --proc /proc --dev /dev --tmpfs /tmp --ro-bind "$top" "$top"
    --bind "$scratch" "$scratch" --chdir "$scratch")
for directory in bin etc lib lib64 sbin usr; do
    there+=(--ro-bind "$rootfs/$directory" "/$directory")
done

is "this is Debian 11" "$("${there[@]}" cut -d. -f1 /etc/debian_version)" 11
ok "it configures" "${there[@]}" "$top/configure" -q --enable-werror
ok "it builds" "${there[@]}" make -j2
ok "the unit tests build" "${there[@]}" make -j2 tests/unit/unit
ok "the unit tests pass" "${there[@]}" tests/unit/unit

# shellcheck disable=SC2317 # runs in a guest
debian11() { # TOP BUILD
    local out

    mkdir /tmp/build
    cp -r "$2/noiommu-shim" "$2/.libs" /tmp/build
    export BUILD=/tmp/build
    out=$("$vm_dir/guest/testpmd" shim 10)
    forwards "built there"
    cp "$1/build/.libs/libnoiommu-shim.so" "$BUILD/.libs/"
    out=$("$vm_dir/guest/testpmd" shim 10)
    forwards "built here"
}

vm_checks --kernel cdev --rootfs "$rootfs" --share "$scratch" --mem 2G \
    --device e1000e --device e1000e --hugepages 256 -- debian11 "$top" "$scratch"
