#!/usr/bin/env bash
#
# What the command shows of drivers: trace and compare, on kernels with one of
# the paths and with both.

# shellcheck source=SCRIPTDIR/../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# What the driver asked and was answered, and what getting the device became underneath.
# shellcheck disable=SC2317 # runs in a guest
traces() { # WHY-NOT-TO-COMPARE MODE...
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    unset NOIOMMU_SHIM_LOG_FILE
    local why=$1 mode underneath

    shift
    cat >/tmp/asked <<'END'
import json, sys
events = [json.loads(line) for line in open("/tmp/trace")]
events = [event for event in events if "underneath" in event]
frames = 0
for event in events:
    if event["call"] == "lookup":
        frames += sum(run["pages"] for run in event["runs"] if "physical" in run)
    what = event.get("request", event.get("path", ""))
    if event["call"] not in ("start", "close", "release", "lookup") and \
            what not in ("/dev/vfio/0", "/proc/self/pagemap"):
        print(what, event.get("error", "ok"), sep="=", end=" ")
print(frames)
device = [e for e in events if e.get("request") == "VFIO_GROUP_GET_DEVICE_FD"][0]
print(*[e.get("request", e.get("device", "")) for e in device["underneath"]
        if e["call"] in ("ioctl", "attach") and "error" not in e])
print(*{e["backend"] for event in events for e in event["underneath"] if e["call"] == "pin"})
END
    for mode in "$@"; do
        "$top/build/noiommu-shim" trace --json --mode "$mode" -o /tmp/trace -- \
            steps "$VM_DEVICES" container group status join noiommu device lookup >/tmp/out
        is "trace, $mode: what the driver asked, and of how many pages" \
            "$(python3 /tmp/asked | head -n 1)" \
            "/dev/vfio/vfio=ok /dev/vfio/noiommu-0=ok VFIO_GROUP_GET_STATUS=ok VFIO_GROUP_SET_CONTAINER=ok VFIO_SET_IOMMU=ok VFIO_GROUP_GET_DEVICE_FD=ok 64"
        underneath=
        [[ $mode == group || $why == *"no cdev"* ]] ||
            underneath="VFIO_DEVICE_BIND_IOMMUFD IOMMU_HWPT_ALLOC VFIO_DEVICE_ATTACH_IOMMUFD_PT $VM_DEVICES"
        is "... and what getting the device became" \
            "$(python3 /tmp/asked | sed -n 2p)" "$underneath"
        case $mode/$why in
        group/*) underneath= ;;
        */*"no cdev"*) underneath=io_uring ;;
        *) underneath=iommufd ;;
        esac
        is "... and what pinned" "$(python3 /tmp/asked | tail -n 1)" "$underneath"
        is "... and nothing is lost" "$(tail -n 1 /tmp/trace | grep -o '"lost":[0-9]*')" '"lost":0'
    done
    [[ $why ]] || return 0
    "$top/build/noiommu-shim" compare -- true >/tmp/out 2>/tmp/err && status=0 || status=$?
    is "compare without both paths" "$status/$(wc -c </tmp/out)/$(wc -l </tmp/err)" 2/0/1
    contains "... and why not" "$(cat /tmp/err)" "$why"
}

# A device that comes as a message, and one that stays open across exec().
# shellcheck disable=SC2317 # runs in a guest
travels() {
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    unset NOIOMMU_SHIM_LOG_FILE
    local mode

    cat >/tmp/travel <<'END'
import array, fcntl, os, socket, struct, sys
def ask(device):
    fcntl.ioctl(device, 0x3b6b, bytearray(struct.pack("5I", 20, 0, 0, 0, 0)))
if sys.argv[1] == "exec":
    sys.exit(ask(int(sys.argv[2])))
container = os.open("/dev/vfio/vfio", os.O_RDWR)
group = os.open("/dev/vfio/noiommu-0", os.O_RDWR)
fcntl.ioctl(group, 0x3b68, struct.pack("i", container))
fcntl.ioctl(container, 0x3b66, 8)
device = fcntl.ioctl(group, 0x3b6a, bytearray(sys.argv[1].encode() + b"\0"))
here, there = socket.socketpair(socket.AF_UNIX)
if os.fork() == 0:
    for fd in (container, group, device):
        os.close(fd)
    ask(socket.recv_fds(there, 1, 1)[1][0])
    os._exit(0)
socket.send_fds(here, [b"x"], [device])
os.wait()
os.set_inheritable(device, True)
os.execvp("python3", ["python3", sys.argv[0], "exec", str(device)])
END
    for mode in cdev group; do
        "$top/build/noiommu-shim" trace --mode "$mode" -o /tmp/trace -- \
            python3 /tmp/travel "$VM_DEVICES" && status=0 || status=$?
        is "trace, $mode: a device that came as a message, and one across exec()" \
            "$status/$(grep -cE '^ *[0-9.]+ [0-9]+ +ioctl.*DEVICE_GET_INFO.* = 0 ' /tmp/trace)" 0/2
    done
}

