#!/usr/bin/env bash
#
# The demonstration ends with status 1 and one line where a claim of its does not
# hold or a number is missing, and what runs in its guests does not invent any.
# Here no guest runs: the demonstration is given answers.

# shellcheck source=SCRIPTDIR/../checks.sh
. "$(dirname "${BASH_SOURCE[0]}")/../checks.sh"

here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
tree=$scratch/tree
mkdir -p "$tree/tests/vm" "$tree"/build/{.libs,tests/drivers}
cp "$here/demo" "$tree/tests/vm"
touch "$tree"/build/{noiommu-shim,.libs/libnoiommu-shim.so,tests/drivers/storm}

# It answers with the file that has the name of kernel and way.
cat >"$tree/tests/vm/run-in-vm" <<'END'
#!/bin/sh
while [ "$1" != --kernel ]; do shift; done
kernel=$2
while [ "$1" != -- ]; do shift; done
shift 5
cat "$ANSWERS/$kernel-$1"
END
chmod +x "$tree/tests/vm/run-in-vm"
export ANSWERS=$scratch/answers

answers() {
    mkdir -p "$ANSWERS"
    printf '%s\n' 'forwarded 0' 'errors none' 'status 0' \
        'reason Cannot open VFIO container' >"$ANSWERS/cdev-plain"
    printf '%s\n' 'forwarded 100000' 'errors 0' 'status 0' >"$ANSWERS/cdev-shim"
    printf '%s\n' 'given 29 moved 1 gone 0' 'forwarded 100000' 'errors 0' 'status 0' |
        tee "$ANSWERS/both-shim" >"$ANSWERS/both-observed"
    sed -i 's/moved 1/moved 0/' "$ANSWERS/both-shim"
}

demo() {
    status=0
    "$tree/tests/vm/demo" >"$scratch/out" 2>"$scratch/err" || status=$?
    err=$(<"$scratch/err")
}

answers
demo
is "with the right answers" "$status/$err" 0/

# In one of the answers is something else.
wrong() { # ANSWERS FROM TO WORDS
    answers
    sed -i "s/$2/$3/" "$ANSWERS/$1"
    demo
    is "$1: $3: status and lines" "$status/$(wc -l <"$scratch/err")" 1/1
    contains "$1: $3: what the line says" "$err" "$4"
}

fails_to_open="as it is, it cannot open its devices"
wrong cdev-plain "forwarded 0" "forwarded 7" "$fails_to_open"
wrong cdev-plain "reason.*" "" "$fails_to_open"
wrong cdev-plain "status 0" "status none" "not measured: status"
for answers in cdev-shim both-shim; do
    wrong $answers "forwarded .*" "forwarded 99999" "it forwards 100000 packets"
    wrong $answers "forwarded .*" "forwarded none" "not measured: forwarded"
    wrong $answers "errors 0" "errors 1" "without an error"
    wrong $answers "status 0" "status 139" "without an error"
done
wrong both-observed "moved 1" "moved 0" "as it is, pages move"
wrong both-observed "given.*" "" "not measured: given"
wrong both-shim "moved 0" "moved 1" "none of the pages moves"
wrong both-shim "given 29" "given 0" "it is given addresses"
wrong both-shim "given.*" "" "not measured: given"

answers
rm "$tree/build/tests/drivers/storm"
demo
is "without the storm" "$status/$(wc -l <"$scratch/err")/$(wc -c <"$scratch/out")" 1/1/0
contains "... of which the line speaks" "$err" "tests/drivers/storm"

# ---- what runs in a guest ---------------------------------------------------

mkdir "$scratch/bin"
cat >"$scratch/bin/dpdk-testpmd" <<'END'
#!/bin/sh
cat "$ANSWERS/testpmd"
exec sleep 60
END
chmod +x "$scratch/bin/dpdk-testpmd"

testpmd() { # ARG...
    status=0
    PATH=$scratch/bin:$PATH BUILD=$tree/build TESTPMD_LOG=$scratch/log \
        "$here/guest/testpmd" plain 0 "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
}

cat >"$ANSWERS/testpmd" <<'END'
Port statistics ====================================
  ######################## NIC statistics for port 0  ########################
  RX-packets: 5          RX-missed: 0          RX-bytes:  320
  RX-errors: 1
  RX-nombuf:  2         
  TX-packets: 6          TX-errors: 4          TX-bytes:  320
  ######################## NIC statistics for port 1  ########################
  RX-errors: 8
  RX-nombuf:  0         
  ---------------------- Forward statistics for port 1  ----------------------
  RX-packets: 6              RX-dropped: 0             RX-total: 6
  +++++++++++++++ Accumulated forward statistics for all ports+++++++++++++++
  RX-packets: 11             RX-dropped: 0             RX-total: 11
  TX-packets: 12             TX-dropped: 0             TX-total: 12
  ++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++
END
testpmd
is "each packet and each error counts once" "$status/$(xargs <"$scratch/out")" \
    "0/forwarded 11 errors 15 status 130"
echo "Port statistics ====" >"$ANSWERS/testpmd"
testpmd
is "what was not said is no number" "$status/$(xargs <"$scratch/out")" \
    "0/forwarded none errors none status 130"
testpmd --storm
is "a storm that is not there is an error" "$status/$(<"$scratch/out")" 1/
contains "... which is told" "$(<"$scratch/err")" "there is no $tree/build/tests/drivers/storm"
