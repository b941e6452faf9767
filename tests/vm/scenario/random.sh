#!/usr/bin/env bash
#
# Random programs, of several processes and threads, with memory, lookups, descriptors
# and devices in any order: each says the same plain and under the library, which
# serves it from the cdev path, and leaves nothing behind.
#
# RANDOM_PROGRAMS=N runs N of them in place of 2000, from the seed in SEED (1).

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

top=$(cd "$vm_dir/../.." && pwd)
random=$top/tests/random
library=$top/build/.libs/libnoiommu-shim.so
count=${RANDOM_PROGRAMS:-2000} seed=${SEED:-1} part=1000

export NOIOMMU_SHIM_LOG_FILE=/dev/null

# The programs are long and simple: to optimise them would take longer than to run them.
build() { # DIRECTORY SEED COUNT
    "$random/generate" "$2" "$3" >"$1/programs.c" &&
        gcc -std=gnu11 -O0 -Wall -Werror -fno-pie -I"$random" -c -o "$1/programs.o" "$1/programs.c" &&
        gcc -std=gnu11 -O1 -Wall -Wextra -Werror -fno-pie -no-pie -I"$top/include" -o "$1/programs" \
            "$random"/*.c "$1/programs.o" -pthread
}

perform() { # DIRECTORY SEED COUNT
    mkdir -p "$1" && build "$@" &&
        "$vm_dir/run-in-vm" --kernel both --device edu --device edu --numa 2 --hugepages 32 \
            --timeout $((900 + $3)) --share "$1" -- "$random/run" "$1/programs" "$library"
}

tell() { # DIRECTORY STATUS SEED
    if (($2 == 0)); then
        passes "from $3 on: $(cat "$1.out")"
    else
        fails "from $3 on, all programs say the same" "status $2"$'\n'"$(cat "$1.out" "$1.err")"
    fi
}

# Two at a time.
for ((; count > 0; count -= 2 * part, seed += 2 * part)); do
    ((2 * part < count)) || part=$(((count + 1) / 2))
    perform "$scratch/one" "$seed" "$part" >"$scratch/one.out" 2>"$scratch/one.err" &
    status=0
    perform "$scratch/other" $((seed + part)) "$part" >"$scratch/other.out" \
        2>"$scratch/other.err" || status=$?
    tell "$scratch/other" "$status" $((seed + part))
    status=0
    wait $! || status=$?
    tell "$scratch/one" "$status" "$seed"
done
