#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every function that the installed libc exports is either in
# src/preload/symbols.def or, with a reason, in not-intercepted: a libc with a
# new way to open, read or unmap something is noticed.

set -eu
export LC_ALL=C
srcdir=${srcdir:-.}
reasons=$srcdir/tests/unit/not-intercepted
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Before glibc 2.34 a part of it was in libraries of their own.
for name in libc.so.6 libpthread.so.0 librt.so.1 libdl.so.2; do
	file=$(${CC:-cc} -print-file-name=$name)
	if [ -e "$file" ]; then
		${NM:-nm} -D --defined-only "$file"
	fi
done | awk '$2 ~ /^[TWi]$/ && $3 !~ /@GLIBC_PRIVATE$/ { sub(/@.*/, "", $3); print $3 }' |
	sort -u > "$scratch/libc"
if ! [ -s "$scratch/libc" ]; then
	echo "no glibc to compare with"
	exit 77
fi

sed -n 's/^[A-Z]*([^,]*, \([A-Za-z0-9_]*\), .*/\1/p' "$srcdir/src/preload/symbols.def" |
	sort > "$scratch/intercepted"
sed 's/^#.*//; s/\*/.*/g' "$reasons" | tr -s ' ' '\n' | sed '/^$/d' > "$scratch/patterns"

missing=$(comm -23 "$scratch/libc" "$scratch/intercepted" | grep -vxE -f "$scratch/patterns") ||
	[ $? = 1 ] # none is missing
# A family may have members that are intercepted.
twice=$(grep -v '[*[]' "$scratch/patterns" | sort | comm -12 - "$scratch/intercepted")
for name in $missing; do
	echo "$name() is neither in src/preload/symbols.def nor in tests/unit/not-intercepted"
done
for name in $twice; do
	echo "$name() is intercepted, and tests/unit/not-intercepted says why it is not"
done
[ -z "$missing$twice" ]
