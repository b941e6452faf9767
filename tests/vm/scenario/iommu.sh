#!/usr/bin/env bash
#
# What the library must leave alone: a group with a real IOMMU behind it, and
# a program that speaks to cdevs and iommufd itself. Each sequence of steps has
# to come to the same with the library and without it, on a machine that also
# has a device without an IOMMU and on one that has not.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2317 # runs in a guest
real_groups() {
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local real=${VM_DEVICES% *} fake=${VM_DEVICES#* }
    local translated=("$real" container group status join type1 device identity map)
    local noiommu=("$fake" container group status join noiommu device identity lookup)
    local modern=(iommufd cdev bind ioas attach identity)

    same() { # NAME LAST-LINE STEP...
        local want status=0

        want=$("${plain[@]}" steps "${@:3}") || status=$?
        is "$1, without the library" "${want##*$'\n'}" "$2"
        : >"$NOIOMMU_SHIM_LOG_FILE"
        is "... and with it" "$("${shim[@]}" steps "${@:3}" 2>&1; echo "status $?")" \
            "$want"$'\n'"status $status"
    }

    same "a group with an IOMMU" "map 4096 bytes" "${translated[@]}"
    same "... asked for no-IOMMU" "noiommu ENODEV" "$real" container group join noiommu
    same "... without a container" "device EINVAL" "$real" group device
    same "... left in use" "leave EBUSY" "${translated[@]}" leave
    same "a driver of cdevs" "identity 8086:10d3" "$real" "${modern[@]}"
    [[ $fake != "$real" ]] || return 0

    says ""
    same "both kinds of group" "lookup 64 pages" "${translated[@]}" "${noiommu[@]}"
    says ""
    same "... the other way round" "map 4096 bytes" "${noiommu[@]}" "${translated[@]}"
    same "both in one container" "join EPERM" \
        "$real" container group join "$fake" group join
    same "... the other way round" "join EPERM" \
        "$fake" container group join "$real" group join
    same "a container that is empty again" "device ok" "$real" container group join type1 leave \
        "$fake" group join noiommu device
    says ""
    same "a driver of no-IOMMU cdevs" "identity 8086:10d3" "$fake" "${modern[@]}"
    same "a driver of both interfaces" "identity 8086:10d3" \
        "${noiommu[@]}" "$real" "${modern[@]}"
    same "... the other way round" "lookup 64 pages" \
        "$real" "${modern[@]}" "${noiommu[@]}"
    says ""

    # shellcheck disable=SC2016 # for another shell
    ok "beside all that, 64 pages are pinned" \
        "${shim[@]}" steps "${translated[@]}" "${noiommu[@]}" \
        while sh -c 'grep "^VmPin:.* 2[56]. kB" /proc/$PPID/status'
}

# Where the cdev path is not there: type1 pins, so nothing is said of memory
# until a group without an IOMMU is opened. This process forks before, too.
# shellcheck disable=SC2317 # runs in a guest
says_nothing_untrue() {
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local real=${VM_DEVICES% *} fake=${VM_DEVICES#* }
    local translated=("$real" container group status join type1 device identity map)
    local unpinned="warning: memory is not pinned, the group path is used as it is: no device"

    export NOIOMMU_SHIM_BACKEND=iommufd

    cat >/tmp/forks <<'END'
import os
for parent in range(2):
    for child in range(3):
        if os.fork() == 0:
            os.open("/dev/vfio/vfio", os.O_RDWR)
            os.open("/proc/self/pagemap", os.O_RDONLY)
            os._exit(0)
        os.wait()
    os.open("/dev/vfio/vfio", os.O_RDWR)
print("all opened")
END
    comes_to "a group with an IOMMU" "map 4096 bytes" "${shim[@]}" steps "${translated[@]}"
    says ""
    comes_to "forks before and after the container" "all opened" "${shim[@]}" python3 /tmp/forks
    says ""
    contains "... and check knows that these need no library" \
        "$("$top/build/noiommu-shim" check)" "VFIO pins the memory of their drivers itself"
    [[ $fake != "$real" ]] || return 0

    comes_to "a group without one" "lookup 64 pages" \
        "${shim[@]}" steps "$fake" container group join noiommu device lookup
    says "$unpinned"
    comes_to "... opened before its container" "join ok" \
        "${shim[@]}" steps "$fake" group container join
    says "$unpinned"
    comes_to "... beside one with an IOMMU" "lookup 64 pages" \
        "${shim[@]}" steps "${translated[@]}" "$fake" container group join noiommu device lookup
    says "$unpinned"
    comes_to "... in mode cdev" "group ENODEV" \
        "${shim[@]}" NOIOMMU_SHIM_MODE=cdev steps "$fake" group
    says "refusing, as NOIOMMU_SHIM_MODE=cdev asks"
}

vm_checks --iommu --device e1000e -- real_groups
vm_checks --iommu --topology bypass --device e1000e --device e1000e -- real_groups
vm_checks --kernel both --iommu --device e1000e -- says_nothing_untrue
vm_checks --kernel group --iommu --topology bypass --device e1000e --device e1000e -- \
    says_nothing_untrue