# The driver's memory is moved by somebody else meanwhile, and with "planted" a
# device answers otherwise on the cdev path.
# shellcheck disable=SC2016,SC2317 # runs in a guest
compares() {
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    unset NOIOMMU_SHIM_LOG_FILE
    local compare=("$top/build/noiommu-shim" compare) device=${VM_DEVICES%% *}

    report() { # EXPRESSION: of the JSON in /tmp/out
        python3 -c 'import json; r = json.load(open("/tmp/out")); print('"$1"')'
    }

    # Its memory is moved there and back, and once more, when it has got its addresses.
    "${compare[@]}" --json --report /tmp/page.html -- \
        steps "$device" container group join noiommu device lookup \
        while sh -c 'exec env -u LD_PRELOAD "$0" $PPID --rounds 4' \
        "$top/build/tests/drivers/storm" >/tmp/out 2>/tmp/err && status=0 || status=$?
    is "compare under a storm: status" "$status" 0
    is "... every address was seen, some moved on the group path, none on the other" \
        "$(report '[r[p][k] for p in ("group", "cdev") for k in ("given", "seen")],
                   r["group"]["moved"] > 0, r["cdev"]["moved"]')" "[64, 64, 64, 64] True 0"
    is "... and they were pinned on the cdev path" \
        "$(report 'r["group"]["pinned_bytes"], r["cdev"]["pinned_bytes"] >= 64 * 4096,
                   r["group"]["backend"], r["cdev"]["backend"]')" "0 True None iommufd"
    is "... the same results, nothing lost" \
        "$(report 'r["differences"], r["same"], r["group"]["lost"], r["cdev"]["lost"]')" \
        "[] True 0 0"

    is "... of which there is a page, with lines that break" \
        "$(python3 "$top/tests/cli/report.py" /tmp/page.html | grep -c '^wrong')/$(python3 \
            "$top/tests/cli/report.py" /tmp/page.html '
            verdict.get("class"), count("path", "break") > 0, "64 of them seen" in words(verdict)')" \
        "0/('verdict good', True, True)"

    cat >/tmp/planted.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int ioctl(int fd, unsigned long request, ...)
{
	int (*next)(int, unsigned long, void *) = dlsym(RTLD_NEXT, "ioctl");
	const char *mode = getenv("NOIOMMU_SHIM_MODE");
	struct vfio_irq_info *info;
	va_list args;
	int ret;

	va_start(args, request);
	info = va_arg(args, void *);
	va_end(args);
	ret = next(fd, request, info);
	if (!ret && request == VFIO_DEVICE_GET_IRQ_INFO && mode && !strcmp(mode, "cdev"))
		info->count++;
	return ret;
}
END
    cc -shared -fPIC -o /tmp/planted.so /tmp/planted.c
    LD_PRELOAD=/tmp/planted.so "${compare[@]}" -- patterns dpdk "$device" \
        >/tmp/out 2>/tmp/err && status=0 || status=$?
    is "compare with a planted difference: status" "$status" 1
    is "... which it tells" "$(grep -A 2 VFIO_DEVICE_GET_IRQ_INFO /tmp/out)" \
        "$device: VFIO_DEVICE_GET_IRQ_INFO, {index=MSIX}
  group path: 0 {flags=EVENTFD, count=5}
  cdev path:  0 {flags=EVENTFD, count=6}"
    is "... what was pinned before the device was open is iommufd's at the end" \
        "$(awk '$1 == "by" { print $2, $3 }' /tmp/out)" "- iommufd"
    is "... and no other" "$(tail -n 1 /tmp/out | sed 's/ of [0-9]*.*//')" "Different results (1"
    is "... in 80 columns, without control characters" \
        "$(grep -cE '.{81}' /tmp/out)/$(tr -d '\n\040-\176' </tmp/out | wc -c)" 0/0

    "${compare[@]}" --ways preload,trap -- patterns dpdk "$device" >/tmp/out 2>/tmp/err &&
        status=0 || status=$?
    is "compare of a preload with traps" "$status/$(tail -n 1 /tmp/out | cut -d '(' -f 1)" \
        "0/Same results "

    # It ends when it finds nothing in its standard input.
    "${compare[@]}" --json -- dpdk-testpmd -l 0,1 -- --forward-mode=io --tx-first \
        --total-num-mbufs=8192 --no-lsc-interrupt >/tmp/out 2>/tmp/err && status=0 || status=$?
    is "compare of dpdk-testpmd: status" "$status" 0
    is "... the same results, no address moved" \
        "$(report 'r["differences"], r["group"]["lookups"] > 8, r["group"]["given"] > 8,
                   r["group"]["given"] == r["cdev"]["given"], r["cdev"]["moved"]')" \
        "[] True True True 0"

    "${compare[@]}" --json --for 4s -- sh -c \
        'trap "exit 3" INT; head -c 8 /proc/self/pagemap >&2; while :; do sleep 0.1; done' \
        >/tmp/out 2>/tmp/err && status=0 || status=$?
    is "compare --for ends a program by SIGINT" \
        "$status/$(report 'r["group"]["status"], r["cdev"]["status"], r["cdev"]["killed"]')" \
        "0/3 3 False"
}

