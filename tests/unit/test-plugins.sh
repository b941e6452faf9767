#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A plugin is looked for where the library that loads it says ($ORIGIN), as
# without the library; and where it will not call the library the log says so.

set -eu
export LC_ALL=C
library=${1:-$PWD/.libs/libnoiommu-shim.so}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
status=0

if LD_PRELOAD=$library true 2>&1 | grep -q Sanitizer; then
	echo "the library was built with a sanitizer, which must be preloaded first"
	exit 77
fi

build() { # FILE OPTION...
	file=$1
	shift
	${CC:-cc} -x c -o "$scratch/$file" - -x none "$@" -ldl
}
mkdir "$scratch/below"
echo 'int here;' | build below/plugin.so -shared -fPIC
# Where that is not in libc, its own libdl stands between: it is one with -ldl only.
build loader.so -shared -fPIC "-Wl,--enable-new-dtags,-rpath,\$ORIGIN/below" << EOF
#include <dlfcn.h>
int load(int mode) { return dlopen("plugin.so", mode) != 0; }
EOF
build program "-Wl,-rpath,$scratch" "$scratch/loader.so" << EOF
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
int load(int mode);
int main(int argc, char **argv)
{
	int how = atoi(argv[1]);
	if (how < 0)
		return !dlmopen(LM_ID_NEWLM, "$scratch/below/plugin.so", RTLD_NOW);
	return !load(RTLD_NOW | how) || !load(RTLD_NOW | how);
}
EOF

check() { # HOW LINES PART
	if ! LD_PRELOAD=$library "$scratch/program" "$1" 2> "$scratch/log"; then
		echo "not loaded: $1"
		status=1
	fi
	if [ "$(wc -l < "$scratch/log")" != "$2" ] || ! grep -q "$3" "$scratch/log" &&
		[ "$2" != 0 ]; then
		echo "of $1 the log says:"
		cat "$scratch/log"
		status=1
	fi
}
check 0 0 ''
# RTLD_DEEPBIND, and a namespace of its own: glibc alone has them.
if ${CC:-cc} -dM -E -include features.h -x c /dev/null | grep -q __GLIBC__; then
	check 8 1 'plugin.so is loaded with RTLD_DEEPBIND: what it opens'
	check -1 1 'plugin.so is loaded into a namespace of its own: what it opens'
fi
exit $status
