#!/usr/bin/env bash
#
# The command on any machine: needs no device, no privilege and no particular
# kernel. What a machine does not allow to be tested is skipped, and told.
#
# The command is the one of the build directory that this runs in, or
# NOIOMMU_SHIM_COMMAND.

# shellcheck source=SCRIPTDIR/../checks.sh
. "$(dirname "${BASH_SOURCE[0]}")/../checks.sh"

command=$(realpath "${NOIOMMU_SHIM_COMMAND:-./noiommu-shim}")
library=$(realpath "$(dirname "$command")/.libs/libnoiommu-shim.so")
cc=${CC:-cc}
unset LD_PRELOAD "${!NOIOMMU_SHIM_@}"

# Runs the command; leaves its status, output and messages in $status, $out and $err.
run() { # ARG...
    status=0
    "$command" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || status=$?
    out=$(<"$scratch/out")
    err=$(<"$scratch/err")
}

# The last run ended with STATUS, after one line on stderr that has WORDS.
complained() { # NAME STATUS WORDS
    is "$1: status" "$status" "$2"
    is "$1: one line" "$(wc -l <"$scratch/err")" 1
    [[ $err == *"$3"* ]] && err=$3
    is "$1: what is the matter" "$err" "$3"
}

refused() { # NAME PROGRAM WORDS
    run run -- "$2"
    complained "run refuses $1" 2 "$3"
}

# No preload reaches it: traps serve it, where they can be set here.
trapped() { # NAME PROGRAM STATUS WORDS
    run run --via=preload -- "$2"
    complained "run --via=preload refuses $1" 2 "$4"
    run run -- "$2"
    if [[ $traps == 0/ ]]; then
        is "traps serve $1" "$status/$err" "$3/"
        run check -- "$2"
        is "... and check says so" "$(tr -s ' \n' ' ' <"$scratch/out" |
            grep -c "$4.*its system calls are trapped")" 1
    else
        complained "run refuses $1" 2 "its system calls cannot be trapped"
    fi
}

# A file of machine code without a compiler: a copy of a program, a few bytes changed.
patched() { # FROM TO OFFSET BYTES
    cp "$1" "$2"
    # shellcheck disable=SC2059 # the bytes are escapes
    printf "$4" | dd of="$2" bs=1 seek="$3" conv=notrunc status=none
}

compiles() { # OUTPUT [OPTION...]
    local output=$1
    shift
    echo "$source" | "$cc" -x c - -o "$output" "$@" 2>/dev/null
}

run run -- true
if [[ $err == *Sanitizer* ]]; then
    echo "the library was built with a sanitizer, which must be preloaded first"
    exit 77
fi
is "a program runs" "$status/$err" "0/"

# ---- usage ------------------------------------------------------------------

run
complained "no verb" 2 "a verb is missing"
run walk
complained "unknown verb" 2 "'walk'"
run run
complained "no program" 2 "a program is missing"
run run --mode fast -- true
complained "unknown mode" 2 "'fast'"
run run --log loud -- true
complained "unknown level" 2 "'loud'"
run run --unknown -- true
complained "unknown option of run" 2 "--unknown"
run check --unknown
complained "unknown option of check" 2 "--unknown"
run ps --unknown
complained "unknown option of ps" 2 "--unknown"
run ps one
complained "no number" 2 "'one'"
run ps 1 2
complained "two processes" 2 "more than one PID"
run trace
complained "trace without a program" 2 "a program is missing"
run trace --mode fast -- true
complained "unknown mode of trace" 2 "'fast'"
run trace -o "$scratch" -- true
complained "a trace that cannot be written" 2 "cannot write to"
run compare
complained "compare without a program" 2 "a program is missing"
for time in 0 -1 1h soon "" s; do
    run compare --for "$time" -- true
    complained "'$time' is no time" 2 "'$time'"
done
run compare -- "$scratch/none"
complained "compare of a program that is not there" 2 "not found"
if [[ ! -d /sys/class/vfio-dev ]]; then
    run compare -- true
    complained "compare without a cdev path" 2 "no cdev path"
fi
for verb in "" run check ps trace compare cdi; do
    run $verb --help
    is "help of '$verb'" "$status/$err/${out%% *}" "0//Usage:"
    is "help of '$verb' fits 80 columns" "$(grep -cE '.{81}' "$scratch/out")" 0
done
run --version
is "version" "$status/${out%% *}" 0/noiommu-shim

# ---- run: the program is what it was ----------------------------------------

