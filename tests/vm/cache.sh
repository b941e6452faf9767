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

# Gives apt directories in the current one, and those suites of that mirror, for the
# architecture in $arch if the script has one: the system's stay untouched.
private_apt() { # SUITE...
    local mirror suite architecture=${arch-x86_64}

    mirror=$(debian_mirror)
    mkdir -p apt/lists/partial apt/cache/archives/partial
    for suite; do
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
    done >apt/sources.list
    # As root, apt would change to a user who may not enter a home directory.
    # A frozen mirror's suites are out of date, but still signed.
    cat >apt/apt.conf <<EOF
Dir::State::Lists "$PWD/apt/lists";
Dir::Cache "$PWD/apt/cache";
Dir::Etc::SourceList "$PWD/apt/sources.list";
Dir::Etc::SourceParts "-";
Acquire::Languages "none";
APT::Sandbox::User "root";
APT::Architecture "${architecture/x86_64/amd64}";
Acquire::Check-Valid-Until "false";
EOF
    export APT_CONFIG=$PWD/apt/apt.conf
    # A suite that the mirror lacks is no harm if another has the package.
    apt-get -q update || echo "what another suite has will do" >&2
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
