#!/usr/bin/env bash
#
# What `make install` puts in place works from there, and `make uninstall`
# takes all of it away again. Runs in a build directory.

# shellcheck source=SCRIPTDIR/../checks.sh
. "$(dirname "${BASH_SOURCE[0]}")/../checks.sh"

unset LD_PRELOAD MAKEFLAGS MFLAGS "${!NOIOMMU_SHIM_@}"

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
    man1/noiommu-shim.1 man7/noiommu-shim.7 noiommu-shim/MIGRATING.md \
    examples/{70-noiommu-shim-group.rules,confined.conf,preload.conf,run.conf} \
    rules.d/60-noiommu-shim.rules | sort | xargs)"

# shellcheck disable=SC2016 # for the program
if [[ $("$command" run -- true 2>&1) == *Sanitizer* ]]; then
    echo "ok - the command takes its own library # SKIP a sanitizer must be preloaded first"
else
    is "the command takes its own library" \
        "$("$command" run -- sh -c 'echo "$LD_PRELOAD"')" "$library"
fi
rule=$(find "$scratch" -name 60-noiommu-shim.rules)
is "udev's rule runs the command" "$(sed -n 's/.*RUN+="\([^ ]*\) cdi .*/\1/p' "$rule")" \
    "${command#"$scratch"}"

log=$(make uninstall DESTDIR="$scratch" 2>&1) || {
    echo "$log"
    exit 1
}
is "nothing is left behind" "$(installed)" ""
