#!/usr/bin/env bash
#
# Sequences of calls, those of real drivers and random ones, on the kernel's own
# group path and under the library: every value, errno and byte is the same,
# also on a kernel that has no group path, and nothing is left behind. Most are
# on devices that are opened and closed in no time; a few are on such as are
# reset by that, on a bus of their own or on one that they share.
#
# SEQUENCES=N performs N random ones in place of 1500, from the seed in SEED (1).

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

top=$(cd "$vm_dir/../.." && pwd)
program=$top/build/tests/differential/differential
library=$top/build/.libs/libnoiommu-shim.so
count=${SEQUENCES:-1500} seed=${SEED:-1}

same() { # NAME STATUS REPORT
    if (($2 == 0)) && [[ $3 == *" sequences the same, 0 different"* ]]; then
        passes "$1: $(grep -o '[0-9]* sequences the same' <<<"$3")"
    else
        fails "$1" "status $2"$'\n'"$(sed -E '/^(seed|sequence|world) /d' <<<"$3")"
    fi
}

# The kernel without groups does its part meanwhile, and is compared in the end.
perform() { # NAME COUNT OPTION...
    local name=$1 sequences=(--seed "$seed" --count "$2") other report
    local machine=(--timeout $((900 + $2 / 5)) "${@:3}")

    "$vm_dir/run-in-vm" --kernel cdev "${machine[@]}" -- "$top/tests/differential/run" --record \
        "${sequences[@]}" "$program" "$library" >"$scratch/cdev" 2>"$scratch/cdev-err" &
    other=$!
    vm "${machine[@]}" -- "$top/tests/differential/run" "${sequences[@]}" "$program" "$library"
    same "$name, on both" "$status" "$out$err"
    sed '/^#/d' "$scratch/out" >"$scratch/native"
    status=0
    wait "$other" || status=$?
    is "$name, on cdev: performed" "$status" 0
    status=0
    report=$("$program" --against "$scratch/native" "$scratch/cdev" 2>&1) || status=$?
    same "$name, on cdev" "$status" "$report"
}

# shellcheck disable=SC2317 # runs in a guest
other_names() {
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local number driver=(steps "$VM_DEVICES" container group join noiommu device)
    local n

    for n in 1 2 3 4 5; do
        "${shim[@]}" steps "$VM_DEVICES" lookup >/dev/null &
        comes_to "while a device lends its page table ($n)" "device ok" "${shim[@]}" "${driver[@]}"
        wait
    done
    number=$(basename "$(readlink "/sys/bus/pci/devices/$VM_DEVICES/iommu_group")")
    touch "/dev/vfio/$number"
    mount --bind "/dev/vfio/noiommu-$number" "/dev/vfio/$number"
    rm "/dev/vfio/noiommu-$number"
    comes_to "a node under another name" "device ok" "${plain[@]}" "${driver[@]}"
    # shellcheck disable=SC2016 # for another shell
    ok "... is known by what it is: memory is pinned" "${shim[@]}" "${driver[@]}" lookup \
        while sh -c 'grep "^VmPin:.* 2[56]. kB" /proc/$PPID/status'
}

perform "three devices" "$count" --device edu --device edu --device edu
perform "two that can be reset" 300 --device e1000e --device virtio-net
perform "two ports" 100 --topology ports --device edu --device edu
perform "two functions" 100 --topology functions --device edu --device edu
vm_checks --device e1000e -- other_names
