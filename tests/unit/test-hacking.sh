#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Each function that HACKING names is in the file that stands behind it.

set -eu
export LC_ALL=C
srcdir=${srcdir:-.}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

tr '\n' ' ' < "$srcdir/HACKING" | tr -s ' ' |
	grep -oE '[a-z_0-9]+_[a-z_0-9]+\(\) \([a-z]+/[a-z-]+\.[ch]\)' |
	sed 's/() (/ /; s/)$//' > "$scratch/named"
[ "$(wc -l < "$scratch/named")" -gt 20 ]

status=0
while read -r function file; do
	# A definition begins its line; a declaration ends in a semicolon.
	if ! grep -E "^[a-z].*[ *]$function\(" "$srcdir/src/$file" | grep -qv ';$'; then
		echo "HACKING: there is no $function() in src/$file"
		status=1
	fi
done < "$scratch/named"
exit $status
