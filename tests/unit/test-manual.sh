#!/bin/sh
# SPDX-License-Identifier: MIT
#
# noiommu-shim(7) has every variable, and every error and warning that the
# library writes: the words before the first value or bracket, or, where there
# are none, the longest that are always the same.

set -eu
export LC_ALL=C
srcdir=${srcdir:-.}
manual=$srcdir/man/noiommu-shim.7
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Strings that stand side by side are one.
cat "$srcdir"/src/[!cp]*/*.c "$srcdir"/src/pin/*.c |
	tr '\n\t' '  ' | sed 's/" *"//g' |
	grep -oE 'log_(error|warn)\([^"]*"[^"]*"' | sed 's/.*("//; s/"$//' |
	awk -F '0?x?%(e|s|d|u|x|lx|lu|ld)' '{
		text = $1
		for (i = 2; i <= NF && length($1) < 4; i++)
			if (length($i) > length(text))
				text = $i
		sub(/^\); /, "", text)
		sub(/ \(.*/, "", text)
		print text
	}' | sort -u > "$scratch/wanted"
grep -o '{PREFIX "[A-Z_]*"' "$srcdir/src/base/settings.c" |
	sed 's/.* "/NOIOMMU_SHIM_/; s/"//' >> "$scratch/wanted"
[ "$(wc -l < "$scratch/wanted")" -gt 15 ]

status=0
while IFS= read -r text; do
	grep -qF -- "$text" "$manual" || { echo "$manual lacks: $text"; status=1; }
done < "$scratch/wanted"
exit $status
