#!/usr/bin/env bash
#
# doc/MIGRATING.md, line by line: its commands are typed in a guest, and their answers
# compared with those on the page, for each of its three appliances.
#
# MIGRATING names kernels to do so on in place of both: MIGRATING="cdev debian12".

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

top=$(cd "$vm_dir/../.." && pwd)

# shellcheck disable=SC2317 # runs in a guest
migrates() { # KERNEL IMAGE DRIVER
    local top=$vm_dir/../.. kernel=$1
    local page=$top/doc/MIGRATING.md output
    # shellcheck source=SCRIPTDIR/../../block.sh
    . "$top/tests/block.sh"
    # shellcheck source=SCRIPTDIR/../guest/systemd.sh
    . "$vm_dir/guest/systemd.sh"

    type_in() { # LINES
        bash -c "$1" </dev/null 2>&1
    }

    # In an answer "..." stands for anything. Columns may be wider than on the page.
    matches() { # OUTPUT ANSWER
        local pattern
        pattern=$(tr -s ' ' <<<"$2" | sed 's/[][*?\\]/\\&/g; s/\.\.\./*/g')
        # shellcheck disable=SC2053 # a pattern
        [[ $(tr -s ' ' <<<"$1") == $pattern ]]
    }

    # What has no answer yet may need some seconds.
    try() { # NAME COMMAND ANSWER
        local tries
        for ((tries = 0; tries < 20; tries++)); do
            output=$(type_in "$2") || true # the answer counts
            ! matches "$output" "$3" || break
            [[ $3 ]] || break
            sleep 1
        done
        if matches "$output" "$3"; then
            passes "$1"
        else
            fails "$1" "$output"$'\n'"instead of:"$'\n'"$3"
        fi
    }

    # A step has one command or more, each with its answer. The second answer is that
    # of an older kernel, to the last command.
    step() { # NAME BLOCK SECOND-ANSWER
        local line command='' answer=''

        while IFS= read -r line; do
            case $line in
            '# '*)
                [[ ! $command ]] || try "$1: ${command%%$'\n'*}" "$command" "${answer%$'\n'}"
                command=${line#\# } answer=''
                ;;
            '> '*) command+=$'\n'${line#> } ;;
            *) answer+=$line$'\n' ;;
            esac
        done <<<"$2"
        [[ $kernel != debian* || ! $3 ]] || answer=$3
        try "$1: ${command%%$'\n'*}" "$command" "${answer%$'\n'}"
    }

    follow() { # SECTION
        local n blocks=() number=0

        for ((n = 1; ; n++)); do
            blocks[n]=$(block "$page" "$1" "$n") || break
        done
        for ((n = 1; n < ${#blocks[@]}; n++)); do
            [[ ${blocks[n]} == '# '* ]] || continue
            number=$((number + 1))
            if [[ ${blocks[n + 1]} == '# '* ]]; then
                step "$kernel, $1, $number" "${blocks[n]}" ""
            else
                step "$kernel, $1, $number" "${blocks[n]}" "${blocks[n + 1]}"
            fi
        done
        is "$kernel, $1: ten lines" "$number" 10
    }

    # ---- the appliances, before ----
    # The command and the library are where the package has them.
    cp "$top/build/noiommu-shim" /usr/bin
    cp "$top/build/.libs/libnoiommu-shim.so" /usr/lib
    ln -s /usr/lib/libnoiommu-shim.so /usr/lib/x86_64-linux-gnu
    mkdir -p /opt/fpga /opt/firewall /srv/firewall
    cp "$3" /opt/fpga/edu
    mount --bind "$2" /srv/firewall
    block "$page" "A static driver in Go" 1 | sed 1d >/opt/fpga/start
    block "$page" "A container" 1 | sed 1d >/opt/firewall/start
    chmod +x /opt/*/start
    start_systemd
    printf '%s\n' '[Service]' "$(block "$page" "DPDK in a systemd unit" 1 | sed 1d)" \
        >/etc/systemd/system/router.service
    type_in "systemctl daemon-reload"

    follow "DPDK in a systemd unit"
    type_in "systemctl stop router"
    follow "A static driver in Go"
    type_in "pkill -x edu"
    follow "A container"
}

CGO_ENABLED=0 GO111MODULE=off GOCACHE=$scratch/go-cache \
    go build -o "$scratch/driver" "$top/tests/drivers/edu.go"
image=$("$vm_dir/rootfs" --path bullseye)
read -ra kernels <<<"${MIGRATING-both}"
for kernel in "${kernels[@]}"; do
    vm_checks --kernel "$kernel" --device e1000e --device e1000e --device edu --mem 2G \
        --hugepages 256 --share "$scratch" --share "$image" -- migrates "$kernel" "$image" "$scratch/driver"
done
