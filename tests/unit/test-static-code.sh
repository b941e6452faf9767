#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What the rooms below src/preload may call and include.
#
# The library stands in front of libc: a room that called libc's open() or
# malloc() would come back to the library, or enter an allocator that the host
# is inside of. So they call nothing but what is listed here, which neither
# enters the kernel nor allocates.

set -eu
export LC_ALL=C
srcdir=${srcdir:-.}
library=${1:-.libs/libcore.a}
status=0

allowed='
memchr
memcmp
memcpy
memmove
memset
strchr
strcmp
strcspn
strlen
strncmp
strrchr
strspn
strstr
strtol
strtoul
__isoc23_strtol
__isoc23_strtoul
getauxval
pthread_atfork
pthread_self
'

complain() {
	echo "$*" >&2
	status=1
}

# ---- calls ----

# Of the compiler and its checks.
compilers='^(_GLOBAL_OFFSET_TABLE_|__stack_chk_fail|__(mem|str)[a-z]*_chk)$'
compilers="$compilers|^__(asan|ubsan|tsan|gcov|sanitizer)_"

symbols() {
	${NM:-nm} "$@" "$library" | awk 'NF > 1 && $(NF - 1) ~ /^[A-Za-z]$/ { print $NF }' | sort -u
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
symbols --defined-only > "$scratch/defined"
symbols --undefined-only > "$scratch/undefined"
if ! [ -s "$scratch/defined" ]; then
	complain "$library: no symbols"
fi
echo "$allowed" | sort > "$scratch/allowed"
for symbol in $(sort -m "$scratch/allowed" "$scratch/defined" |
	comm -13 - "$scratch/undefined" | grep -Ev "$compilers"); do
	complain "$library calls $symbol(), which is not on the list in $0"
done

# ---- includes ----

# A room may include itself and what is below it.
room() {
	name=$1
	shift
	for file in "$srcdir/src/$name"/*.[ch]; do
		rooms=$(sed -n 's,^#include "\(.*\)/.*,\1,p' "$file")
		for above in $rooms; do
			case " $* " in
			*" $above "*) ;;
			*) complain "$file: src/$name may not include $above" ;;
			esac
		done
	done
}
room base base shim uapi
room iommufd iommufd base uapi
room uring uring base uapi
room backend backend iommufd uring base
room pin pin backend iommufd base shim uapi
room tree tree iommufd base
room vfio vfio tree pin backend iommufd base uapi
room door door vfio tree pin backend iommufd uring base shim uapi
room preload preload door base uapi
# The calls by their numbers, which src/preload has for syscall(), are its way to the doors.
room trap trap preload door pin base uapi

# Whoever issues an iommufd ioctl needs its number from there.
for file in "$srcdir"/src/*/*.[ch]; do
	case $file in
	*/src/iommufd/* | */src/cli/*) ;;
	*)
		if grep -q '"uapi/iommufd.h"' "$file"; then
			complain "$file: only src/iommufd speaks to iommufd"
		fi
		;;
	esac
done

exit $status
