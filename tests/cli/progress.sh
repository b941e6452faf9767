#!/usr/bin/env bash
#
# What takes long shows on a terminal how far it is, and nothing elsewhere. The command
# is the one of the build directory that this runs in.

# shellcheck source=SCRIPTDIR/../checks.sh
. "$(dirname "${BASH_SOURCE[0]}")/../checks.sh"

here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
command=$(realpath "${NOIOMMU_SHIM_COMMAND:-./noiommu-shim}")
unset LD_PRELOAD "${!NOIOMMU_SHIM_@}"
cd "$scratch"

if ! type -P python3 >/dev/null; then
    echo "there is no python3, which makes terminals"
    exit 77
fi
if ! "$command" run -- true 2>err && [[ $(<err) == *Sanitizer* ]]; then
    echo "the library was built with a sanitizer, which must be preloaded first"
    exit 77
fi

# On a terminal.
terminal() { # COLUMNS TERM [ARG...]
    python3 "$here/progress.py" "$1" "$2" - "$command" "${@:3}" >out
}

# What the terminal is left with, if the command gets a signal while the line is shown.
leaves() { # SIGNAL [ARG...]
    python3 "$here/progress.py" 80 xterm "$1" "$command" "${@:2}" >out
    grep '^last:' out | tail -n 1
    tail -n 1 out
}

# One lookup, then nothing for two seconds.
lookup=(sh -c 'head -c 8 /proc/self/pagemap >/dev/null; sleep 2.2')

terminal 80 xterm compare --record run -- "${lookup[@]}"
is "compare says how long it has been running" "$(grep -m 1 '^last:' out)" \
    "last: sh: group path, 1 s, 2 operations and lookups"
is "... and erases this" "$(grep '^last:' out | tail -n 1)" "last: "
terminal 80 xterm compare --for 60 --record run -- "${lookup[@]}"
contains "... and for how long at most" "$(<out)" "last: sh: group path, 1 of 60 s, "
terminal 30 xterm compare --record run -- "${lookup[@]}"
is "... in one line, however narrow" "$(grep -m 1 '^last:' out)" "last: sh: group path, 1 s, 2 operat"
# More lines than there are rows, and some while the line is shown.
terminal 80 xterm compare --record run -- sh -c 'seq 30; head -c 8 /proc/self/pagemap >/dev/null
    sleep 1.2; echo "while it runs"; sleep 1; echo end'
is "... below what the program writes" "$(tail -n 4 out)" $'29\n30\nwhile it runs\nend'
terminal 80 dumb compare --record run -- "${lookup[@]}"
is "... not on a terminal that cannot erase" "$(grep -c '1 s, ' out)" 0
"$command" compare --record run -- "${lookup[@]}" 2>out
is "... and not in a pipe or a file" "$(tr -d '\n\040-\176' <out | wc -c)/$(grep -c '1 s, ' out)" 0/0
is "... and gives the row back before SIGTERM ends it" \
    "$(leaves TERM compare --record run -- "${lookup[@]}")" $'last: \n2, 24 rows scroll'
is "... and before it stops" "$(leaves TSTP compare --record run -- "${lookup[@]}")" \
    $'last: \nstopped, 24 rows scroll'

terminal 80 xterm check -- sh
contains "check says what it looks at" "$(<out)" $'\nlast: looking at sh, and at what it loads\n'
is "... and erases this" "$(grep '^last:' out | tail -n 1)" "last: "
"$command" check -- sh >all 2>out || true # whether this machine is ready is another matter
is "... and nothing elsewhere" "$(wc -c <out)" 0
# Here, check waits for ever while it looks at the program.
if ! ${CC:-cc} -shared -fPIC -o waits.so -x c - <<<'#include <unistd.h>
int statvfs(void) { return pause(); }' 2>err; then
    skip "check gives the row back" "there is no C compiler"
    exit
fi
for signal in INT TERM HUP QUIT; do
    is "check gives the row back before SIG$signal ends it" \
        "$(LD_PRELOAD=$scratch/waits.so leaves "$signal" check -- sh)" \
        "last: "$'\n'"-$(kill -l "$signal"), 24 rows scroll"
done
