# shellcheck shell=bash
#
# For the scripts that download and build what the tests keep in a cache; to be
# sourced. A script has fail() before.

# Prints the address of that mirror of Debian.
debian_mirror() {
    local mirror

    # shellcheck disable=SC2016 # apt expands these
    mirror=$(apt-get indextargets --format '$(LABEL) $(SITE)' \
        'Created-By: Packages' | sed -n 's/^Debian //p' | head -n 1)
    [[ -n $mirror ]] ||
        fail "apt knows no Debian mirror: run apt-get update first"
    echo "$mirror"
}

# Runs a long step with a line before it, and its time after it.
step() { # TEXT COMMAND...
    local text=$1 begin=$SECONDS
    shift
    echo "==> $text"
    "$@"
    echo "    $((SECONDS - begin)) s"
}

# Waits until no other process does the WORK that goes to DIRECTORY.
alone() { # DIRECTORY WORK
    local lock

    mkdir -p "$1"
    exec {lock}>"$1/lock"
    flock --nonblock "$lock" || {
        echo "==> waiting for another $2"
        flock "$lock"
    }
}
