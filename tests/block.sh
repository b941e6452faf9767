# shellcheck shell=bash
#
# Reads commands out of a page in Markdown, so that one that is missing or wrong there is
# found; to be sourced.

# Prints the N-th block of lines in a section. Fails if there is none.
block() { # FILE SECTION N
    awk -v section="## $2" -v wanted="$3" '
        /^## / { inside = $0 == section }
        /^    / { if (inside && !within++) n++; if (inside && n == wanted) print substr($0, 5); next }
        { within = 0 }' "$1" | grep .
}
