#!/usr/bin/env bash
#
# A driver of two processes is killed at 500 random moments of its life. The
# next one finds its device free, and in the end no page is pinned and no huge
# page is gone. The device can be opened faster than others: it has no reset.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2317 # runs in a guest
kills() { # HOW TIMES
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    declare -n path=$1

    ok "$1: $2 times" timeout 500 "${path[@]}" processes kill "$2" "$VM_DEVICES"
    nothing_is_left
    ok "... and the next driver has it all" "${path[@]}" processes live "$VM_DEVICES"
}

vm_checks --kernel cdev --device edu --hugepages 1 -- kills shim 500
vm_checks --kernel both --device edu --hugepages 1 -- kills shim 250
