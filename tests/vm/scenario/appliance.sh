#!/usr/bin/env bash
#
# What a person does with an appliance, on kernels with either VFIO interface and
# with both: check, run and ps, with a small driver and with dpdk-testpmd, and
# what the README says of rights and containers.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2317 # runs in a guest
appliance() { # KERNEL
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local command=/tmp/shim/noiommu-shim kernel=$1 devices driver user pid
    read -ra devices <<<"$VM_DEVICES"
    driver=("${devices[0]}" container group join noiommu device)
    user=(setpriv --reuid 1000 --regid 1000 --clear-groups)
    cp "$top/build/noiommu-shim" /tmp/shim

    # Runs the command and looks at what is the same for all output.
    run() { # STATUS VERB [ARG...]
        status=0
        env -u LD_PRELOAD "${as[@]}" "$command" "${@:2}" >/tmp/out 2>/tmp/err || status=$?
        out=$(cat /tmp/out /tmp/err)
        is "$kernel: ${*:2}: status" "$status" "$1"
        if grep -qE '.{81}' /tmp/out || tr -d '\n\040-\176' </tmp/out | grep -q .; then
            fails "... in 80 columns, of printable characters" "$out"
        fi
    }
    local as=()
    says() { # REGEX: is there a line like this?
        if grep -qE "$1" <<<"$out"; then
            passes "... $1"
        else
            fails "... $1" "$out"
        fi
    }
    json() { # WANTED EXPRESSION of j
        is "... $2" "$(python3 -c "import json; j = json.load(open('/tmp/out')); print($2)" 2>&1)" "$1"
    }

    # ---- check ----
    if [[ $kernel == group ]]; then
        run 0 check --reset -- dpdk-testpmd
        says '^missing +CONFIG_VFIO_DEVICE_CDEV +not set'
        says '^missing +no-IOMMU devices +none$'
        says "^ +vfio0 +${devices[0]} 8086:10d3 vfio-pci, has no cdev"
        says '^note +a page pinned +not tried'
        says '^Ready, without the cdev path: it lacks 3 of'
        says "^io_uring pins memory, and groups stay the kernel's own\.$"
        run 0 check --json
        json True 'j["ready"]'
        echo 2 >/proc/sys/kernel/io_uring_disabled
        run 1 check
        says '^Not ready: 3 of'
        echo 0 >/proc/sys/kernel/io_uring_disabled
    else
        run 0 check --reset -- dpdk-testpmd
        says '^ok +no-IOMMU devices +2, 2 free$'
        says "^ +noiommu-vfio0 ${devices[0]} 8086:10d3 vfio-pci, free"
        says '^ok +a page pinned +at 0x[0-9a-f]+, as pagemap says'
        says '^ok +huge pages +256 of 2 MiB, 256 free'
        says '^ok +program +/usr/bin/dpdk-testpmd can be preloaded'
        says '^Ready\.$'
        run 0 check --json
        json "${devices[*]} [True, True]" \
            '*(d["address"] for d in j["devices"]), [d["free"] for d in j["devices"]]'
    fi
    says_of_held() {
        "${shim[@]}" steps "${driver[@]}" while "${plain[@]}" "$command" check >/tmp/out ||
            true # check says so if there is anything to mend
        out=$(</tmp/out)
        says "vfio0 +${devices[0]} .*held by"
        says '^ +[0-9]+ \((python3|steps)\)$'
    }
    says_of_held

    as=("${user[@]}" prlimit --memlock=65536)
    run 1 check
    says '^missing +/dev/iommu +cannot be opened: Permission denied'
    says '^ +-> chown 1000 /dev/iommu'
    says '^missing +CAP_SYS_RAWIO'
    says '^missing +locked memory +64 KiB may be pinned, less than the huge'
    as=()

    # ---- run and ps, a small driver ----
    if [[ $kernel == group ]]; then
        comes_to "$kernel: run --mode=cdev" "container ENODEV" \
            "$command" run --mode=cdev -- steps "${driver[@]}" lookup
    fi
    run 1 ps
    says 'no process is under noiommu-shim'
    "$command" run -- steps "${driver[@]}" lookup while sleep 1000 >/tmp/driver 2>&1 &
    until grep -q lookup /tmp/driver; do
        sleep 0.1
    done
    pid=$!
    run 0 ps
    says "^ *$pid (python3|steps) +auto"
    run 0 ps --json "$pid"
    if [[ $kernel == group ]]; then
        json "group io_uring 0 1 262144" '*(j["processes"][0][m] for m in ("path", "backend", "containers", "lookups")), j["processes"][0]["pins"]["bytes"]'
    else
        json "cdev 1 1 0" '*(j["processes"][0][m] for m in ("path", "containers", "lookups", "failures"))'
        json "262144 64 0" '*(j["processes"][0]["pins"][m] for m in ("bytes",)), *(j["processes"][0]["pins"]["pages"][s] for s in ("4 KiB", "1 GiB"))'
    fi
    json "['${devices[0]}']" 'j["processes"][0]["devices"]'
    as=("${user[@]}")
    run 2 ps "$pid"
    says 'may not be looked at'
    as=()
    pkill -P "$pid" sleep
    wait "$pid" || true # its sleep was killed

    # ---- run and ps, testpmd ----
    "$command" run -- dpdk-testpmd -l 0,1 -- --forward-mode=io --tx-first \
        --total-num-mbufs=8192 --no-lsc-interrupt --stats-period 1 >/tmp/testpmd 2>&1 </dev/null &
    pid=$!
    until grep -q 'NIC statistics' /tmp/testpmd || ! kill -0 "$pid" 2>/dev/null; do
        sleep 0.5
    done
    run 0 ps "$pid"
    says "^ *$pid dpdk-testpmd"
    [[ $kernel == group ]] || says '^ +[1-9][0-9]* pages of 2 MiB'
    says "^ +device ${devices[0]}"
    says "^ +device ${devices[1]}"
    kill -INT "$pid"
    status=0
    wait "$pid" || status=$?
    is "$kernel: dpdk-testpmd: exit status 0" "$status" 0
    [[ $kernel != group ]] || return 0

    # ---- as README has it for appliances ----
    # A container has these two of VFIO's nodes, and no others.
    # shellcheck disable=SC2016 # for the shell in there
    local container=(unshare --mount bash -c '
        mkdir -p /tmp/dev/vfio/devices
        cp -a /dev/null /dev/iommu /tmp/dev
        cp -a /dev/vfio/devices/noiommu-vfio0 /tmp/dev/vfio/devices
        mount --bind /tmp/dev /dev
        "$@"' -)
    comes_to "$kernel: a container" "lookup 64 pages" \
        "${container[@]}" "${shim[@]}" steps "${driver[@]}" lookup
    as=("${container[@]}" env)
    run 0 check
    says '^ok +no-IOMMU devices +2, 1 free'
    rm /tmp/dev/iommu
    as=(unshare --mount bash -c 'mount --bind /tmp/dev /dev; "$@"' -)
    run 1 check
    says '^missing +/dev/iommu +the kernel has it, the node is not here'
    as=()
    # A node is what its number says, whoever made it, as which name: here as device
    # plugins do.
    if [[ $kernel == both ]]; then
        # shellcheck disable=SC2046 # two numbers
        mknod /dev/vfio/0 c $(stat -c '0x%t 0x%T' /dev/vfio/noiommu-0)
        # shellcheck disable=SC2016 # for the shell in there
        comes_to "a node of mknod" /dev/vfio/devices/noiommu-vfio0 \
            "${shim[@]}" steps "${driver[@]}" while "${plain[@]}" bash -c \
            'readlink /proc/$PPID/fd/* | grep -m 1 ^/dev/vfio/devices/'
        rm /dev/vfio/0
    fi
    # A user with the two nodes and ambient capabilities.
    chown 1000 /dev/iommu /dev/vfio/devices/noiommu-vfio0
    [[ $kernel != both ]] || chown 1000 /dev/vfio/noiommu-0
    comes_to "$kernel: ambient capabilities" "lookup 64 pages" \
        "${user[@]}" --inh-caps +sys_rawio,+ipc_lock --ambient-caps +sys_rawio,+ipc_lock \
        "$command" run -- steps "${driver[@]}" lookup
    # The same rights by the program's file.
    cp "$(realpath /usr/bin/python3)" /tmp/shim/python3
    python3 -c 'import os, struct
os.setxattr("/tmp/shim/python3", "security.capability",
            struct.pack("<5I", 0x02000001, 1 << 17 | 1 << 14, 0, 0, 0))'
    as=("${user[@]}")
    run 2 run -- /tmp/shim/python3 /tmp/shim/steps "${driver[@]}"
    says 'has file capabilities: LD_PRELOAD is ignored; setcap -r it'
}

for kernel in both cdev group; do
    vm_checks --kernel "$kernel" --device e1000e --device e1000e --hugepages 256 \
        -- appliance "$kernel"
done
