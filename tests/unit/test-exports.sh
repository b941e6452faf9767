#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The library shows exactly the symbols of src/preload/symbols.def: one that is
# missing is not intercepted, one too many is the host's in some program.

set -eu
export LC_ALL=C
srcdir=${srcdir:-.}
library=${1:-.libs/libnoiommu-shim.so}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

printf '#define SYM(type, name, params) EXPORT name\n#include "preload/symbols.def"\n' |
	${CC:-cc} -E -P -I "$srcdir/src" - | sed -n 's/^ *EXPORT  *//p' | tr -d ' ' |
	sort > "$scratch/listed"
${NM:-nm} -D --defined-only "$library" | awk '{ print $NF }' | sort > "$scratch/exported"
[ -s "$scratch/listed" ]
diff -u "$scratch/listed" "$scratch/exported"

# ... and loads on glibc 2.17, wherever it was built.
${READELF:-readelf} -W -V "$library" > "$scratch/needed"
newest=$(grep -o 'Name: GLIBC_[0-9.]*' "$scratch/needed" | sed 's/.*_//' |
	sort -V | tail -n 1)
if [ -n "$newest" ] && [ "$(printf '%s\n' "$newest" 2.17 | sort -V | tail -n 1)" != 2.17 ]; then
	echo "the library needs glibc $newest:"
	${READELF:-readelf} -W --dyn-syms "$library" | grep "@GLIBC_$newest"
	exit 1
fi

# glibc before 2.36 gives the oldest version of a symbol to whom asks for the
# next one, so the list names the version of each that has several.
libc=$(${CC:-cc} -print-file-name=libc.so.6)
if [ -e "$libc" ] && ${NM:-nm} -D --defined-only "$libc" | grep -q '@@GLIBC_'; then
	${NM:-nm} -D --defined-only "$libc" | awk '{ print $NF }' > "$scratch/versions"
	sed -n 's/\([^@]*\)@GLIBC_[0-9.]*$/\1/p' "$scratch/versions" | sort -u |
		comm -12 - "$scratch/listed" |
		while read -r name; do sed -n "/^$name@@/p" "$scratch/versions"; done |
		sort > "$scratch/several"
	# Where glibc is younger than a version, there is only one of that symbol.
	sed -n 's/^NEWEST(\(.*\), "\(.*\)")$/\1@@\2/p' "$srcdir/src/preload/symbols.def" |
		while read -r name; do
			! grep -q "@${name##*@}\$" "$scratch/versions" || echo "$name"
		done | sort | diff -u "$scratch/several" -
fi
