#!/usr/bin/env bash
# What programs without h5swim see of a file, and may do to it, at each moment: the table
# in framework/store/LOG.md.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"
cd "$tmp"
# shellcheck disable=SC2016 # it is known when the test ends
on_exit 'kill -9 "${actor_pid:-}" 2>/dev/null'

# actor WORD...: the process with the file open does one thing.
start_actor() {
    local in out
    coproc ACTOR { exec "$SWIM_BUILD/tests/store_actor" a.h5 2>>"$tmp/actor.err"; }
    # shellcheck disable=SC2153 # coproc sets it
    actor_pid=$ACTOR_PID
    in=${ACTOR[1]} out=${ACTOR[0]}
    exec {to_actor}>&"$in" {from_actor}<&"$out" {in}>&- {out}<&-
}
actor() {
    local answer
    printf '%s\n' "$*" >&"$to_actor"
    if ! read -r -t 20 answer <&"$from_actor"; then answer="no answer"; fi
    [ "$answer" = "done" ] || fail "$*: $answer"
}
end_actor() {
    exec {to_actor}>&- {from_actor}<&-
    wait "$actor_pid" || [ $? -eq 137 ]
}

# shows VALUE: all that reads agrees that this is in the file.
shows() {
    h5dump -d /x -s 17 -c 1 a.h5 >dump 2>&1 || fail "h5dump: $(cat dump)"
    grep -q "(17): $1\$" dump || fail "h5dump does not show $1: $(cat dump)"
    "$python" - "$1" <<'PY' || fail "h5py does not show $1"
import h5py, sys
with h5py.File("a.h5", "r") as f:
    assert (f["x"][:] == int(sys.argv[1])).all() and len(f["x"]) == 8192
PY
    h5repack a.h5 copy.h5 >repack 2>&1 || fail "h5repack: $(cat repack)"
    "$python" -c "import h5py; assert h5py.File('copy.h5')['x'][-1] == $1" ||
        fail "h5repack did not copy $1"
    rm copy.h5
}
# may_write, may_not_write: programs that open it for writing, and change nothing.
may_not_write() {
    if "$python" -c 'import h5py; h5py.File("a.h5", "r+").close()' 2>err; then
        fail "h5py opens it for writing"
    fi
    grep -q 'unable to lock file' err || fail "h5py: $(cat err)"
    if h5clear -s a.h5 >err 2>&1; then fail "h5clear opens it for writing"; fi
}
may_write() {
    "$python" -c 'import h5py; h5py.File("a.h5", "r+").close()' || fail "h5py cannot write"
    h5clear -s a.h5 || fail "h5clear cannot write"
}
beside() { [ "$(echo a.h5.*)" = "$1" ] || fail "beside it: $(echo a.h5.*), not $1"; }

start_actor
actor create
actor put 1
[ ! -e a.h5 ] || fail "a new file is there before it is committed"
beside a.h5.swimnew
passed "a new file that is not committed is not there"

actor commit
shows 1
may_not_write
actor put 2
beside a.h5.swimlog
shows 1
may_not_write
passed "what is not committed is not seen"

actor commit
shows 1
may_not_write
"$h5swim" check a.h5 >out || fail "check: $(cat out)"
passed "what is committed is not seen before it is copied, and nobody else writes"

actor close
shows 2
beside 'a.h5.*'
may_write
shows 2
passed "when nobody has it open it is an ordinary file"

actor open r
shows 2
may_not_write
actor close
passed "a file that is open for reading can be read"

actor open w
actor put 3
actor commit
actor put 4
printf 'die\n' >&"$to_actor"
end_actor
shows 2
beside a.h5.swimlog
expect_status 0 "$h5swim" check a.h5
grep -q recoverable "$tmp/out" || fail "$(cat "$tmp/out")"
passed "after a kill the file is as it was when somebody last copied into it"

start_actor
actor open r
actor close
end_actor
shows 3
beside 'a.h5.*'
passed "the next session that ends copies what is committed"

start_actor
actor open w
actor put 5
actor commit
printf 'die\n' >&"$to_actor"
end_actor
"$python" -c 'import h5py
with h5py.File("a.h5", "r+") as f: f["other"] = range(5000)'
expect_status 5 "$h5swim" check a.h5
grep -q foreign "$tmp/out" || fail "$(cat "$tmp/out")"
start_actor
printf 'open r\n' >&"$to_actor"
read -r -t 20 answer <&"$from_actor"
case $answer in failed:*) ;; *) fail "a foreign journal is believed: $answer" ;; esac
end_actor
expect_status 0 "$h5swim" recover a.h5 --discard
shows 3
passed "who writes after a kill without h5swim is noticed, and people decide"

# The other way round: h5swim says who has the file, also when a signal has stopped him.
"$python" -c 'import h5py, os, signal
f = h5py.File("a.h5", "r+")
os.kill(os.getpid(), signal.SIGSTOP)
signal.pause()' &
plain=$!
# shellcheck disable=SC2016
on_exit 'kill -9 "$plain" 2>/dev/null'
stopped() { grep -q ') T ' "/proc/$plain/stat"; }
goes_on() { ! stopped; }
await stopped
writes=("$h5swim" exec --wait 0.1 "$python" -c 'import h5py; h5py.File("a.h5", "r+")')
expect_status 1 "${writes[@]}"
grep -qE "a.h5 for writing: process $plain .python3[^)]*., which is stopped, has it locked by flock, without a lock of h5swim" \
    "$tmp/err" || fail "who is stopped is not told: $(cat "$tmp/err")"
kill -CONT $plain
await goes_on
expect_status 1 "${writes[@]}"
grep -qE "process $plain .python3[^)]*. has it locked by flock" "$tmp/err" || fail "who has it is not told: $(cat "$tmp/err")"
kill -KILL $plain
wait $plain 2>/dev/null || true
passed "who has the file without h5swim is told"
