#!/usr/bin/env bash
#
# The calls of real drivers, one by one, on the kernel's own group path and
# under the library: every value, errno and byte is the same, also on a kernel
# that has no group path.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

top=$(cd "$vm_dir/../.." && pwd)
record=$top/build/sequences.record
run=("$top/tests/differential/run" --count 0)
under=("$top/build/tests/differential/differential" "$top/build/.libs/libnoiommu-shim.so")
devices=(--device e1000e --device edu --device edu)

same() { # NAME
    if ((status == 0)) && [[ $out == *" sequences the same, 0 different"* ]]; then
        passes "$1: $(grep -o '[0-9]* sequences the same' <<<"$out")"
    else
        fails "$1" "status $status"$'\n'"$(grep '^#' <<<"$out" || true)"$'\n'"$err"
    fi
}

vm "${devices[@]}" -- "${run[@]}" "${under[@]}"
same "on both, with and without the library"
cp "$scratch/out" "$record"
vm --kernel cdev "${devices[@]}" -- "${run[@]}" --native "$record" "${under[@]}"
same "on cdev, as on both without the library"