# shellcheck disable=SC2016 # for the program
{
    run run -- sh -c 'exit 7'
    is "the exit status is the program's" "$status" 7
    run run -- sh -c 'kill -PIPE $$'
    is "the signal is the program's" "$status" 141
    run run -- sh -c 'echo "$LD_PRELOAD"'
    is "the library is preloaded" "$out" "$library"
    LD_PRELOAD=libm.so.6 run run -- sh -c 'echo "$LD_PRELOAD"'
    is "other preloads are kept, behind it" "$out" "$library:libm.so.6"
    run run --mode cdev --unpinned fallback --log debug --log-file log -- sh -c \
        'echo $NOIOMMU_SHIM_MODE $NOIOMMU_SHIM_UNPINNED $NOIOMMU_SHIM_LOG $NOIOMMU_SHIM_LOG_FILE'
    is "options reach it" "$out" "cdev fallback debug $PWD/log"
    rm -f log
    run run -- sh -c 'echo "$NOIOMMU_SHIM_MODE$NOIOMMU_SHIM_UNPINNED$NOIOMMU_SHIM_LOG$NOIOMMU_SHIM_LOG_FILE"'
    is "without options no variable is set" "$out" ""
    run run sh -c 'echo "$0" "$@"' --mode -- x
    is "the program's options are its own" "$out" "--mode -- x"
    is "the pid stays" "$(sh -c 'echo $$; exec "$0" run -- sh -c "echo \$\$"' "$command" |
        uniq | wc -l)" 1
}
run run -- cat /proc/self/maps
is "the library is mapped" "$(grep -c "r-xp.*$library" "$scratch/out")" 1
run run -- "$scratch/none"
complained "a program that is not there" 127 "not found"
run run -- no-such-program-in-path
complained "a program that is nowhere in PATH" 127 "not found"
: >"$scratch/file"
run run -- "$scratch/file"
complained "a file that is no program" 126 "cannot be executed"
run run -- "$scratch"
complained "a directory" 126 "cannot be executed"

script() { # NAME TEXT
    printf '%s\n' "$2" >"$scratch/$1"
    chmod +x "$scratch/$1"
}

script sh '#!/bin/sh
exit 5'
run run -- "$scratch/sh"
is "a script runs" "$status" 5
script env '#!/usr/bin/env sh
exit 6'
run run -- "$scratch/env"
is "a script found by env runs" "$status" 6
script plain 'exit 8'
run run -- "$scratch/plain"
is "a script without a first line runs" "$status" 8
PATH=$scratch:$PATH run run -- plain
is "PATH is searched" "$status" 8
script gone '#!/no/such/interpreter'
run run -- "$scratch/gone"
is "a script without its interpreter does not run" "$((status != 0))" 1

# ---- files that are not what they seem --------------------------------------

mkfifo "$scratch/fifo"
for interpreter in "$scratch/fifo" /dev/zero; do
    script odd "#!$interpreter"
    run check -- "$scratch/odd"
    is "a script of $(basename "$interpreter") is not served" \
        "$status/$(tr -s ' \n' ' ' <"$scratch/out" | grep -c 'is no ELF program')" 1/1
done
script one "#!$scratch/two"
script two "#!$scratch/one"
refused "scripts that run each other" "$scratch/one" "is no ELF program"
run run -- "$scratch/$(printf '/%.0s' {1..5000})sh"
complained "a name that is too long" 126 "cannot be executed"
script red $'#!/no/\033[31mred\377'
refused "a script with escape sequences in it" "$scratch/red" '/no/\x1b[31mred\xff, which is not there'
if type -P python3 >/dev/null; then
    run check --json -- "$scratch/red"
    is "... of which check --json tells all the same" "$(python3 -c '
import json, sys
c = json.load(open(sys.argv[1]))
print(c["program"]["loaded"], [f["state"] for f in c["findings"] if f["name"] == "program"])
' "$scratch/out")" "/no/\\x1b[31mred\\xff ['missing']"

    # Headers that all name the same large part of the file, and dynamic sections without an end.
    cat >"$scratch/make-large" <<'END'
import os, struct, sys
name, segments, kind = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
machine = open("/proc/self/exe", "rb").read(20)[18:20]
with open(name, "wb") as file:
    file.write(b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<H", 3) + machine +
               struct.pack("<IQQQIHHHHHH", 1, 0, 64, 0, 0, 64, 56, segments, 64, 0, 0))
    for i in range(segments):
        file.write(struct.pack("<IIQQQQQQ", kind, 5, 0x10000, 0, 0, 1 << 27, 1 << 27, 4096))
    file.seek(0x10000)
    if kind == 2:
        file.write(struct.pack("<QQ", 1, 0x10000) * (1 << 20))
    file.truncate(0x10000 + (1 << 27))
