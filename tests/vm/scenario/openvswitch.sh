#!/usr/bin/env bash
#
# Open vSwitch, whose bridge joins two networks by DPDK's drivers: packets pass
# it in both directions, before and after its ports are configured anew. It does
# so on the kernel's groups, and under the library on kernels with and without.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2317 # runs in a guest
bridge() { # HOW
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    # shellcheck source=SCRIPTDIR/../guest/dpdk.sh
    . "$vm_dir/guest/dpdk.sh"
    # shellcheck source=SCRIPTDIR/../guest/openvswitch.sh
    . "$vm_dir/guest/openvswitch.sh"
    declare -n path=$1
    local how=$1 devices status=0 vswitchd

    read -ra devices <<<"$VM_DEVICES"
    # shellcheck disable=SC2034 # for start_testpmd
    testpmd_devices=("${devices[@]:2}")
    start_database "${devices[@]:0:2}"
    "${path[@]}" ovs-vswitchd-dpdk --mlockall --pidfile --log-file=/tmp/ovs/log \
        -vconsole:off >/tmp/ovs/output 2>&1 &
    vswitchd=$!
    vsctl add-br bridge -- set Bridge bridge datapath_type=netdev fail_mode=secure
    add_port left "${devices[0]}"
    add_port right "${devices[1]}"
    start_testpmd ends primary
    carries "$how"

    vsctl set Interface left mtu_request=3000
    carries "$how, a port that has longer frames"
    vsctl del-port right
    ok "$how: a port is taken away" vswitchd_does netdev-dpdk/detach "${devices[1]}"
    add_port right "${devices[1]}"
    carries "$how, the port put back"

    ends "$how, the two ends" ends
    vswitchd_does exit || kill "$vswitchd"
    wait "$vswitchd" || status=$?
    is "$how, the bridge: ends with status 0" "$status" 0
    rm -f /dev/hugepages/rtemap_*
    nothing_is_left
}

# Both processors poll all the time.
nics=(--parallel --device e1000e@1 --device e1000e@2 --device e1000e@1 --device e1000e@2
    --hugepages 256)
vm_checks --kernel both "${nics[@]}" -- bridge plain
vm_checks --kernel both "${nics[@]}" -- bridge shim
vm_checks --kernel cdev "${nics[@]}" -- bridge shim
