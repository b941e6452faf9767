#!/usr/bin/env bash
#
# What bash completes is what the command knows, and the manual tells about it.
# The command is the one of the build directory that this runs in.

# shellcheck source=SCRIPTDIR/../checks.sh
. "$(dirname "${BASH_SOURCE[0]}")/../checks.sh"

srcdir=${srcdir:-.}
command=$(realpath "${NOIOMMU_SHIM_COMMAND:-./noiommu-shim}")
manual=$srcdir/man/noiommu-shim.1
unset LD_PRELOAD "${!NOIOMMU_SHIM_@}"

# shellcheck source=SCRIPTDIR/../../completions/noiommu-shim
. "$srcdir/completions/noiommu-shim"

sorted() {
    sort -u | xargs
}

# What is offered for the last word of a command line.
completed() { # WORD...
    COMP_WORDS=("$command" "$@")
    COMP_CWORD=$#
    _noiommu_shim
    printf '%s\n' "${COMPREPLY[@]}" | sorted
}

# The long options of a verb by its own word, without those that every argp program has.
options() { # [VERB]
    "$command" "$@" --help | grep -oE '^ +(-., )?--[a-z-]+' | grep -oE -e '--[a-z-]+' |
        grep -vE -e "--(usage${1:+|version})$"
}

verbs=$("$command" --help | sed -n 's/^  \([a-z]\{2,\}\) .*/\1/p')
is "verbs" "$(completed '')" "$({ echo "$verbs"; options; } | sorted)"

for verb in $verbs; do
    is "options of $verb" "$(completed "$verb" -- | sed 's/^-- //')" "$(options "$verb" | sorted)"
    for option in $(options "$verb"); do
        [[ $option == --help ]] ||
            is "... and the manual of $verb has $option" "$(sed -n "/^\.Ss $verb\$/,/^\.S[sh] /p" \
                "$manual" | grep -c "^\.It.* *Fl Fl ${option#--}\( \|\$\)")" 1
    done
done

for option in mode unpinned log; do
    for value in $(completed run "--$option" ''); do
        "$command" run "--$option=$value" -- true >/dev/null 2>&1 ||
            is "--$option=$value" "refused" "accepted"
    done
    is "a value of --$option is one" "$("$command" run "--$option=" -- true 2>&1 | grep -c "''")" 1
done
is "a value behind =" "$(completed run --mode = c)" cdev
is "a program" "$(completed run -- noiommu-shim-none)" ""
is "a program, after options" "$(completed run --mode = cdev realpat)" realpath
is "an option of a program is its own" "$(completed run -- ls --mo)" ""
is "a file for a program" "$(completed run -- cat "$srcdir/man/noiommu-shim.1")" "$manual"