os.chmod(name, 0o755)
END
    # Of a program that can be served, check says whether the machine is ready.
    "$command" check >"$scratch/out" && machine=0 || machine=$?
    for what in "1100 1 $machine" "1100 2 $machine" "65535 1 1"; do
        # shellcheck disable=SC2086 # two numbers
        python3 "$scratch/make-large" "$scratch/large" ${what% *}
        timeout 60 "$command" check -- "$scratch/large" >"$scratch/out" && status=0 || status=$?
        is "an ELF file of ${what% *}: it is soon looked through" "$status" "${what##* }"
    done
    python3 "$scratch/make-large" "$scratch/large" 1 1
    (while truncate -s 4K "$scratch/large" && truncate -s 129M "$scratch/large"; do :; done) &
    status=0
    for _ in {1..8}; do
        "$command" check -- "$scratch/large" >"$scratch/out" || status=$(($? > status ? $? : status))
    done
    kill $!
    wait $! 2>/dev/null || true
    is "an ELF file that is cut off meanwhile" "$status" 1
    rm "$scratch/large"
fi

# ---- run: what no preload reaches is served by traps, or refused ------------

run run --via=trap -- true
traps=$status/$err
[[ $traps == 0/ ]] || skip "programs that no preload reaches" "$err"
if [[ $traps == 0/ ]]; then
    # shellcheck disable=SC2016 # for the programs
    run run --via=trap -- sh -c 'exec <&- >&- 2>&-; exec sh -c "echo ran >\"\$0\"" "$0"' \
        "$scratch/ran"
    ok "a program without standard descriptors executes another" grep -x ran "$scratch/ran"
fi
run run --via=strace -- true
complained "an unknown way in" 2 "'strace'"

program=$(realpath "$(type -P env)")
patched "$program" "$scratch/narrow" 4 '\001'
refused "a 32-bit program" "$scratch/narrow" "32-bit"
patched "$program" "$scratch/elsewhere" 18 '\007\000'
refused "another processor's program" "$scratch/elsewhere" "another processor"

source='int main(void) { return 9; }'
if ! type -P "$cc" >/dev/null; then
    skip "static, Go and set-user-id programs" "there is no C compiler"
else
    ok "a program compiles" compiles "$scratch/dynamic"
    run run -- "$scratch/dynamic"
    is "a compiled program runs" "$status" 9

    if compiles "$scratch/static" -static; then
        trapped "a static program" "$scratch/static" 9 "statically linked"
        script by-static "#!$scratch/static"
        trapped "a script of a static interpreter" "$scratch/by-static" 9 "is run by"
    else
        skip "a static program" "there is no static libc"
    fi

    source='__asm__(".section .go.buildinfo,\"aw\"\n.quad 0\n.previous"); int main(void) {}'
    compiles "$scratch/go"
    trapped "a Go program by its section" "$scratch/go" 0 "Go program"
    source='__asm__(".section .note.go.buildid,\"a\",@note\n.long 4, 4, 4\n.ascii \"Go\\0\\0\"\n"
        ".long 0\n.previous"); int main(void) {}'
    compiles "$scratch/go"
    trapped "a Go program by its note" "$scratch/go" 0 "Go program"

    for arch in '"syscall" : : "a"(16), "D"(-1) : "rcx", "r11", "memory"' \
        '"mov w8, #29; mov x0, #-1; svc #0" : : : "x0", "x8", "memory"'; do
        source="int main(void) { __asm__ volatile($arch); return 9; }"
        ! compiles "$scratch/own-calls" || break
    done
    run run -- "$scratch/own-calls"
    is "a program with system calls of its own runs" "$status" 9
    is "... after a word about it" "$(wc -l <"$scratch/err")/${err##*has }" \
        "1/system calls of its own, which the library does not see; with --via=trap it does"
    run check -- "$scratch/own-calls"
    is "... and check knows" "$(grep -c '^note *program' "$scratch/out")" 1
    run check -- "$scratch/dynamic"
    is "... and tells it from others" "$(grep -c '^ok *program' "$scratch/out")" 1

    source='int main(void) { return 9; }'
    compiles "$scratch/musl" -Wl,--dynamic-linker=/lib/ld-musl-none.so.1
    run run --via=preload -- "$scratch/musl"
    complained "run --via=preload refuses a program of another libc" 2 "uses musl"
    run check -- "$scratch/musl"
    is "a program of another libc: check says how it is served" \
        "$(tr -s ' \n' ' ' <"$scratch/out" | grep -c "uses musl .*calls are trapped")" \
        "$([[ $traps == 0/ ]] && echo 1 || echo 0)"

    cp "$scratch/dynamic" "$scratch/suid"
    if ((EUID == 0)) && chown 1 "$scratch/suid" && chmod u+s "$scratch/suid" &&
        [[ ! $(findmnt -no OPTIONS -T "$scratch" 2>/dev/null) =~ nosuid ]] &&
        grep -q 'NoNewPrivs:.0' /proc/self/status; then
        refused "a set-user-id program" "$scratch/suid" "set-user-id"
        chown 0 "$scratch/suid" && chmod u+s "$scratch/suid"
        run run -- "$scratch/suid"
        is "set-user-id to the same user is no matter" "$status" 9
    else
        skip "a set-user-id program" "it takes root and a file system for it"
    fi
