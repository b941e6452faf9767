#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The library has exactly the probes that noiommu-shim(7) tells about, with as
# many arguments; none where it was built without sys/sdt.h.

set -eu
export LC_ALL=C
srcdir=${srcdir:-.}
library=${1:-.libs/libnoiommu-shim.so}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

grep -q '^#define HAVE_SYS_SDT_H 1' config.h ||
	{ echo "built without sys/sdt.h"; exit 77; }
sed -n '/^\.Sh PROBES/,/^\.Sh SEC/s/^\.It Ic \([a-z]*\) Ar \(.*\)/\1 \2/p' \
	"$srcdir/man/noiommu-shim.7" | awk '{ print $1, NF - 1 }' | sort -u > "$scratch/told"
[ -s "$scratch/told" ]
${READELF:-readelf} -n "$library" | awk '
	$1 == "Provider:" { ours = $2 == "noiommu_shim" }
	ours && $1 == "Name:" { name = $2 }
	ours && $1 == "Arguments:" { print name, NF - 1 }' | sort -u > "$scratch/there"
diff -u "$scratch/told" "$scratch/there"
