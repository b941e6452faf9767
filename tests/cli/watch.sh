#!/usr/bin/env bash
#
# `ps --watch` on a terminal. The command is the one of the build directory that
# this runs in.

# shellcheck source=SCRIPTDIR/../checks.sh
. "$(dirname "${BASH_SOURCE[0]}")/../checks.sh"

here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
command=$(realpath "${NOIOMMU_SHIM_COMMAND:-./noiommu-shim}")
cc=${CC:-cc}
unset LD_PRELOAD "${!NOIOMMU_SHIM_@}"
export LC_ALL=C

if ! type -P python3 >/dev/null; then
    echo "there is no python3, which has terminals"
    exit 77
fi

watch() { # COLUMNS UNTIL END ARG...
    timeout 60 python3 "$here/watch.py" "$1" "$2" "$3" "$command" ps --watch "${@:4}" \
        >"$scratch/out" 2>"$scratch/err" || cat "$scratch/err"
}

ended() { # NAME STATUS
    is "$1" "$(tail -n 1 "$scratch/out")" "status $2 modes True left True"
}

"$command" ps --watch --json >/dev/null 2>"$scratch/err" && status=0 || status=$?
is "--watch and --json" "$status/$(wc -l <"$scratch/err")" 2/1
"$command" ps --watch $$ >"$scratch/out" 2>"$scratch/err" && status=0 || status=$?
is "piped it prints once" "$status/$(<"$scratch/out")/$(wc -l <"$scratch/err")" 1//1
if type -P script >/dev/null; then
    TERM=dumb script -qec "'$command' ps --watch $$" /dev/null </dev/null >"$scratch/out" 2>&1 || true
    is "on a dumb terminal, too" "$(grep -c $'\033' "$scratch/out")/$(wc -l <"$scratch/out")" 0/1
else
    skip "on a dumb terminal, too" "there is no script(1)"
fi

watch 80 '^q: end' q $$
is "a process that is not under it" "$(head -n 1 "$scratch/out")" \
    "process $$ is not under noiommu-shim"
ended "q ends it" 1
watch 80 '^q: end' '\x03' $$
ended "Ctrl-C ends it" 1
for signal in TERM HUP QUIT; do
    watch 80 '^q: end' SIG$signal $$
    ended "SIG$signal ends it" -"$(kill -l $signal)"
done
is "it has said why it ends" "$("$command" ps --watch 2147483647 2>&1 || true)" \
    "noiommu-shim ps: there is no process 2147483647"

# A library that has nothing but what is looked at: its pins are 0, 4, 8 and so on.
cat >"$scratch/shim.c" <<END
#include "$here/../../include/shim/state.h"
#include <string.h>
#include <unistd.h>
struct shim_counts counts;
struct shim_state state = {STATE_MAGIC, STATE_VERSION, sizeof(state)};
__asm__(".pushsection .note.noiommu-shim, \"a\", @note\n .balign 4\n"
	" .long 2f - 1f, 4f - 3f, 1\n1: .asciz \"noiommu-shim\"\n2: .balign 4\n"
	"3: .long state - 3b\n4: .popsection\n");
__attribute__((visibility("default"))) int shim_main(void)
{
	state.counts = (unsigned long)&counts;
	for (counts.pins = 0; counts.pins < 2000; counts.pins += 4)
		usleep(400000);
	return 0;
}
END
echo 'int shim_main(void); int main(void) { return shim_main(); }' >"$scratch/main.c"
if ! "$cc" -shared -fPIC -fvisibility=hidden -o "$scratch/libnoiommu-shim.so" "$scratch/shim.c" \
    2>"$scratch/err" || ! "$cc" -o "$scratch/watched" "$scratch/main.c" \
    "$scratch/libnoiommu-shim.so" -Wl,-rpath,"$scratch" 2>>"$scratch/err"; then
    skip "a process that pins" "there is no C compiler"
    exit
fi
# Memory of its own where the image of a trapped program would be.
cat >"$scratch/own.c" <<END
#include "$here/../../src/trap/image.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void)
{
	puts(mmap((void *)IMAGE_BASE, 1 << 16, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		  0) == MAP_FAILED ? "failed" : "mapped");
	fflush(stdout);
	return pause();
}
END
"$cc" -I"$here/../../src" -o "$scratch/own" "$scratch/own.c"
exec 3< <(exec "$scratch/own")
own=$!
read -r mapped <&3
"$command" ps $own >"$scratch/out" 2>"$scratch/err" && status=0 || status=$?
is "memory at the image's address is not the image" "$mapped/$status/$(<"$scratch/err")" \
    "mapped/1/noiommu-shim ps: process $own is not under noiommu-shim"
kill $own

"$scratch/watched" &
watched=$!
trap 'kill $watched 2>/dev/null; finish' EXIT
for _ in {1..100}; do
    "$command" ps $watched >/dev/null 2>&1 && status=0 || status=$?
    ((status > 0)) || break
    sleep 0.1
done
if ((status > 0)); then
    skip "a process that pins" "it may not be looked at"
    exit
fi
watch 80 'pins [^#]\S{2,}# up to' q $watched
ended "q ends it, when there is one" 0
is "there is the table" "$(awk 'NR == 2 { print $1, $2, $3, $4 }' "$scratch/out")" \
    "$watched watched auto none"
is "its pins grow, and the greatest is a full bar" \
    "$(grep -cE '^ +pins [^#][^ ]{2,}# up to [0-9]*[02468]$' "$scratch/out")" 1
is "it fits 80 columns" "$(grep -cE '.{81}' "$scratch/out")" 0
watch 40 'pins \S{2}' q $watched
is "on a narrow terminal lines are cut" \
    "$(grep -vc '^.\{0,40\}$' <(head -n -1 "$scratch/out"))/$(grep -c ' watched *auto *none' "$scratch/out")" 0/1
LC_ALL=C.UTF-8 watch 200 'pins \S{2,}\u2588 up to' q $watched
is "in UTF-8 it has characters for bars" \
    "$(grep -c $'pins [\xe2].*\xe2\x96\x88 up to' "$scratch/out")" 1
