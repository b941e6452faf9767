#!/usr/bin/env bash
#
# Containers of podman and crun, which get their devices by the Container Device
# Interface: unmodified dpdk-testpmd of Debian 11 under the storm, and what check says of
# containers that lack something.
#
# PODMAN=all also tries each line of the table "Containers" in noiommu-shim(7), and runs
# dpdk-testpmd of this machine, and both on a kernel with groups.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2317 # runs in a guest
forwards_in() { # NAME [IMAGE]
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    # shellcheck source=SCRIPTDIR/../guest/podman.sh
    . "$vm_dir/guest/podman.sh"
    local image=${2-}

    if [[ ! $image ]]; then
        image=/tmp/image
        own_image "$image"
    fi
    mkdir /tmp/engine
    printf '%s\n' '#!/bin/sh' "exec ${run[*]} --device=noiommu-shim/glibc=all \
        ${rights[*]} --volume=/dev/hugepages:/dev/hugepages \
        --volume=/tmp/shim.log:/tmp/shim.log --env=NOIOMMU_SHIM_LOG=debug \
        --env=NOIOMMU_SHIM_LOG_FILE=/tmp/shim.log --rootfs $image dpdk-testpmd \"\$@\"" \
        >/tmp/engine/dpdk-testpmd
    chmod +x /tmp/engine/dpdk-testpmd
    touch /tmp/shim.log
    out=$(PATH=/tmp/engine:$PATH "$vm_dir/guest/testpmd" plain 5 --storm)
    forwards "$1"
    ok "$1: addresses are given out" test "$(value given)" -gt 0
    is "$1: none of their pages moves" "$(value moved)" 0
    is "$1: the library has no complaint" \
        "$(grep -E ' (error|warning): ' /tmp/shim.log | grep -v 'lent its page table')" ""
    rm /dev/hugepages/rtemap_*
    nothing_is_left
}

# shellcheck disable=SC2317 # the same
checks() {
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    # shellcheck source=SCRIPTDIR/../guest/podman.sh
    . "$vm_dir/guest/podman.sh"

    own_image /tmp/image
    checks_in() { # OPTION...
        out=$("${run[@]}" --volume=/tmp/shim:/tmp/shim "$@" --rootfs /tmp/image \
            /tmp/shim/noiommu-shim check 2>&1) || true # what it says counts
    }
    finds() { # FINDING REMEDY
        contains "check in a container: $1" \
            "$(grep -A 4 "^missing *$1" <<<"$out" | tr -s ' \n' ' ')" " -> $2 "
    }
    checks_in
    finds "/dev/iommu" "give it to this container: --device=/dev/iommu"
    finds "no-IOMMU devices" \
        "give it to this container: --device=/dev/vfio/devices/noiommu-vfio0"
    finds "CAP_SYS_RAWIO" "in a container: --cap-add=SYS_RAWIO"
    finds "locked memory" "in a container: --ulimit=memlock=-1:-1, or --cap-add=IPC_LOCK"
    contains "... huge pages" "$out" "; no hugetlbfs is"
    is "... in 80 columns" "$(grep -E '.{81}' <<<"$out")" ""
    checks_in "${rights[@]}" --volume=/dev:/dev
    finds "/dev/iommu" "give it to this container: --device=/dev/iommu"
    checks_in --device=noiommu-shim/glibc=all "${rights[@]}" \
        --volume=/dev/hugepages:/dev/hugepages
    is "check finds nothing to mend in a container with all of it" "${out##*$'\n'}" Ready.
}

