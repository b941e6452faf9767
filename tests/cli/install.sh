#!/usr/bin/env bash
#
# What `make install` puts in place works from there, and `make uninstall`
# takes all of it away again. Runs in a build directory.

set -euo pipefail

scratch=$(mktemp -d)
failed=0
unset LD_PRELOAD MAKEFLAGS MFLAGS "${!NOIOMMU_SHIM_@}"

trap 'rm -rf "$scratch"' EXIT

is() { # NAME GOT WANTED
    if [[ $2 == "$3" ]]; then
        echo "ok - $1"
    else
        failed=$((failed + 1))
        echo "not ok - $1"
        printf '# got: %s\n# wanted: %s\n' "$2" "$3"
    fi
}

installed() { # the files by directory and name, the rest of their paths left out
    find "$scratch" ! -type d | sed -E 's,.*/([^/]*/[^/]*)$,\1,' | sort | xargs
}

log=$(make install DESTDIR="$scratch" 2>&1) || {
    echo "$log"
    exit 1
}
command=$(find "$scratch" -path '*/bin/noiommu-shim')
library=$(find "$scratch" -name libnoiommu-shim.so)
libdir=$(basename "$(dirname "$library")")
is "every file is in its place" "$(installed)" "$(printf '%s\n' bin/noiommu-shim \
    completions/noiommu-shim "$libdir/libnoiommu-shim.la" "$libdir/libnoiommu-shim.so" \
    man1/noiommu-shim.1 man7/noiommu-shim.7 | sort | xargs)"

# shellcheck disable=SC2016 # for the program
if [[ $("$command" run -- true 2>&1) == *Sanitizer* ]]; then
    echo "ok - the command takes its own library # SKIP a sanitizer must be preloaded first"
else
    is "the command takes its own library" \
        "$("$command" run -- sh -c 'echo "$LD_PRELOAD"')" "$library"
fi

make uninstall DESTDIR="$scratch" >/dev/null 2>&1
is "nothing is left behind" "$(installed)" ""

((failed == 0))
