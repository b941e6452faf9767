#!/usr/bin/env bash
#
# The specification for container engines, of devices that are only in a /sys of
# the test's own. The command is the one of the build directory that this runs in.

# shellcheck source=SCRIPTDIR/../checks.sh
. "$(dirname "${BASH_SOURCE[0]}")/../checks.sh"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command=$(realpath "${NOIOMMU_SHIM_COMMAND:-./noiommu-shim}")
library=$(realpath "$(dirname "$command")/.libs/libnoiommu-shim.so")
unset LD_PRELOAD "${!NOIOMMU_SHIM_@}"

# A cdev of a device, as sysfs shows it.
appears() { # NAME ADDRESS
    mkdir -p "$scratch/class/vfio-dev" "$scratch/pci/$2/vfio-dev/$1"
    ln -s "$scratch/pci/$2" "$scratch/pci/$2/vfio-dev/$1/device"
    ln -s "$scratch/pci/$2/vfio-dev/$1" "$scratch/class/vfio-dev/$1"
}

vanishes() { # NAME
    rm "$scratch/class/vfio-dev/$1"
}

cdi() { # ARG...
    status=0
    # shellcheck disable=SC2016 # for the shell in there
    unshare -rm sh -c 'mount --bind "$0" /sys/class && exec "$@"' "$scratch/class" \
        "$command" cdi "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || status=$?
}

told() { # [FILE]
    python3 "$here/cdi.py" "${1:-$scratch/out}" 2>&1
}

mkdir "$scratch/class" "$scratch/etc"
if ! unshare -rm mount --bind "$scratch/class" /sys/class 2>/dev/null; then
    echo "no user namespaces, in which /sys can be another"
    exit 77
fi
file=$scratch/etc/noiommu-shim.json

cdi
is "no device: status, and a line" "$status/$(wc -c <"$scratch/out")/$(<"$scratch/err")" \
    "1/0/noiommu-shim cdi: no device has a no-IOMMU cdev"
cdi -o "$file"
is "... and no file" "$status/$(ls "$scratch/etc")" 1/

appears noiommu-vfio0 0000:00:10.0
appears vfio1 0000:00:11.0
appears noiommu-vfio10 0000:00:12.3
inside=/usr/lib/noiommu-shim/glibc/libnoiommu-shim.so
wanted="kind noiommu-shim/glibc
device 0000:00:10.0 /dev/vfio/devices/noiommu-vfio0:rw
device 0000:00:12.3 /dev/vfio/devices/noiommu-vfio10:rw
device all /dev/vfio/devices/noiommu-vfio0:rw /dev/vfio/devices/noiommu-vfio10:rw
all /dev/iommu:rw LD_PRELOAD=$inside NOIOMMU_SHIM_MODE=cdev
mount $library $inside ro,nosuid,nodev,bind"
cdi
is "two devices, and one of a real IOMMU" "$status/$(told)" "0/$wanted"
cdi --output="$file"
is "... in a file" "$status/$(told "$file")" "0/$wanted"
is "... that all may read, alone" "$(stat -c %a "$file")/$(ls "$scratch/etc")" \
    644/noiommu-shim.json
exec 3<"$file"
vanishes noiommu-vfio0
cdi -o "$file"
is "one device has gone" "$status/$(told "$file" | grep -c '^device')" 0/2
is "... and who reads the old file reads it to its end" "$(told /dev/fd/3)" "$wanted"
cdi -p /a.so:/b.so
contains "preloads of the image, behind the library" "$(told)" "LD_PRELOAD=$inside:/a.so:/b.so "

# Two that wait for their turn see what has come meanwhile.
exec 4<"$scratch/etc"
flock 4
cdi -o "$file" &
pids=$!
sleep 0.5
appears noiommu-vfio11 0000:00:13.0
flock -u 4
wait "$pids"
contains "a command that had to wait looks afterwards" "$(told "$file")" "device 0000:00:13.0"

# musl's own library stands for one that was built with it.
source='int nothing;'
if echo "$source" | musl-gcc -x c - -shared -fPIC -o "$scratch/musl.so" 2>/dev/null; then
    cdi -l "$scratch/musl.so"
    contains "a library of musl: kind" "$(told)" "kind noiommu-shim/musl"
    contains "... and place" "$(told)" \
        "mount $scratch/musl.so /usr/lib/noiommu-shim/musl/libnoiommu-shim.so"
    echo 'int main(void) { return 0; }' | musl-gcc -x c - -o "$scratch/program"
    mkdir "$scratch/glibc"
    cp "$library" "$scratch/glibc"
    said=$(LD_PRELOAD=$scratch/glibc/libnoiommu-shim.so "$scratch/program" 2>&1) || true
    contains "a program of musl names the library of glibc" "$said" \
        "/glibc/libnoiommu-shim.so"
    is "... in lines about it alone" "$(grep -vc /glibc/ <<<"$said")" 0
else
    skip "a library of musl" "there is no musl-gcc"
fi

cdi -l "$scratch/none.so"
is "a library that is not there" "$status/$(<"$scratch/err")" \
    "2/noiommu-shim cdi: cannot find the library: No such file or directory"
cdi -l "$scratch/out"
is "... and no library" "$status/$(wc -l <"$scratch/err")" 2/1
cdi -o "$scratch/etc"
is "a directory" "$status/$(<"$scratch/err")" \
    "2/noiommu-shim cdi: $scratch/etc is not a regular file"
cdi -o "$scratch/none/file"
is "no directory" "$status/$(wc -l <"$scratch/err")" 2/1
cdi one
is "an argument" "$status/$(wc -l <"$scratch/err")" 2/1
mkfifo "$scratch/fifo" # not one of /dev, which a command that goes wrong would replace
cdi -o "$scratch/fifo"
is "what is no file stays" "$status/$(stat -c %F "$scratch/fifo")" 2/fifo
ln -sf /dev/full "$scratch/out"
cdi
rm "$scratch/out"
is "nothing could be written" "$status/$(<"$scratch/err")" \
    "2/noiommu-shim cdi: cannot write: No space left on device"

vanishes noiommu-vfio10
vanishes noiommu-vfio11
cdi -o "$file"
is "no device any more: no file" "$status/$(ls "$scratch/etc")" 1/