# A process of any user may have the library's name mapped, and memory that never
# comes behind it; and a traced program may write whatever it likes.
# shellcheck disable=SC2317 # runs in a guest
hostile() {
    # shellcheck source=SCRIPTDIR/../guest/shim.sh
    . "$vm_dir/guest/shim.sh"
    unset NOIOMMU_SHIM_LOG_FILE
    local command=$top/build/noiommu-shim driver

    cat >/tmp/faults.c <<'END'
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	int file = open("/dev/shm/libnoiommu-shim.so", O_RDWR | O_CREAT, 0600);
	int fault = syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register area = {.range.len = 65536, .mode = UFFDIO_REGISTER_MODE_MISSING};

	ftruncate(file, 65536);
	area.range.start = (unsigned long)mmap(0, 65536, PROT_READ, MAP_SHARED, file, 0);
	if (ioctl(fault, UFFDIO_API, &api) || ioctl(fault, UFFDIO_REGISTER, &area))
		return 1;
	puts("ready");
	fflush(stdout);
	return sleep(1000);
}
END
    cc -o /tmp/faults /tmp/faults.c
    echo 1 >/proc/sys/vm/unprivileged_userfaultfd
    exec 4< <(cd / && exec setpriv --reuid 1000 --regid 1000 --clear-groups /tmp/faults)
    is "a user's process has memory that never comes" "$(head -n 1 <&4)" ready
    "${shim[@]}" steps "$VM_DEVICES" container group join noiommu device lookup \
        while sleep 1000 >/tmp/steps &
    driver=$!
    until grep -q '^lookup' /tmp/steps; do sleep 0.1; done

    timeout 60 "$command" ps >/tmp/out 2>/tmp/err && status=0 || status=$?
    is "ps: it waits for nobody, and shows the others" \
        "$status/$(grep -c ' steps ' /tmp/out)/$(grep -c 'could not be read in time' /tmp/err)" 0/1/1
    timeout 60 "$command" check >/tmp/out && status=0 || status=$?
    is "check: it waits for nobody, and sees who holds the device" \
        "$status/$(grep -c "^ *[0-9]* (steps)" /tmp/out)" 1/1
    kill $driver
    exec 4<&-

    cat >/tmp/overwrite <<'END'
import mmap, os, sys
pagemap = os.open("/proc/self/pagemap", os.O_RDONLY)
os.pread(pagemap, 8, 0)
with open(os.environ["NOIOMMU_SHIM_TRACE"], "r+b") as file:
    ring = mmap.mmap(file.fileno(), 0)
ring[:] = os.urandom(65536) * (len(ring) // 65536) + bytes(len(ring) % 65536)
os._exit(0)
END
    timeout 100 "$command" compare -- python3 /tmp/overwrite >/tmp/out 2>/tmp/err && status=0 || status=$?
    is "compare of a program that overwrites its events" \
        "$status/$(wc -c </tmp/out)/$(grep -c 'cannot compare' /tmp/err)" 2/0/1
}

vm_checks --kernel both --device e1000e -- hostile
vm_checks --kernel cdev --device e1000e -- traces "no VFIO groups" auto cdev
vm_checks --kernel group --device e1000e -- traces "no cdev path" auto group
vm_checks --kernel both --device e1000e -- traces "" cdev group
vm_checks --kernel both --device e1000e -- travels
vm_checks --kernel both --device e1000e --device e1000e --numa 2 --mem 2G --hugepages 256 \
    -- compares
