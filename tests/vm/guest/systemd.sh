# shellcheck shell=bash
#
# systemd as the first process of a guest; to be sourced there.

# Starts it with no more than the journal. Units go to /etc/systemd/system.
start_systemd() {
    rm -rf /lib/systemd/system/*.wants /etc/systemd/system
    mkdir -p /etc/systemd/system/boot.target.wants
    ln -s /lib/systemd/system/systemd-journald.service \
        /etc/systemd/system/boot.target.wants
    echo '[Unit]' >/etc/systemd/system/boot.target
    kill -USR1 1
    until [[ $(systemctl is-active boot.target 2>&1) == active ]]; do
        sleep 0.2
    done
}
