# shellcheck shell=bash
# execlib.sh - sourced by the tests of h5swim exec, after testlib.sh: programs under it.

# shellcheck disable=SC2154 # testlib.sh
steps=$SWIM_BUILD/tests/hdf5_steps
mkdir "$tmp/work"
cd "$tmp/work" || exit
export SWIM_SERVER_IDLE_S=5 PYTHONDONTWRITEBYTECODE=1

# swim [OPTION...] COMMAND...: under exec, for a minute at most.
swim() {
    timeout 60 "$h5swim" exec "$@"
}


# The last command printed these lines.
expect_output() {
    printf '%s\n' "$@" | cmp - "$tmp/out" || {
        cat "$tmp/out" >&2
        fail "it did not print: $*"
    }
}

# Status and output are those without exec.  Addresses aside.
plain_and_exec_agree() {
    local plain=0 swum=0
    timeout 10 "$@" >"$tmp/plain" 2>&1 || plain=$?
    swim "$@" >"$tmp/swum" 2>&1 || swum=$?
    sed -i -E 's/0x[0-9a-f]+//; s/(time = ).*/\1/' "$tmp/plain" "$tmp/swum"
    if [ "$plain" -ne "$swum" ] || ! cmp -s "$tmp/plain" "$tmp/swum"; then
        diff "$tmp/plain" "$tmp/swum" >&2 || true
        fail "status $plain without exec, $swum with it: $*"
    fi
}

# hold STEP...: a program under exec that does so, and then waits for let_go.
hold() {
    rm -f "$tmp/hold" "$tmp/held"
    mkfifo "$tmp/hold"
    "$h5swim" exec -- "$steps" "$@" say=held wait close <"$tmp/hold" >"$tmp/held" 2>&1 &
    holder=$!
    exec 9>"$tmp/hold"
    await grep -qx held "$tmp/held"
}

let_go() {
    echo >&9
    exec 9>&-
    wait "$holder" || fail "the holder: $(cat "$tmp/held")"
}

# What h5dump shows, without the file's name and, as HDF5 1.14 shows references by
# addresses in memory, those.
dump() {
    h5dump "$1" | sed -E '1d; s/DATASET [0-9]+/DATASET/'
}

same_dump() {
    cmp <(dump "$1") <(dump "$2") || fail "$1 and $2 are not alike"
}