fi

# ---- run: where no call can be trapped --------------------------------------

# What runs the command may keep it from that. Nothing has started then.
hindered() { # NAME WORDS COMMAND [ARG...]
    status=0
    "${@:3}" "$command" run --via=trap -- sh -c 'echo started' >"$scratch/out" \
        2>"$scratch/err" </dev/null || status=$?
    out=$(<"$scratch/out")
    err=$(<"$scratch/err")
    complained "no traps: $1" 2 "$2"
    is "... and nothing has run" "$out" ""
}

if [[ $traps != 0/ ]]; then
    skip "where no call can be trapped" "none can be trapped here at all"
else
    if type -P strace >/dev/null; then
        hindered "strace is in front" "a debugger or strace traces this command" \
            strace -f -o "$scratch/strace"
    else
        skip "strace in front" "there is no strace(1)"
    fi
    if ((EUID == 0)) && type -P setpriv >/dev/null; then
        hindered "no CAP_SYS_ADMIN" "seccomp() needs CAP_SYS_ADMIN or no_new_privs" \
            setpriv --bounding-set -sys_admin --inh-caps -sys_admin
        is "... but with no_new_privs" "$(setpriv --bounding-set -sys_admin --inh-caps -sys_admin \
            --no-new-privs "$command" run --via=trap -- sh -c 'echo started' 2>&1)" started
    else
        skip "no CAP_SYS_ADMIN" "it takes root and setpriv(1)"
    fi
fi

# ---- the library ------------------------------------------------------------

mkdir -p "$scratch/moved/bin" "$scratch/moved/lib"
cp "$command" "$scratch/moved/bin/noiommu-shim"
if "$scratch/moved/bin/noiommu-shim" run -- true 2>/dev/null; then
    skip "a missing library" "one is installed"
else
    command=$scratch/moved/bin/noiommu-shim run run -- true
    complained "a missing library" 2 "libnoiommu-shim.so is missing"
fi
echo "no library" >"$scratch/moved/bin/libnoiommu-shim.so"
command=$scratch/moved/bin/noiommu-shim run run -- true
complained "a damaged library" 2 "$scratch/moved/bin/libnoiommu-shim.so"
patched "$library" "$scratch/moved/bin/libnoiommu-shim.so" 18 '\007\000'
command=$scratch/moved/bin/noiommu-shim run run -- true
complained "a library that does not load" 2 "cannot be preloaded"
cp "$library" "$scratch/moved/bin/libnoiommu-shim.so"
# shellcheck disable=SC2016 # for the program
command=$scratch/moved/bin/noiommu-shim run run -- sh -c 'echo "$LD_PRELOAD"'
is "a library beside the command" "$out" "$scratch/moved/bin/libnoiommu-shim.so"

# ---- check ------------------------------------------------------------------

run check
case ${out##*$'\n'} in
Ready. | "io_uring pins memory, and groups stay the kernel's own.") ready=0 ;;
*) ready=1 ;;
esac
is "check says ready or not" "$status" "$ready"
is "check writes no control characters" "$(tr -d '\n\040-\176' <"$scratch/out" | wc -c)" 0
# A path is not broken, however long it is.
is "check fits 80 columns" "$(grep -v "$library" "$scratch/out" | grep -cE '.{81}')" 0

