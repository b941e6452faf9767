#!/usr/bin/env bash
#
# A driver as a service of systemd: under the drop-ins of doc/examples, and in each line of
# the table "Units" in noiommu-shim(7); and udev's rule, by which the specification of the
# Container Device Interface follows the devices.
#
# UNITS=all does so on a kernel with groups, too.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2317 # runs in a guest
units() {
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    # shellcheck source=SCRIPTDIR/../guest/systemd.sh
    . "$vm_dir/guest/systemd.sh"
    local devices unit=/etc/systemd/system/driver.service
    local library=/usr/lib/x86_64-linux-gnu/libnoiommu-shim.so
    local steps=(container group join noiommu device lookup)
    read -ra devices <<<"$VM_DEVICES"

    # As the package has it. A service may not see /tmp.
    cp /tmp/shim/libnoiommu-shim.so /usr/lib
    ln -s /usr/lib/libnoiommu-shim.so "$library"
    cp "$top/build/noiommu-shim" /usr/bin
    mkdir -p /opt/driver/bin
    cp /tmp/shim/steps /opt/driver/bin
    printf '%s\n' '#!/bin/sh' \
        "exec /opt/driver/bin/steps ${devices[0]} ${steps[*]} while sleep infinity" \
        >/opt/driver/bin/driver
    chmod +x /opt/driver/bin/driver

    # ---- udev ----
    specification() {
        udevadm settle
        python3 "$top/tests/cli/cdi.py" /run/cdi/noiommu-shim.json 2>&1 |
            sed -n 's/^device \([^ ]*\).*/\1/p' | xargs
    }
    sed 's,@bindir@,/usr/bin,' "$top/udev/60-noiommu-shim.rules.in" \
        >/etc/udev/rules.d/60-noiommu-shim.rules
    /lib/systemd/systemd-udevd --daemon
    udevadm trigger --action=add --subsystem-match=vfio-dev
    is "a specification for container engines" "$(specification)" "${devices[*]} all"
    echo "${devices[1]}" >/sys/bus/pci/drivers/vfio-pci/unbind
    is "... after a device has gone" "$(specification)" "${devices[0]} all"
    echo "${devices[1]}" >/sys/bus/pci/drivers/vfio-pci/bind
    is "... after it has come again" "$(specification)" "${devices[*]} all"

    # ---- the drop-ins ----
    useradd --system driver
    groupadd --system vfio
    mkdir /image
    mount --bind / /image
    start_systemd
    printf '%s\n' '[Service]' ExecStart=/opt/driver/bin/driver >"$unit"
    mkdir "$unit.d"

    served() { # NAME DROP-IN...
        rm -f "$unit".d/*
        cp "${@/#/$top/doc/examples/}" "$unit.d"
        systemctl daemon-reload
        systemctl start driver
        shows "$*: started"
        systemctl restart driver
        shows "$*: restarted"
        systemctl stop driver
        is "$*: stopped" "$(systemctl show --property=Result,ActiveState driver | xargs)" \
            "Result=success ActiveState=inactive"
        nothing_is_left
    }
    shows() { # NAME
        local tries output
        for ((tries = 0; tries < 60; tries++)); do
            output=$(noiommu-shim ps 2>&1) || true # nobody is served yet
            [[ $output != *"device ${devices[0]}"* ]] || break
            sleep 0.5
        done
        contains "$1, ps shows it" "$output" "device ${devices[0]}"
    }
    cp "$top/doc/examples/70-noiommu-shim-group.rules" /etc/udev/rules.d
    udevadm control --reload
    udevadm trigger --action=add --subsystem-match=vfio-dev --subsystem-match=vfio
    udevadm trigger --action=add --sysname-match=iommu
    udevadm settle
    served run.conf confined.conf
    served preload.conf confined.conf

    # ---- the table ----
    local names=() answers=() tried="" n rows
    # Each line is a unit, or two, that starts after the one before, and has next to no
    # locked memory. A driver that works has looked memory up before it opens a device, too.
    row() { # NAME ANSWER [PROPERTY...]
        local first='' previous=row-${#names[@]}.service

        names+=("$1") answers+=("$2")
        [[ $2 != "lookup 64 pages" ]] || first=lookup
        printf '%s\n' '[Unit]' "After=$previous" '[Service]' Type=oneshot \
            "StandardOutput=truncate:/tmp/row-${#names[@]}" StandardError=inherit \
            "ExecStart=/opt/driver/bin/steps ${devices[0]} $first ${steps[*]}" \
            "Environment=LD_PRELOAD=$library NOIOMMU_SHIM_MODE=cdev" \
            LimitMEMLOCK=64K "${@:3}" >"/etc/systemd/system/row-${#names[@]}.service"
    }
    works() { # OPTION
        tried+="$1 works"$'\n'
        row "$1" "lookup 64 pages" "$1"
    }
    refused() { # OPTION ANSWER
        tried+="$1 fails"$'\n'
        row "$@" "$1"
    }
    needs() { # OPTION ANSWER OPTION...
        tried+="$1 needs"$'\n'
        row "$1" "$2" "$1"
        row "... with ${*:3}" "lookup 64 pages" "$1" "${@:3}"
    }
    works NoNewPrivileges=yes
    works ProtectProc=invisible
    works ProcSubset=pid
    works ProtectKernelTunables=yes
    works ProtectKernelModules=yes
    works ProtectControlGroups=yes
    works ProtectSystem=strict
    works PrivateTmp=yes
    works MemoryDenyWriteExecute=yes
    works RestrictNamespaces=yes
    works LockPersonality=yes
    works RestrictAddressFamilies=none
    works SystemCallFilter=@system-service
    works RootDirectory=/image
    needs CapabilityBoundingSet=CAP_SYS_RAWIO "lookup ENOMEM" LimitMEMLOCK=infinity
    needs DevicePolicy=closed "container EPERM" "DeviceAllow=/dev/iommu rw" \
        "DeviceAllow=char-vfio-dev rw" "DeviceAllow=/dev/vfio/vfio rw" \
        "DeviceAllow=char-vfio rw"
    needs User=driver "container EACCES" SupplementaryGroups=vfio \
        "AmbientCapabilities=CAP_SYS_RAWIO CAP_IPC_LOCK"
    needs DynamicUser=yes "container EACCES" SupplementaryGroups=vfio \
        "AmbientCapabilities=CAP_SYS_RAWIO CAP_IPC_LOCK"
    refused CapabilityBoundingSet=~CAP_SYS_RAWIO "group EPERM"
    refused PrivateDevices=yes "container ENOENT"
    refused PrivateUsers=yes "group EPERM"

    systemctl daemon-reload
    # Some fail, and their answers count.
    mapfile -t rows < <(seq -f row-%g ${#names[@]})
    systemctl start "${rows[@]}" 2>/dev/null || true
    for ((n = 0; n < ${#names[@]}; n++)); do
        is "${names[n]}: ${answers[n]}" "$(tail -n 1 "/tmp/row-$((n + 1))")" "${answers[n]}"
    done
    is "these are the lines of the table in noiommu-shim(7)" "$(table Units)" \
        "$(sort <<<"${tried%$'\n'}")"
    nothing_is_left
}

kernels=(cdev)
[[ ${UNITS-} != all ]] || kernels=(cdev both)
for kernel in "${kernels[@]}"; do
    vm_checks --kernel "$kernel" --device e1000e --device e1000e -- units
done
