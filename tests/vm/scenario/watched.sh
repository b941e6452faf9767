#!/usr/bin/env bash
#
# Memory that somebody watches for writes, or would merge, copy or swap. A
# lookup is no write: soft-dirty bits and userfaultfd tell nothing of it, and the
# flags are the kernel's, as they are without the library. What was told holds
# whatever is done with the page afterwards, which it does not without.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2317 # runs in a guest
all_watched() { # HOW...
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local how name status output wanted

    mknod -m 600 /tmp/swap b 1 0 # a RAM disk
    mkswap /tmp/swap >/dev/null && swapon /tmp/swap
    for how in "$@"; do
        declare -n path=$how
        for name in $(watched list); do
            status=0
            output=$(timeout 300 "${path[@]}" watched "$name" 2>&1) || status=$?
            wanted=0
            if [[ $how == plain && $'\n'$(watched list held)$'\n' == *$'\n'"$name"$'\n'* ]]; then
                wanted=1
            fi
            case $status in
            "$wanted") passes "$how: $name$( ((wanted == 0)) || echo ": what was told moves")" ;;
            77) skip "$how: $name" "the kernel cannot watch that" ;;
            *) fails "$how: $name" "exit status $status"$'\n'"$output" ;;
            esac
            nothing_is_left
        done
    done
    says ""
}

machine=(--device e1000e --hugepages 48 --numa 2)
vm_checks --kernel both "${machine[@]}" --timeout 1200 -- all_watched plain shim
vm_checks --kernel cdev "${machine[@]}" --timeout 1200 -- all_watched shim