if type -P script >/dev/null; then
    on_terminal() { # VARIABLE=VALUE: how many colours there are
        TERM=xterm SHELL=/bin/sh command script -qec "stty cols 80; env $1 '$command' check" /dev/null \
            >"$scratch/out" </dev/null || true # as check says whether the machine is ready
        grep -c $'\033\\[[0-9;]*m' "$scratch/out" || true # grep fails where it counts 0
    }
    is "check on a terminal has colours" "$(($(on_terminal NONE=1) > 5))" 1
    sed -i $'s/\033\\[[0-9;]*m//g; s/\r//' "$scratch/out"
    is "... and fits 80 columns" "$(grep -v "$library" "$scratch/out" | grep -cE '.{81}')" 0
    is "... and has none with NO_COLOR" "$(on_terminal NO_COLOR=1)" 0
    is "... nor on a dumb terminal" "$(on_terminal TERM=dumb)" 0
else
    skip "check on a terminal" "there is no script(1)"
fi

if unshare -r true 2>/dev/null; then
    unshare -r "$command" check >"$scratch/out" || true # the same
    is "check knows a user namespace, and says so of a container" \
        "$(grep -A 1 '^missing *CAP_SYS_RAWIO' "$scratch/out" | tr -s ' \n' ' ')" \
        "missing CAP_SYS_RAWIO does not count in a user namespace \
-> in a container: neither rootless nor with --userns "
    is "... in 80 columns" "$(grep -v "$library" "$scratch/out" | grep -cE '.{81}')" 0
else
    skip "check in a user namespace" "there are none"
fi

run check -- no-such-program-in-path
is "check of a program that is nowhere" "$status" 1
run check -- "$scratch/narrow"
is "check of a program that cannot be served" "$status" 1
is "check says why" "$(grep -c 32-bit "$scratch/out")" 1

if type -P python3 >/dev/null; then
    run check --json
    is "check --json has the same status" "$status" "$ready"
    is "check --json is JSON, and says the same" \
        "$(python3 -c '
import json, sys
c = json.load(open(sys.argv[1]))
states = {f["state"] for f in c["findings"]} - {"ok", "note", "unknown", "missing"}
missing = [f for f in c["findings"] if f["state"] == "missing"]
assert (c["ready"] or missing) and not states and isinstance(c["devices"], list)
assert "program" not in c and all(f["mend"] for f in missing), missing
print(int(not c["ready"]))' "$scratch/out")" "$ready"
    run check --json -- sh
    is "check --json has the program" \
        "$(python3 -c '
import json, sys
p = json.load(open(sys.argv[1]))["program"]
print(p["name"], p["preloadable"], p["path"])' "$scratch/out")" "sh True $(type -P sh)"
else
    skip "check --json" "there is no python3 to read it"
fi

# ---- ps ---------------------------------------------------------------------

run ps $$
complained "ps of a process without the library" 1 "is not under noiommu-shim"
run ps 2147483647
complained "ps of a process that is not there" 2 "no process"

if ! type -P python3 >/dev/null; then
    skip "ps" "there is no python3 to be looked at"
else
    # A driver with a child, whose library has lost its symbols and its file by then.
    cat >"$scratch/driver" <<'END'
import os, sys
fd = os.open("/proc/self/pagemap", os.O_RDONLY)
for i in range(5):
    os.pread(fd, 8, id(fd) // 4096 * 8)
child = os.fork()
print(child or os.getpid(), flush=True)
sys.stdin.read()
END
    cp "$library" "$scratch/libnoiommu-shim.so"
    ! type -P strip >/dev/null || strip "$scratch/libnoiommu-shim.so"
    mkfifo "$scratch/end"
    : >"$scratch/children"
    NOIOMMU_SHIM_MODE=group LD_PRELOAD=$scratch/libnoiommu-shim.so \
        python3 "$scratch/driver" <"$scratch/end" >"$scratch/children" 2>"$scratch/driver.err" &
    driver=$!
    exec 3>"$scratch/end"
    while (($(wc -l <"$scratch/children") < 2)) && kill -0 $driver 2>/dev/null; do
        sleep 0.01
    done
    rm "$scratch/libnoiommu-shim.so"
    read -r child <"$scratch/children" ||
        fails "ps: there is a driver to be looked at" "$(<"$scratch/driver.err")"

    run ps $driver
    if [[ $err == *"may not be looked at"* ]]; then
        skip "ps" "$err"
    else
        is "ps: status" "$status/$err" 0/
        is "ps: a line of names and one of numbers" \
            "$(sed -n '1s/ .*//p; s/^ *'$driver' *//p' "$scratch/out" | xargs)" \
            "python3 group group 0 5 0 0 0 KiB"
        is "ps: fits 80 columns" "$(grep -cE '.{81}' "$scratch/out")" 0
        is "ps: no control characters" "$(tr -d '\n\040-\176' <"$scratch/out" | wc -c)" 0
        run ps
        is "ps: finds it among all" "$(grep -c "^ *$driver python3 " "$scratch/out")" 1
        run ps --json "$child"
        is "ps --json: the child counts anew" "$(python3 -c '
import json, sys
p, = json.load(open(sys.argv[1]))["processes"]
print(p["comm"], p["mode"], p["path"], p["containers"], p["devices"], p["lookups"],
      p["failures"], p["pins"]["count"], p["pins"]["bytes"], sum(p["pins"]["pages"].values()))
' "$scratch/out")" "python3 group group 0 [] 0 0 0 0 0"
    fi
    exec 3>&-
    wait $driver && status=0 || status=$?
    is "ps: the driver ends in good order" "$status" 0
fi

# Processes whose memory never comes, in the place where the library would be.
source='#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	int file = open(argv[1], O_RDWR | O_CREAT, 0600);
	int fault = syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register area = {.range.len = 65536, .mode = UFFDIO_REGISTER_MODE_MISSING};

	ftruncate(file, 65536);
	area.range.start = (unsigned long)mmap(0, 65536, PROT_READ, MAP_SHARED, file, 0);
	if (ioctl(fault, UFFDIO_API, &api) || ioctl(fault, UFFDIO_REGISTER, &area))
		return 1;
	puts("ready");
	fflush(stdout);
	close(1);
	sleep(60);
}'
if ! compiles "$scratch/faults"; then
    skip "ps of processes whose memory does not come" "there is no C compiler"
