#!/usr/bin/env bash
#
# dpdk-testpmd of other Debians, with three kinds of NICs, the ways in which it can have
# memory, and the kinds of interrupts: it forwards packets under the library, says the same
# as without it (see tests/vm/differences), and its huge pages come back.
#
# By default that is trixie's with vmxnet3, in two of these ways. USERLANDS="bullseye trixie sid"
# tries these in all ways, each in a quarter of an hour, after tests/vm/rootfs sid.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

modes=(default legacy-mem single-file-segments in-memory huge-unlink match-allocations
    anon xmem xmemhuge xbuf legacy msi msix)

# shellcheck disable=SC2317 # runs in a guest
each() { # SUITE NIC MODE...
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local mode options without

    # The command that is built here does not run in an older userland.
    mkdir /tmp/preloaded
    printf '%s\n' '#!/bin/sh' \
        "exec ${shim[*]} NOIOMMU_SHIM_MODE=cdev /usr/bin/dpdk-testpmd \"\$@\"" \
        >/tmp/preloaded/dpdk-testpmd
    chmod +x /tmp/preloaded/dpdk-testpmd

    run() { # NAME
        TESTPMD_LOG=/tmp/$1.log "$vm_dir/guest/testpmd" plain 2 "${options[@]}" 2>"/tmp/$1.err"
        sed -E '/^Port statistics/,/^Telling cores/d; s/(X-[a-z]+: )[0-9]+ */\1N /g' \
            "/tmp/$1.log" >"/tmp/$1.said"
        comparable dpdk-testpmd "/tmp/$1.said" >"/tmp/$1.lines"
        rm -f /dev/hugepages/rtemap_*
    }

    for mode in "${@:3}"; do
        case $mode in
        default) options=() ;;
        legacy | msi | msix) options=(--eal "--vfio-intr=$mode") ;;
        anon | xmem | xmemhuge | xbuf) options=(-- "--mp-alloc=$mode") ;;
        *) options=(--eal "--$mode") ;;
        esac
        without=$(run without)
        out=$(PATH=/tmp/preloaded:$PATH run with)
        if [[ $without == *"forwarded none"* ]]; then
            contains "$1, $2, $mode: none forwarded, as without the library" "$out" \
                "forwarded none"
        else
            forwards "$1, $2, $mode"
        fi
        is "... it says the same" "$(diff /tmp/without.lines /tmp/with.lines)" ""
        ok "... it is given addresses" grep -q 'lookup va=' /tmp/shim.log
        is "... and the library has no complaint" \
            "$(sed -En '/ (error|warning): /{/ lent its page table, /!p}' /tmp/shim.log)" ""
        rm /tmp/shim.log
        nothing_is_left
    done
    # shellcheck disable=SC2016 # for dpkg-query
    tested dpdk-testpmd "$(dpkg-query -W -f '${Version}' dpdk-dev)" "Linux $(uname -r)" \
        "with $2: ${*:3}"
}

try() { # SUITE NIC MODE...
    local rootfs

    rootfs=$("$vm_dir/rootfs" --path "$1")
    vm_checks --kernel both --rootfs "$rootfs" --parallel --mem 2G --device "$2" --device "$2" \
        --hugepages 256 --timeout 1800 -- each "$@"
}

[[ ${USERLANDS-} ]] || try trixie vmxnet3 in-memory msix
for suite in ${USERLANDS-}; do
    for nic in e1000e virtio-net vmxnet3; do
        try "$suite" "$nic" "${modes[@]}"
    done
done
