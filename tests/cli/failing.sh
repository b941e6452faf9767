#!/usr/bin/env bash
#
# A program is put under traps while one system call fails, each in turn: see failing.c.

# shellcheck source=SCRIPTDIR/../checks.sh
. "$(dirname "${BASH_SOURCE[0]}")/../checks.sh"

command=("$PWD/noiommu-shim" run --via=trap --)
failing=$PWD/tests/cli/failing
unset LD_PRELOAD "${!NOIOMMU_SHIM_@}"

"${command[@]}" true 2>"$scratch/err" || {
    echo "no system calls can be trapped: $(<"$scratch/err")"
    exit 77
}
"$failing" "${command[@]}" "$failing" served >"$scratch/out" && status=0 || status=$?
is "whichever call fails, a program is served or refused" "$status/$(<"$scratch/out")" \
    "0/$(tail -n 1 "$scratch/out")"
