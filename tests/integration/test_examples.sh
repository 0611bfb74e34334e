#!/usr/bin/env bash
# The examples, built as their readers build them, do what they say.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_SERVER_IDLE_S=5
cmake --install "$SWIM_BUILD" --prefix "$tmp/prefix" >/dev/null
export PKG_CONFIG_PATH=$tmp/prefix/lib/pkgconfig
read -ra flags <<<"$(pkg-config --cflags --libs h5swim) -Wl,-rpath,$tmp/prefix/lib"
read -ra header_flags <<<"$(pkg-config --cflags h5swim)"
for example in "$SWIM_SOURCE"/tests/examples/*.c; do
    cc -std=gnu11 -Wall -Wextra -Werror "$example" -o "$(basename "$example" .c)" "${flags[@]}"
done

# Each public header alone, also as C++.
for header in "$tmp"/prefix/include/h5swim/*.h; do
    for language in c c++; do
        printf '#include <h5swim/%s>\n' "$(basename "$header")" |
            clang -x "$language" -Wall -Werror -fsyntax-only "${header_flags[@]}" -
    done
done
passed "examples and headers compile outside"

# lines COUNT: wait until the file has that many.
lines() {
    for _ in $(seq 1000); do
        if [ "$(grep -c '' log 2>/dev/null || true)" -ge "$1" ]; then return; fi
        sleep 0.01
    done
    fail "no $1 lines in the file: $(cat log)"
}
# series TEXT COUNT
series() { seq -f "$1 %g" "$2"; }
# ends_with STATUS PID NAME
ends_with() {
    local status=0
    wait "$2" || status=$?
    [ $status = "$1" ] || fail "$3: status $status, not $1: $(cat "$tmp/err")"
}

append=$tmp/work/exclusive_append
expect_status 2 "$append"
expect_status 0 "$append" log one 3
cmp log <(series one 3)

rm log
pids=()
for i in 1 2 3 4; do
    "$append" log "writer$i" 20 1 &
    pids+=($!)
done
for pid in "${pids[@]}"; do ends_with 0 "$pid" "one of four"; done
for i in 1 2 3 4; do
    grep -A 19 "^writer$i 1\$" log | cmp - <(series "writer$i" 20) || fail "lines are mixed: $(cat log)"
done
passed "four take turns"

# Told to go: at the next line, with the lock free at once (its lease is 10 s).
for signal in TERM HUP; do
    rm log
    setsid "$append" log first 1000 200 2>"$tmp/err" &
    pid=$!
    lines 2
    kill -$signal $pid
    ends_with $((128 + $(kill -l $signal))) $pid "SIG$signal"
    count=$(grep -c '' log)
    cmp log <(series first "$count")
    lock_is_free log || fail "SIG$signal: $(cat "$tmp/lock_err")"
done
passed "a signal ends it between two lines"

# While it waits for its turn.
rm -f log
hold log write
setsid "$append" log first 1 2>"$tmp/err" &
pid=$!
sleep 0.3
kill $pid
ends_with 143 $pid "SIGTERM while it waits"
[ ! -e log ] || fail "it has written without the lock"
let_go
passed "a signal ends its wait"

# Ignored signals stay ignored: SIGINT in the background of a script, SIGHUP under nohup.
nohup "$append" log first 4 200 >"$tmp/out" 2>"$tmp/err" &
pid=$!
lines 1
kill -INT $pid
kill -HUP $pid
ends_with 0 $pid "ignored signals"
cmp log <(series first 4)
passed "nohup holds"

# Stopped for longer than its lease: it has lost the lock and writes nothing.
rm log
setsid "$append" log first 1000 500 1000 2>"$tmp/err" &
pid=$!
lines 2
kill -STOP $pid
expect_status 0 "$append" log second 3
before=$(cksum <log)
kill -CONT $pid
status=0
wait $pid || status=$?
[ $status = 1 ] || fail "status $status after it had lost its lock"
grep -q 'exclusive_append: .*lease of 1000 ms.*has ended' "$tmp/err" ||
    fail "no word on the lost lock: $(cat "$tmp/err")"
[ "$before" = "$(cksum <log)" ] || fail "written without the lock: $(cat log)"
[ "$(tail -n 3 log)" = "$(series second 3)" ] || fail "$(cat log)"
passed "a stopped process has lost its lock and writes nothing"
