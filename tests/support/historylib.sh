# shellcheck shell=bash
# historylib.sh - sourced by the tests of programs that check histories, after testlib.sh
# and a function check ARGUMENT..., which runs the program on $folder.
: "${tmp:?testlib.sh comes first}"

# history NAME: from stdin, into $folder; a line "@FILE" begins a file.  That of the
# driver always has $history_begins, if that is set, before it.
history() {
    local line file=
    folder=$tmp/$1
    mkdir "$folder"
    [ -z "${history_begins:-}" ] || echo "$history_begins" >"$folder/driver.history"
    while read -r line; do
        case $line in
        @*) file=$folder/${line#@}.history ;;
        *) printf '%s\n' "$line" >>"$file" ;;
        esac
    done
}

# good NAME [ARGUMENT...]: it passes.
good() {
    history "$1"
    check "${@:2}" >"$tmp/out" 2>&1 || {
        cat "$tmp/out"
        fail "refused: $1"
    }
    passed "$1"
}

# bad NAME WORD [ARGUMENT...]: refused, and WORD is all that it is refused for.
bad() {
    local status=0
    history "$1"
    check "${@:3}" >"$tmp/out" 2>&1 || status=$?
    if [ $status -ne 1 ] || ! grep -q "^WRONG: $2" "$tmp/out" ||
        grep '^WRONG' "$tmp/out" | grep -qv "^WRONG: $2"; then
        cat "$tmp/out"
        fail "not refused for $2 alone: $1 (status $status)"
    fi
    passed "$1"
}
