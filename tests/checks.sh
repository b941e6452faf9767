# shellcheck shell=bash
#
# How every test that is a script tells what it found; to be sourced. Each check
# is one line of output, "ok - NAME" or "not ok - NAME", followed by lines
# "# ..." that say why. The script fails if a check did.

set -euo pipefail

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

skip() { # NAME REASON
    echo "ok - $1 # SKIP $2"
}
