# shellcheck shell=bash
#
# DPDK's programs side by side, for a scenario's part in a guest; to be sourced
# there, where the array path says how programs are started. Each dpdk-testpmd
# has a name: it takes commands under it, and its output is /tmp/NAME.log.

trap '' PIPE # a secondary may end by itself, when its primary has ended

declare -A testpmd_in testpmd_pid
testpmd_devices=() # those for it, if not all

# Programs that share mempools must number the kinds of them alike. Debian's number
# them as they are loaded, and this is the one with which testpmd begins.
mempools=/usr/lib/x86_64-linux-gnu/librte_mempool_dpaa.so.23

# With ${path[@]} in front, on two cores, whose numbers are its own: a mempool has a
# cache for each, without a lock. Each line is to be seen at once. A primary begins
# with memory for all, for it waits five seconds for the others to map more, which may
# be too little here, and both crash then.
start_testpmd() { # NAME TYPE [ARG...]
    local fd cores=0@0,1@1

    [[ $2 == primary ]] || cores=2@0,3@1

    rm -f "/tmp/$1.in"
    mkfifo "/tmp/$1.in"
    # shellcheck disable=SC2154
    "${path[@]}" stdbuf -oL dpdk-testpmd --lcores="$cores" -m 64 --proc-type="$2" \
        "${testpmd_devices[@]/#/-a}" -- --interactive --total-num-mbufs=8192 \
        --no-lsc-interrupt "${@:3}" <"/tmp/$1.in" >"/tmp/$1.log" 2>&1 &
    testpmd_pid[$1]=$!
    exec {fd}>"/tmp/$1.in"
    testpmd_in[$1]=$fd
    does "$1" "" Done || fails "$1 starts" "$(cat "/tmp/$1.log")"
}

# Gives it a command, and waits for WORDS in what it says after that.
does() { # NAME COMMAND WORDS
    local before=0 fd=${testpmd_in[$1]} n

    [[ ! $2 ]] || before=$(wc -c <"/tmp/$1.log")
    echo "$2" >&"$fd" || return
    for ((n = 0; n < 300; n++)); do
        ! tail -c "+$((before + 1))" "/tmp/$1.log" | grep -q "$3" || return 0
        [[ -e /proc/${testpmd_pid[$1]}/maps ]] || return
        sleep 0.1
    done
    return 1
}

# How many of them have all ports together had when it last forwarded?
packets() { # NAME COUNTER
    sed -n "/Accumulated/,/++++\$/s/.*$2: \([0-9]*\).*/\1/p" "/tmp/$1.log" | tail -n 1
}

# Of the two queues for either direction that its first port has: how many packets
# have come by the one that has had the fewest?
by_each_queue() { # NAME
    does "$1" "show port xstats 0" tx_q1_size_1519_max || return
    sed -n 's/^[rt]x_q[01]_good_packets: //p' "/tmp/$1.log" | tail -n 4 | sort -n |
        awk 'NR == 1 { n = $1 } END { if (NR == 4) print n; exit NR != 4 }'
}

# Forwards for a second, and tells how many packets it has received.
forward() { # NAME
    does "$1" "start tx_first" "ports=" && sleep 1 && does "$1" stop '^Done' || return
    packets "$1" "RX-total"
}

forwards() { # WHAT NAME
    local count
    if count=$(forward "$2") && ((count >= 1000)); then
        passes "$1: packets are forwarded"
    else
        fails "$1: packets are forwarded" "${count:-not told}"$'\n'"$(tail -n 40 "/tmp/$2.log")"
    fi
}

ends() { # WHAT NAME
    local status=0 fd=${testpmd_in[$2]}

    echo quit >&"$fd" || true # if it has ended, its status says how
    exec {fd}>&-
    wait "${testpmd_pid[$2]}" || status=$?
    is "$1: ends with status 0" "$status" 0
}

# How many whole packets are in a pcap file?
captured() { # FILE
    python3 - "$1" <<'END'
import struct
import sys

with open(sys.argv[1], "rb") as file:
    data = file.read()
count, end = 0, 24
while end + 16 <= len(data):
    end += 16 + struct.unpack_from("=I", data, end + 8)[0]
    count += end <= len(data)
print(count)
END
}

# With dpdk-pdump, which joins NAME, a primary, while it is forwarding.
captures() { # WHAT NAME
    local file=/tmp/captured.pcap n pdump status=0

    ok "$1: the other forwards" does "$2" "start tx_first" "ports="
    # shellcheck disable=SC2016 # for the inner shell
    "${path[@]}" bash -c 'LD_PRELOAD="$1:${LD_PRELOAD-}" exec "${@:2}"' - "$mempools" dpdk-pdump -- \
        --pdump "port=0,queue=*,rx-dev=$file,total-num-mbufs=4095" >/tmp/pdump.log 2>&1 &
    pdump=$!
    for ((n = 0; n < 300; n++)); do
        [[ ! -s $file || $(wc -c <"$file") -lt 100000 ]] || break
        sleep 0.1
    done
    kill -INT "$pdump" || true # if it has ended, its status says how
    wait "$pdump" || status=$?
    is "$1: ends with status 0" "$status" 0
    if n=$(captured "$file") && ((n >= 1000)); then
        passes "... and has captured packets"
    else
        fails "... and has captured packets" "${n:-no file}"$'\n'"$(cat /tmp/pdump.log)"
    fi
    ok "... and the other goes on" does "$2" stop '^Done'
}
