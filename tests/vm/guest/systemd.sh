# shellcheck shell=bash
#
# A systemd beside the scenario's part in a guest; to be sourced there.

# Runs a command where systemd is.
beside() { # COMMAND [ARG...]
    nsenter --target "$systemd" --mount --pid "$@"
}

# Starts one with no more than the journal. Units go to /etc/systemd/system.
start_systemd() {
    rm -rf /lib/systemd/system/*.wants /etc/systemd/system
    mkdir -p /etc/systemd/system/boot.target.wants
    ln -s /lib/systemd/system/systemd-journald.service \
        /etc/systemd/system/boot.target.wants
    echo '[Unit]' >/etc/systemd/system/boot.target
    # shellcheck disable=SC2016 # for the shell in there
    unshare --mount --pid --fork --kill-child bash -c '
        mount -t proc proc /proc
        mount -t tmpfs tmpfs /run
        exec env container=other /lib/systemd/systemd --unit=boot.target' \
        >/tmp/systemd 2>&1 &
    until systemd=$(pgrep -x systemd) &&
        [[ $(beside systemctl is-active boot.target 2>&1) == active ]]; do
        sleep 0.2
    done
}
