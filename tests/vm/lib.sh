# shellcheck shell=bash
#
# What a scenario stands on; to be sourced. A scenario runs on the host and
# does its checks there or in guests. Each check is one line of output,
# "ok - NAME" or "not ok - NAME", followed by lines "# ..." that say why.

set -euo pipefail

vm_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
failed=0

finish() {
    local status=$?
    rm -rf "$scratch"
    ((status > 0 || failed == 0)) || status=1
    exit "$status"
}
trap finish EXIT

passes() { # NAME
    echo "ok - $1"
}

fails() { # NAME [REASON]
    failed=$((failed + 1))
    echo "not ok - $1"
    while read -r; do
        echo "# $REPLY"
    done <<<"${2-}"
}

# Does COMMAND succeed?
ok() { # NAME COMMAND [ARG...]
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        passes "$name"
    else
        fails "$name" "$* ends with status $?:"$'\n'"$output"
    fi
}

is() { # NAME GOT WANTED
    if [[ $2 == "$3" ]]; then
        passes "$1"
    else
        fails "$1" "got: $2"$'\n'"wanted: $3"
    fi
}

contains() { # NAME GOT PART
    if [[ $2 == *"$3"* ]]; then
        passes "$1"
    else
        fails "$1" "got: $2"$'\n'"lacks: $3"
    fi
}

# Runs a command in a guest. Leaves its exit status in $status and its output
# in $out and $err, and, byte for byte, in the files $scratch/out and err.
vm() { # [OPTION...] -- COMMAND [ARG...]
    status=0
    "$vm_dir/run-in-vm" "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
    # shellcheck disable=SC2034 # for the scenario
    out=$(tr -d '\0' <"$scratch/out")
    err=$(tr -d '\0' <"$scratch/err")
}

# Runs a function of the scenario in a guest. It finds there what is in this
# file, nothing else of the scenario, and its checks count as if made here.
vm_checks() { # [OPTION...] -- FUNCTION [ARG...]
    local options=() name

    while [[ $1 != -- ]]; do
        options+=("$1")
        shift
    done
    name=$2
    shift 2
    vm "${options[@]}" -- bash -c ". '$vm_dir/lib.sh'; $(declare -f "$name"); $name \"\$@\"" \
        "$name" "$@"
    cat "$scratch/out"
    if ((status == 0)); then
        return
    elif grep -q '^not ok - ' "$scratch/out"; then
        failed=$((failed + 1))
        sed 's/^/# /' "$scratch/err"
    else
        fails "$name runs to its end (${options[*]})" \
            "exit status $status"$'\n'"$err"
    fi
}

# In $out is what guest/testpmd printed. The number behind a word of it:
value() { # WORD
    sed -En "s/(.* )?$1 ([0-9]+).*/\2/p" <<<"$out"
}

forwards() { # WHERE
    ok "$1: 100,000 packets are forwarded" test "$(value forwarded)" -ge 100000
    is "$1: without an error" "$(value errors)" 0
    is "$1: exit status 0" "$(value status)" 0
}