# The table. shellcheck disable=SC2317 # the same
lines() {
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    # shellcheck source=SCRIPTDIR/../guest/podman.sh
    . "$vm_dir/guest/podman.sh"
    local device=${VM_DEVICES%% *} tried=''
    local steps=(container group join noiommu device lookup)

    own_image /tmp/image
    # A driver that works has looked memory up before it opens a device, too.
    line() { # NAME ANSWER OPTION...
        local first=()

        [[ $2 != "lookup 64 pages" ]] || first=(lookup)
        comes_to "$1" "$2" "${run[@]}" --device="noiommu-shim/glibc=$device" \
            --volume=/tmp/shim:/tmp/shim --env=NOIOMMU_SHIM_LOG_FILE=/tmp/shim/log \
            "${@:3}" --rootfs /tmp/image /tmp/shim/steps "$device" "${first[@]}" "${steps[@]}"
    }
    works() { # OPTION
        tried+="$1 works"$'\n'
        line "$1" "lookup 64 pages" "${rights[@]}" "$1"
    }
    refused() { # OPTION ANSWER
        tried+="$1 fails"$'\n'
        line "$1" "$2" "${rights[@]}" "$1"
    }
    is "profiles of AppArmor and seccomp are in force" \
        "$("${run[@]}" --rootfs /tmp/image cat /proc/self/attr/current /proc/self/status |
            grep -cE '^(containers-default.*enforce|Seccomp:.*2$)')" 2
    works --read-only
    works --privileged
    works --user=1000:1000
    works --pid=host
    works --security-opt=no-new-privileges
    works --security-opt=seccomp=unconfined
    works --security-opt=apparmor=unconfined
    works --security-opt=unmask=ALL
    works --security-opt=proc-opts=hidepid=2
    works --env=LD_PRELOAD=/own.so
    refused --security-opt=mask=/sys/class "container ENODEV"
    refused --uidmap=0:1000:65536 "group EPERM"

    rights=(--cap-add=IPC_LOCK)
    refused --cap-add=IPC_LOCK "group EPERM"
    rights=(--ulimit=memlock=65536:65536)
    tried+="--cap-add=SYS_RAWIO needs"$'\n'
    line --cap-add=SYS_RAWIO "lookup ENOMEM" "${rights[@]}" --cap-add=SYS_RAWIO
    line "... with --ulimit=memlock=-1:-1" "lookup 64 pages" --cap-add=SYS_RAWIO \
        --ulimit=memlock=-1:-1

    # Even with the nodes.
    useradd --create-home person
    mkdir /tmp/person
    chown person /tmp/person /dev/iommu /dev/vfio/devices/*
    run=(setpriv --reuid=person --regid=person --init-groups env HOME=/home/person
        XDG_RUNTIME_DIR=/tmp/person "${podman[@]}" --root=/tmp/person/root
        --runroot=/tmp/person/run run --rm --network=none --cgroups=disabled)
    rights=(--cap-add=SYS_RAWIO --cap-add=IPC_LOCK)
    tried+="rootless fails"$'\n'
    line rootless "group EPERM" "${rights[@]}"
    is "these are the lines of the table in noiommu-shim(7)" "$(table Containers)" \
        "$(sort <<<"${tried%$'\n'}")"
    nothing_is_left
}

nics=(--device e1000e --device e1000e --parallel --mem 2G --hugepages 256)
bullseye=$("$vm_dir/rootfs" --path bullseye)
vm_checks --kernel cdev "${nics[@]}" --numa 2 --share "$bullseye" \
    -- forwards_in "cdev, Debian 11" "$bullseye"
vm_checks --kernel cdev "${nics[@]}" -- checks
[[ ${PODMAN-} == all ]] || exit 0

vm_checks --kernel cdev "${nics[@]}" --append lsm=apparmor -- lines
vm_checks --kernel both "${nics[@]}" --append lsm=apparmor -- lines
vm_checks --kernel cdev "${nics[@]}" --numa 2 -- forwards_in "cdev, this Debian"
vm_checks --kernel both "${nics[@]}" --numa 2 -- forwards_in "both, this Debian"
vm_checks --kernel both "${nics[@]}" --numa 2 --share "$bullseye" \
    -- forwards_in "both, Debian 11" "$bullseye"
