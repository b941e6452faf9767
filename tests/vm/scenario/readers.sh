#!/usr/bin/env bash
#
# Programs in several languages read their pagemap in all ways that these have:
# each entry is what an observer from outside sees, and no page moves.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

source=$(cd "$vm_dir/../readers" && pwd)
gcc -O1 -U_FORTIFY_SOURCE -o "$scratch/plain" "$source/pagemap.c"
gcc -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -D_FILE_OFFSET_BITS=64 -Wno-unused-result \
    -o "$scratch/fortified" "$source/pagemap.c"
g++ -O2 -o "$scratch/ifstream" "$source/pagemap.cc"
ecj -proc:none -nowarn -17 -d "$scratch" "$source/Pagemap.java"

for symbol in __read_chk __pread64_chk __fread_chk; do
    contains "the fortified one needs $symbol" "$(nm -D "$scratch/fortified")" "$symbol"
done

# shellcheck disable=SC2317 # runs in a guest
readers() { # DIRECTORY
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    local observe=("$vm_dir/guest/observe" "$top/build/tests/drivers/storm")

    reads() { # NAME PAGES COMMAND...
        comes_to "$1" "$2 present, 0 wrong, 0 moved, status 0" "${observe[@]}" "${shim[@]}" "${@:3}"
        says ""
    }
    reads "C" 270 "$1/plain"
    reads "C, fortified" 270 "$1/fortified"
    reads "C++" 45 "$1/ifstream"
    reads "Python" 105 /usr/bin/python3 "$top/tests/readers/pagemap.py"
    reads "Perl" 48 perl "$top/tests/readers/pagemap.pl"
    reads "Java" 45 java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$1" Pagemap
    contains "without the library, pages move" \
        "$("${observe[@]}" "$1/plain" | tail -n 1)" "270 present, 0 wrong, 270 moved"
}

for kernel in cdev both; do
    vm_checks --kernel "$kernel" --device edu --numa 2 --share "$scratch" -- readers "$scratch"
done
