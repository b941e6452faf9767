# shellcheck shell=bash
#
# For the part of a scenario that runs in a guest; to be sourced there.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)

# Copies, because some programs here are not root and may not see a source tree.
mkdir /tmp/shim
cp "$top/build/.libs/libnoiommu-shim.so" "$top/tests/vm/guest/steps" \
    "$top"/build/tests/drivers/{patterns,processes,standard-error,edu-dma,names,nvme-io} \
    "$top/build/tests/drivers/watched" /tmp/shim
PATH=/tmp/shim:$PATH

# Before a command: with the library, by traps, and without the library in a program that
# has it.
# shellcheck disable=SC2034 # for the scenario
shim=(env LD_PRELOAD=/tmp/shim/libnoiommu-shim.so)
# shellcheck disable=SC2034
traps=("$top/build/noiommu-shim" run --via=trap --)
# shellcheck disable=SC2034
plain=(env -u LD_PRELOAD)

# For every user.
export NOIOMMU_SHIM_LOG_FILE=/tmp/shim/log
touch "$NOIOMMU_SHIM_LOG_FILE"
chmod 0666 "$NOIOMMU_SHIM_LOG_FILE"

# Is this the last line that a command prints, and does no signal end it? The log
# is begun anew.
comes_to() { # NAME LINE COMMAND [ARG...]
    local output status=0

    : >"$NOIOMMU_SHIM_LOG_FILE"
    output=$("${@:3}" 2>&1) || status=$?
    if [[ ${output##*$'\n'} == "$2" ]] && ((status < 124)); then
        passes "$1: $2"
    else
        fails "$1: $2" "$output"$'\n'"exit status $status"$'\n'"$(cat "$NOIOMMU_SHIM_LOG_FILE")"
    fi
}

# Is the log of the last command one line with this in it? "": is it empty? That a
# device lent its page table goes without saying.
says() { # PART
    local lines

    mapfile -t lines < <(grep -v 'lent its page table' "$NOIOMMU_SHIM_LOG_FILE")
    if [[ ${lines[*]} == *"$1"* && ${#lines[@]} == $((${#1} > 0)) ]]; then
        passes "... and the log ${1:+says: }${1:-is empty}"
    else
        fails "... and the log ${1:+says: }${1:-is empty}" \
            "$(printf '%s\n' "the log is:" "${lines[@]}")"
    fi
}

# The lines of a table in noiommu-shim(7): an option, and the first word of the result.
table() { # SUBSECTION
    sed -n "/^\.Ss $1\$/,/^\.El/s/^\.It Li \(.*\) Ta \([a-z]*\).*/\1 \2/p" \
        "$top/man/noiommu-shim.7" | sort
}

# The descriptors of VFIO and iommufd that are open. A process may end meanwhile.
open_devices() {
    find /proc/[0-9]*/fd -lname '/dev/vfio/*' -o -lname /dev/iommu 2>&1 |
        sed -E '/: No such (file or directory|process)$/d'
}

# Has a driver that has ended left anything?
nothing_is_left() {
    local pinned

    is "... nobody has a device open" "$(open_devices)" ""
    echo 1 >/proc/sys/vm/stat_refresh # each processor counts for itself
    pinned=$(awk '/^nr_foll_pin_acquired / { n += $2 } /^nr_foll_pin_released / { n -= $2 }
        END { print n }' /proc/vmstat)
    is "... nothing is pinned" "$pinned" 0
    is "... all huge pages are free" "$(awk '/^HugePages_Free/ { print $2 }' /proc/meminfo)" \
        "$(awk '/^HugePages_Total/ { print $2 }' /proc/meminfo)"
}

# ... or a process, be it one that nobody has waited for? Kernel threads are kthreadd's.
no_process_is_left() {
    is "... no process is left" "$(ps -eo ppid=,stat=,comm= |
        awk '$1 != 2 && $3 !~ /^(init|kthreadd|bash|ps|awk)$/')" ""
}
