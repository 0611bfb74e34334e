#!/usr/bin/env bash
# Random locks by processes that are killed, stopped, told to go and cut off, at servers
# that hang, die, forget, and come back with old data.  SWIM_SOAK_SEED=N repeats what is
# done (not when; the machine decides that).  With SWIM_LONG=1 until 10^6 operations.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

here=$SWIM_SOURCE/tests/fault
seed=${SWIM_SOAK_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
printf 'SWIM_SOAK_SEED=%s\n' "$seed"

# keep FOLDER: the histories of a round that failed.
keep() {
    local kept=$SWIM_BUILD/tests/soak-$seed
    rm -rf "$kept"
    cp -r "$1" "$kept"
    tail -n 20 "$kept/log"
    printf 'the histories are in %s\n' "$kept"
}

# round N DECKS GAP_MS: adds to operations.
operations=0
round() {
    local n=$1 folder=$tmp/round.$1 server=$SWIM_SERVER_DIR/$1 data=rdb status=0
    [ $((n % 2)) -eq 0 ] || data=aof
    mkdir "$folder" "$server"
    "$SWIM_BUILD/tests/soak" "$folder" $((seed + n)) "$2" "$3" "$server" $data \
        >"$folder/out" 2>"$folder/log" || status=$?
    cat "$folder/out"
    "$python" "$here/check_history.py" "$folder" --least $((150 * $2)) || status=1
    if [ "$status" -ne 0 ]; then
        keep "$folder"
        fail "round $n of the soak, seed $seed, server data by $data"
    fi
    operations=$((operations + $(sed -n 's/^operations //p' "$folder/out")))
    rm -rf "$folder" "$server"
    passed "round $n, $operations operations so far"
}

if [ "${SWIM_LONG:-}" = 1 ]; then
    for ((n = 0; operations < 1000000; n++)); do round $n 1 4000; done
else
    round 0 1 400
    round 1 1 400
fi
