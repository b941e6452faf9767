#!/usr/bin/env bash
#
# Debian's own DPDK programs as primary and secondary processes: they forward
# packets in turn, end, are killed and start again in either order, count and
# capture each other's packets, unplug and plug a device, and have a queue of
# each device at the same time. They do so on the kernel's groups, and under the
# library on kernels with and without groups.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2317 # runs in a guest
primary_and_secondary() { # HOW
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    # shellcheck source=SCRIPTDIR/../guest/dpdk.sh
    . "$vm_dir/guest/dpdk.sh"
    declare -n path=$1
    local how=$1 device count

    device=${VM_DEVICES%% *}
    start_testpmd primary primary
    start_testpmd secondary secondary
    forwards "$how, a secondary" secondary

    count=$("${path[@]}" dpdk-proc-info -- -p 1 --stats |
        sed -n '/RX-packets/{s/.*RX-packets: \([0-9]*\).*/\1/p;q}')
    ok "$how, dpdk-proc-info: it sees these packets" test "$count" -ge 1000

    ends "$how, a secondary before its primary" secondary
    captures "$how, dpdk-pdump" primary

    start_testpmd secondary secondary
    does primary "port stop 0" '^Done' && does primary "port close 0" '^Done' &&
        ok "$how, a secondary: the primary unplugs a device" \
            does primary "device detach $device" "is detached"
    ok "... and plugs it again" does primary "port attach $device" "Now total ports is 2"
    ok "... and starts it" does primary "port start all" '^Done'
    forwards "... and there" primary

    kill -KILL "${testpmd_pid[secondary]}"
    wait "${testpmd_pid[secondary]}" 2>/dev/null || true # it was killed
    forwards "$how, a secondary was killed: the primary" primary
    start_testpmd secondary secondary
    forwards "$how, the second secondary" secondary
    ends "$how, a primary before its secondary" primary
    ends "$how, a secondary after its primary" secondary
    start_testpmd primary primary
    forwards "$how, the second primary" primary
    ends "$how, the second primary" primary

    rm -f /dev/hugepages/rtemap_* # the memory, which natively stays, too
    nothing_is_left
}

# Each process has a queue of either device. All packets begin in the first one; their
# addresses, of which there are many, say in which queue a device receives them.
# shellcheck disable=SC2317 # runs in a guest
symmetric() { # HOW
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    # shellcheck source=SCRIPTDIR/../guest/dpdk.sh
    . "$vm_dir/guest/dpdk.sh"
    # shellcheck disable=SC2034 # for start_testpmd
    declare -n path=$1
    local how=$1 queues=(--num-procs=2 --rxq=2 --txq=2 --txonly-multi-flow) count=0 n

    start_testpmd first primary "${queues[@]}" --proc-id=0
    start_testpmd second secondary "${queues[@]}" --proc-id=1
    ok "$how, symmetric: one starts" does second start "ports="
    ok "$how, symmetric: the other starts" does first "start tx_first" "ports="
    for ((n = 0; n < 60 && count < 1000; n++)); do
        sleep 0.5
        count=$(by_each_queue first) || break
    done
    ok "$how, symmetric: one stops" does second stop '^Done'
    ok "$how, symmetric: the other stops" does first stop '^Done'
    if ((count >= 1000)); then
        passes "$how, symmetric: both processes receive and send packets"
    else
        fails "$how, symmetric: both processes receive and send packets" \
            "$count packets"$'\n'"$(tail -n 99 /tmp/first.log /tmp/second.log)"
    fi
    ends "$how, symmetric: one" second
    ends "$how, symmetric: the other" first

    rm -f /dev/hugepages/rtemap_*
    nothing_is_left
}

nics=(--device e1000e --device e1000e --hugepages 256)
vm_checks --kernel both "${nics[@]}" -- primary_and_secondary plain
vm_checks --kernel both "${nics[@]}" -- primary_and_secondary shim
vm_checks --kernel cdev "${nics[@]}" -- primary_and_secondary shim

if reason=$("$vm_dir/network" 2 true 2>&1); then
    nics=(--device virtio-net-rss --device virtio-net-rss --hugepages 128)
    vm_checks --kernel both "${nics[@]}" -- symmetric plain
    vm_checks --kernel both "${nics[@]}" -- symmetric shim
    vm_checks --kernel cdev "${nics[@]}" -- symmetric shim
else
    skip "symmetric" "this machine makes no taps: $reason"
fi
