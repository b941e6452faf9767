# shellcheck shell=bash
#
# Open vSwitch with its files in /tmp/ovs, for a scenario's part in a guest; to
# be sourced there, with dpdk.sh, whose testpmd named "ends" is at both ends.

PATH=/usr/lib/openvswitch-switch-dpdk:$PATH
export OVS_RUNDIR=/tmp/ovs OVS_DBDIR=/tmp/ovs OVS_SYSCONFDIR=/tmp/ovs

vsctl() { # [ARG...]
    ovs-vsctl --timeout=120 "$@" || {
        tail -n 20 /tmp/ovs/log /tmp/ovs/output >&2
        return 1
    }
}

vswitchd_does() { # COMMAND [ARG...]
    ovs-appctl --target=ovs-vswitchd-dpdk "$@"
}

# A switch is to find these devices when it starts.
start_database() { # BDF...
    mkdir /tmp/ovs
    ovsdb-tool create /tmp/ovs/conf.db /usr/share/openvswitch/vswitch.ovsschema
    ovsdb-server /tmp/ovs/conf.db --remote=punix:/tmp/ovs/db.sock --detach --pidfile -vconsole:off
    vsctl --no-wait init -- set Open_vSwitch . other_config:dpdk-init=true \
        other_config:dpdk-extra="${*/#/-a}" other_config:dpdk-socket-mem=128 \
        other_config:per-port-memory=true other_config:pmd-cpu-mask=1
}

add_port() { # NAME BDF
    vsctl add-port bridge "$1" -- set Interface "$1" type=dpdk options:dpdk-devargs="$2"
    is "... and $1 is a port" "$(vsctl get Interface "$1" error)" "[]"
}

# How many packets have come by the port that has had fewer?
carried() {
    local count port

    for port in left right; do
        count=$(ovs-ofctl dump-flows bridge "in_port=$port" |
            sed -n 's/.*n_packets=\([0-9]*\).*/\1/p')
        [[ $count ]] || return
        echo "$count"
    done | sort -n | head -n 1
}

# testpmd sends from either end what it has received there from the other.
carries() { # WHAT
    local n count

    ovs-ofctl del-flows bridge
    ovs-ofctl add-flow bridge in_port=left,actions=output:right
    ovs-ofctl add-flow bridge in_port=right,actions=output:left
    ok "$1: the two ends start" does ends "start tx_first" "ports="
    for ((n = 0; n < 20; n++)); do
        count=$(carried)
        ((count < 1000)) || break
        sleep 1
    done
    ok "... and stop" does ends stop '^Done'
    if ((count >= 1000 && $(packets ends RX-packets) >= 2000)); then
        passes "$1: packets pass in both directions"
    else
        fails "$1: packets pass in both directions" \
            "$(ovs-ofctl dump-flows bridge; tail -n 20 /tmp/ends.log; tail -n 20 /tmp/ovs/log)"
    fi
}
