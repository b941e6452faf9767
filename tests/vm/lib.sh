# shellcheck shell=bash
#
# What a scenario stands on; to be sourced. A scenario runs on the host and
# does its checks there or in guests.

vm_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=SCRIPTDIR/../checks.sh
. "$vm_dir/../checks.sh"

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
        grep -q '^ok - ' "$scratch/out" || fails "$name makes checks (${options[*]})"
    elif grep -q '^not ok - ' "$scratch/out"; then
        failed=$((failed + 1))
        sed 's/^/# /' "$scratch/err"
    else
        fails "$name runs to its end (${options[*]})" \
            "exit status $status"$'\n'"$err"
    fi
}

# Says which program the checks since the last such line were of.
tested() { # PROGRAM VERSION KERNEL REMARK
    local IFS=$'\t'
    echo "# tested:"$'\t'"$*"
}

# What a program has said, but for the lines that may differ (see differences).
comparable() { # PROGRAM FILE
    grep -Evxf <(sed -n "s/^$1\t//p" "$vm_dir/differences") "$2"
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

# What the last guest wrote to its standard error, but for the line that says which
# device lent its page table, which a first lookup is bound to write.
complaints() {
    sed '/ lent its page table, /d' "$scratch/err"
}

# The guest runs a driver, of which the last line counts.
transfers() { # [OPTION...] -- COMMAND [ARG...]
    vm "$@" 0000:00:10.0
    count=0 corrupted=
    [[ ! ${out##*$'\n'} =~ ^([0-9]+)' transfers, '([0-9]+)' corrupted'$ ]] ||
        count=${BASH_REMATCH[1]} corrupted=${BASH_REMATCH[2]}
}

all_right() { # NAME LEAST
    ok "$1: $2 transfers" test "$count" -ge "$2"
    if [[ $status/$corrupted == 0/0 && $(complaints) != *noiommu-shim* ]]; then
        passes "$1: none corrupted, no complaint"
    else
        fails "$1: none corrupted, no complaint" "status $status"$'\n'"$out"$'\n'"$err"
    fi
}

some_wrong() { # NAME
    if [[ $status == 1 && $corrupted -gt 0 ]]; then
        passes "$1: some are corrupted"
    else
        fails "$1: some are corrupted" "status $status"$'\n'"$out"$'\n'"$err"
    fi
}
