# shellcheck shell=bash
# locklib.sh - for tests with locks, servers and mounts; sourced after testlib.sh.
: "${tmp:?source testlib.sh first}"
hold_lock=$SWIM_BUILD/tests/hold_lock

# hold FILE MODE: somebody has the lock of the file, until let_go.
hold() {
    local word
    coproc HOLDER { exec "$hold_lock" "$1" "$2"; }
    # shellcheck disable=SC2153 # coproc sets it
    holder_pid=$HOLDER_PID
    read -r -t 10 word <&"${HOLDER[0]}" || fail "hold $1: no answer"
    [ "$word" = held ] || fail "hold $1: $word"
}
let_go() {
    local fd=${HOLDER[1]}
    exec {fd}>&-
    wait "$holder_pid" || fail "the holder of the lock ended with $?"
}

# lock_is_free FILE: even WRITE can be had at once.
lock_is_free() { "$hold_lock" "$1" write 0 </dev/null >/dev/null 2>"$tmp/lock_err"; }

# start_redis SOCKET OPTION...: a lock server of one's own; ends with the test.
start_redis() {
    local socket=$1 pid
    shift
    redis-server --port 0 --unixsocket "$socket" --save '' --appendonly no \
        --dir "$tmp" "$@" >"$tmp/redis.out" 2>&1 &
    pid=$!
    on_exit "kill $pid; wait $pid"
    for _ in $(seq 500); do
        if [ -S "$socket" ]; then return; fi
        sleep 0.01
    done
    fail "redis-server did not start: $(cat "$tmp/redis.out")"
}