else
    # A file in memory: there userfaultfd works.
    shm=$(mktemp -d -p /dev/shm)
    traps=()
    ready=
    while ((${#traps[@]} < 3)); do
        exec 4< <(exec "$scratch/faults" "$shm/libnoiommu-shim.so")
        traps+=($!)
        read -r ready <&4 || true
    done
    rm -r "$shm"
    if [[ $ready != ready ]]; then
        skip "ps of processes whose memory does not come" "userfaultfd is not allowed here"
    else
        # The pipe: nobody stays who would have it open.
        status=0
        out=$(timeout 30 "$command" ps 2>"$scratch/err" </dev/null) || status=$?
        is "ps: it waits for no process" "$((status < 2))" 1
        # There may be others: this test runs beside itself.
        is "... and says of which it cannot tell" "$(printf '%s\n' "${traps[@]}" |
            grep -cxf - <(sed -n 's/.*process \(.*\) could not be read in time/\1/p' "$scratch/err"))" 3
        run ps "${traps[0]}"
        complained "ps of one whose memory does not come" 2 "could not be read in time"
    fi
    kill "${traps[@]}" 2>/dev/null || true
    exec 4<&-
fi

# ---- trace ------------------------------------------------------------------

run trace -- "$scratch/none"
complained "trace of a program that is not there" 127 "not found"
run trace -o "$scratch/trace" -- sh -c 'echo out; echo err >&2; exit 7'
is "trace: status and output are the program's" "$status/$out/$err" "7/out/err"
# shellcheck disable=SC2016 # for the program
run trace -o "$scratch/trace" -- sh -c 'kill -PIPE $$'
is "trace: a signal that ends the program" "$status" 141

run trace -o "$scratch/trace" -- sh -c 'head -c 8 /proc/self/pagemap >/dev/null'
is "trace: a lookup of no memory" \
    "$(sed -nE 's/^ *[0-9.]+ [0-9]+ *(open\(.*pagemap".*|(lookup|close).*) <.*/\1/p' "$scratch/trace")" \
    'open("/proc/self/pagemap", O_RDONLY) = 3
lookup(0x0, 1 page) = absent
close(3) = 0'
is "trace: the program's start" \
    "$(grep -c "start(\"$(realpath "$(type -P head)")\") = 0" "$scratch/trace")" 1
run trace -o "$scratch/trace" -- sh -c \
    'head -c 8 /proc/self/pagemap >&2 & head -c 8 /proc/self/pagemap >&2; wait'
is "trace: two children" "$(grep -c 'lookup(0x0, 1 page) = absent' "$scratch/trace")/$(awk \
    '/lookup/ { print $2 }' "$scratch/trace" | sort -u | wc -l)" 2/2
run trace -o "$scratch/trace" -- head -c 8 /dev/vfio/noiommu-4711
is "trace: a group that is not there" \
    "$(sed -n 's/^ .* \(open(.*4711.*ENOENT\).*/\1/p' "$scratch/trace")" \
    'open("/dev/vfio/noiommu-4711", O_RDONLY) = ENOENT'
run trace -- sh -c 'head -c 8 /proc/self/pagemap >/dev/null'
is "trace goes to standard error" "$(grep -c 'lookup(0x0' "$scratch/err")" 1
is "trace: no control characters" "$(tr -d '\n\040-\176' <"$scratch/err" | wc -c)" 0

mkfifo "$scratch/ready"
# shellcheck disable=SC2016 # for the program
"$command" trace -o "$scratch/trace" -- sh -c 'echo >"$0"; exec sleep 60' "$scratch/ready" &
read -r <"$scratch/ready"
kill -TERM $!
wait $! && status=0 || status=$?
is "trace: a signal is passed on to the program" "$status" 143

if ! type -P python3 >/dev/null; then
    skip "trace --json" "there is no python3"
else
    # A reader that stands still, and three threads meanwhile.
    cat >"$scratch/flood" <<'END'
import os, signal, threading
def flood():
    for i in range(8000):
        os.pread(fd, 8, 0)
fd = os.open("/proc/self/pagemap", os.O_RDONLY)
os.kill(os.getppid(), signal.SIGSTOP)
threads = [threading.Thread(target=flood) for i in range(3)]
[t.start() for t in threads]
[t.join() for t in threads]
os.kill(os.getppid(), signal.SIGCONT)
END
    run trace --json -o "$scratch/trace" -- python3 "$scratch/flood"
    is "trace --json: nobody waits for the reader, and what is lost is counted" \
        "$status/$(python3 -c '
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
lookups = [e for e in events if e["call"] == "lookup" and e["va"] == "0x0"]
threads = {e["tid"] for e in lookups if e["tid"] != e["pid"]}
end = events[-1]
print(len(lookups) + end["lost"] - 24000 in range(20), end["lost"] > 0, len(threads) > 0,
      end["call"], end["status"], lookups[0]["runs"])' "$scratch/trace")" \
        "0/True True True end 0 [{'pages': 1, 'entry': '0x0'}]"

    # A program that writes whatever it likes to where events are told.
    cat >"$scratch/garbage" <<'END'
import mmap, os, random, struct, sys
with open(os.environ["NOIOMMU_SHIM_TRACE"], "r+b") as file:
    ring = mmap.mmap(file.fileno(), 0)
random.seed(int(sys.argv[1]))
for kind in list(range(20)) * 200:
    head, = struct.unpack_from("Q", ring, 64)
    event = bytearray(random.randbytes(248))
    event[70] = kind
    event[68:70] = struct.pack("H", random.choice([0, 1, 4, 8, 24, 167, 168, 169, 65535]))
    if kind == 3:
        event[24:32] = struct.pack("Q", random.choice([0x3b64, 0x3b80]) + random.randrange(24))
    ring[192 + head % 16384 * 256 + 8:192 + head % 16384 * 256 + 256] = bytes(event)
    struct.pack_into("Q", ring, 192 + head % 16384 * 256, head + 1)
    struct.pack_into("Q", ring, 64, head + 1)
END
    # Unknown are five kinds of events, and what two more say that pins.
    run trace -o "$scratch/trace" -- python3 "$scratch/garbage" 1
    is "trace: garbage does not harm it" \
        "$status/$(tr -d '\n\040-\176' <"$scratch/trace" | wc -c)/$(grep -c unknown "$scratch/trace")" \
        "0/0/1400"
    run trace --json -o "$scratch/trace" -- python3 "$scratch/garbage" 2
    is "trace --json: garbage does not harm it" \
        "$status/$(python3 -c '
import json, sys
print(len({json.loads(line)["call"] for line in open(sys.argv[1])}))' "$scratch/trace")" 0/16

    # Lookups without an end, of pages in no order; and releases that go around all addresses.
    cat >"$scratch/lookups" <<'END'
import mmap, os, random, struct, sys
with open(os.environ["NOIOMMU_SHIM_TRACE"], "r+b") as file:
    ring = memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")
random.seed(3)
def put(kind, *args, runs=()):
    head = ring[8]
    data = b"".join(struct.pack("QQ", 1 << 63 | random.randrange(1, 1 << 40), n) for n in runs)
    event = struct.pack("QQq4QiiiHBBB7x168s", 0, 0, 0, *args, 7, 7, 3, len(data), kind, 0, 0, data)
    at = 24 + head % 16384 * 32 + 1
    ring[at:at + 31] = memoryview(event).cast("Q")
    ring[8] = head + 1
    ring[at - 1] = head + 1
for i in range(200):
    put(7, 100000 << 12, 16384, 0, 0, runs=[16384])
    put(8, 116000 << 12, (1 << 64) - (16000 << 12), 0, 0)
for i in range(400):
    put(7, random.randrange(1 << 52) << 12, 16384, 0, 0, runs=[16384] * 10)
END
    (
        ulimit -v 1000000
        timeout 100 "$command" trace -o "$scratch/trace" -- \
            python3 "$scratch/lookups" 2>"$scratch/err"
    ) && status=0 || status=$?
    is "trace: lookups without an end" "$status/$(grep -c 'lookup(' "$scratch/trace")" 0/600

    # One that does worse: the ring is cut off, full of holes, or what its numbers cannot be.
    cat >"$scratch/hostile" <<'END'
import ctypes, mmap, os, struct, sys
file = open(os.environ["NOIOMMU_SHIM_TRACE"], "r+b")
ring = mmap.mmap(file.fileno(), 0)
what = sys.argv[1]
if what == "cut":
    for size in 0, 4096, 8 << 20:
        try:
            os.ftruncate(file.fileno(), size)
        except PermissionError:
            continue
        os._exit(1)
elif what == "holes":
    ctypes.CDLL(None).fallocate(file.fileno(), 3, ctypes.c_long(0), ctypes.c_long(len(ring)))
elif what == "head":
    struct.pack_into("Q", ring, 64, 1 << 63)
elif what == "turns":
    for slot in range(192, len(ring), 256):
        struct.pack_into("Q", ring, slot, 1 << 62)
elif what == "all":
    ring[:] = b"\x1b" * len(ring)
pagemap = os.open("/proc/self/pagemap", os.O_RDONLY)
os.pread(pagemap, 8, 0)
os._exit(7)
END
    run trace --mode group -o "$scratch/trace" -- python3 "$scratch/hostile" cut
    is "trace: a program that shortens the ring cannot" \
        "$status/$err/$(grep -c 'lookup(0x0, 1 page) = absent' "$scratch/trace")" 7//1
    for damage in holes head turns all; do
        run trace --mode group --json -o "$scratch/trace" -- python3 "$scratch/hostile" "$damage"
        complained "trace: a program that overwrites the ring ($damage)" 7 "has overwritten"
        is "... which the trace says, too" "$(python3 -c '
import json, sys
print([json.loads(line) for line in open(sys.argv[1])][-1]["damaged"])' "$scratch/trace")" True
    done

    # What a program names its files is told, and no terminal obeys it.
    run trace -o "$scratch/trace" -- head -c 8 $'/dev/vfio/\033[2J\233\377'
    is "trace: a name is told without what a terminal obeys" \
        "$(tr -d '\n\040-\176' <"$scratch/trace" | wc -c)/$(grep -cF 'open("/dev/vfio/\x1b[2J\x9b\xff"' "$scratch/trace")" 0/1
    run trace --json -o "$scratch/trace" -- head -c 8 $'/dev/vfio/\302\2332J\303\251'
    is "trace --json: the same, in ASCII" \
        "$(tr -d '\n\040-\176' <"$scratch/trace" | wc -c)/$(grep -ciF '"/dev/vfio/\u009b2J\u00e9"' "$scratch/trace")" 0/1
    run trace --json -o "$scratch/trace" -- head -c 8 $'/dev/vfio/\377'
    is "... and what is no UTF-8 as its bytes" "$(grep -cF '"/dev/vfio/\\xff"' "$scratch/trace")" 1

    for verb in run "trace -o $scratch/trace"; do
        # shellcheck disable=SC2016,SC2086 # awk's; options
        python3 -c '
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.alarm(60)
os.execv(sys.argv[1], sys.argv[1:])' "$command" $verb --mode group -- \
            awk '/SigIgn/ { print $2; exit 5 }' /proc/self/status >"$scratch/out" &&
            status=0 || status=$?
        is "${verb%% *}: a parent that ignores SIGCHLD, as the program then does" \
            "$status/$((0x$(cat "$scratch/out") >> 16 & 1))" 5/1
    done
fi

export NOIOMMU_SHIM_TRACE=$scratch/none
run run -- true
unset NOIOMMU_SHIM_TRACE
complained "a ring that is not there" 0 "this process is not traced"
truncate -s 4194496 "$scratch/file" # as long as a ring
export NOIOMMU_SHIM_TRACE=$scratch/file
run run -- true
unset NOIOMMU_SHIM_TRACE
complained "a ring that could be cut off under the program" 0 "this process is not traced"
