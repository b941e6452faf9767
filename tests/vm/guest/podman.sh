# shellcheck shell=bash
#
# podman for the part of a scenario in a guest; to be sourced there, after shim.sh. Engines
# find the specification of the Container Device Interface.

# Storage for images that nobody uses: --rootfs takes a directory.
podman=(podman --storage-driver=vfs --cgroup-manager=cgroupfs --events-backend=none)
# shellcheck disable=SC2034 # for the scenario
run=("${podman[@]}" --root=/tmp/podman/root --runroot=/tmp/podman/run run --rm --network=none)
# shellcheck disable=SC2034
rights=(--cap-add=SYS_RAWIO --cap-add=IPC_LOCK)

mkdir /etc/cdi
# shellcheck disable=SC2154 # shim.sh
cp "$top/build/noiommu-shim" /tmp/shim
/tmp/shim/noiommu-shim cdi -o /etc/cdi/noiommu-shim.json
# With lsm=apparmor the engine loads its profile.
mount -t securityfs securityfs /sys/kernel/security

# This machine's Debian as an image, in which these directories are empty.
own_image() { # DIRECTORY
    local directory

    mkdir "$1"
    mount --bind / "$1"
    for directory in tmp run var/tmp; do
        mount -t tmpfs tmpfs "$1/$directory"
    done
}
