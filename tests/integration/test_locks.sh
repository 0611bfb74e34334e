#!/usr/bin/env bash
# h5swim locks: who holds what, for people and for programs, and ending a session.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_SERVER_IDLE_S=5
work=$(pwd -P)

# json PYTHON: statements over the output of the last "locks --json", in d.
json() {
    "$python" -c 'import json, sys
d = json.load(open(sys.argv[1], encoding="utf-8"))
exec(sys.argv[2])' "$tmp/out" "$1" || { cat "$tmp/out" >&2; fail "locks --json: $1"; }
}
redis() { redis-cli -s "$socket" "$@"; }
# The name of the session of process $1.
session_of() { redis ZRANGE '{h5swim}:sessions' 0 -1 | grep ":$1:" || fail "no session of $1"; }
# The lines that fit, however many: grep would fail where there are none.
lines() { grep -cE -- "$1" "$2" || true; }

expect_status 0 "$h5swim" locks
expect_line '^no lock server runs, so nobody holds a lock$' "$tmp/out"
expect_status 0 "$h5swim" locks --json --sessions
json 'assert d == {"schema": 1, "server": None, "time_ms": None, "grace_ms": 0,
                   "resources": [], "sessions": []}'
expect_status 1 "$h5swim" locks --break host:1:1 --yes
expect_line 'break session host:1:1: no lock server runs'
[ -z "$(server_pids)" ] || fail "a server was started to look at"
[ -z "$(ls "$SWIM_SERVER_DIR")" ] || fail "looking left files behind"
passed "without a server nobody holds a lock, and none is started"

touch a.h5 b.h5
hold a.h5 update
socket=$SWIM_SERVER_DIR/redis.sock
SWIM_LEASE_MS=20000 "$hold_lock" a.h5 write 60000 </dev/null >/dev/null 2>&1 &
waiter=$!
waits() { expect_status 0 "$h5swim" locks a.h5 && [ "$(lines ' waits ' "$tmp/out")" = 1 ]; }
await waits
expect_status 0 "$h5swim" locks
[ "$(lines "^$work/a.h5\$" "$tmp/out")" = 1 ] || fail "no such resource: $(cat "$tmp/out")"
user=$(id -un)
grep -qE "^  held +UPDATE +$(hostname):$holder_pid +$user +hold +- +[0-9.]+ s +[0-9.]+ s\$" \
    "$tmp/out" || fail "the holder is not shown: $(cat "$tmp/out")"
grep -qE "^  waits +WRITE +$(hostname):$waiter +$user +hold +- +[0-9.]+ s +[0-9.]+ s\$" \
    "$tmp/out" || fail "who waits is not shown: $(cat "$tmp/out")"
grep -qE '^1 resource, 1 held, 1 waiting, 2 sessions at lock server unix://' "$tmp/out" ||
    fail "no sum: $(cat "$tmp/out")"
[ "$(sed '$d' "$tmp/out" | wc -L)" -le 80 ] || fail "wider than a terminal: $(cat "$tmp/out")"
[ "$(head -n 3 "$tmp/out" | tail -n 1 | grep -bo UPDATE)" = \
    "$(head -n 1 "$tmp/out" | grep -bo MODE | sed s/MODE/UPDATE/)" ] || fail "not aligned"
expect_status 0 "$h5swim" locks b.h5
[ "$(lines 'held  ' "$tmp/out")" = 0 ] || fail "b.h5 is free: $(cat "$tmp/out")"
expect_status 0 "$h5swim" locks ../work/a.h5 --json
json "
r, = d['resources']
held, = r['held']
queued, = r['queue']
assert r['resource'] == '$work/a.h5' and d['schema'] == 1 and 'sessions' not in d
assert held['mode'] == 'UPDATE' and held['pid'] == $holder_pid and held['fence'] > 0
assert held['host'] == '$(hostname)' and held['user'] == '$user' and held['job'] == 'hold'
assert held['rank'] is None and held['lease_ms'] == 10000
assert 0 < held['lease_left_ms'] <= 10000 and 0 <= queued['for_ms'] <= held['for_ms']
assert queued['mode'] == 'WRITE' and queued['pid'] == $waiter and queued['fence'] == 0
assert queued['lease_ms'] == 20000 and not queued['broken'] and not held['dead']
assert d['server'].startswith('unix://') and d['time_ms'] > 1.7e12
"
passed "holders and queue are shown, of a file or of all"

# A waiter that is broken leaves the queue, and the rest as it was.
expect_status 0 "$h5swim" locks --break "$(session_of $waiter)" --yes --quiet
[ ! -s "$tmp/out" ] || fail "--quiet says: $(cat "$tmp/out")"
status=0
wait $waiter || status=$?
[ $status = 1 ] || fail "the broken waiter ended with $status"
# The holder, by host and process; it lets go while it runs, and at once.  One that has to
# wait for a processor may not answer in the second that it has: then another one is asked.
for n in 1 2 3 4 5; do
    expect_status 0 "$h5swim" locks --break "$(hostname):$holder_pid" --yes
    expect_line '^session .* (has ended, and what it held is free|gets .* did not answer, .*)$' "$tmp/out"
    if ! grep -q 'did not answer' "$tmp/out"; then break; fi
    await lock_is_free a.h5
    let_go
    [ $n -lt 5 ] || fail "a live holder did not answer, $n times: $(cat "$tmp/out")"
    hold a.h5 update
done
lock_is_free a.h5 || fail "not free: $(cat "$tmp/lock_err")"
let_go
passed "a live holder lets go"

# No answer: others wait until its lease is over, or it goes on.
export SWIM_LEASE_MS=20000
hold a.h5 write
name=$(session_of "$holder_pid")
kill -STOP "$holder_pid"
expect_status 0 "$h5swim" locks --break "$name" --yes --json
json "assert d['schema'] == 1 and d['result'] == 'fenced' and d['session'] == '$name'
assert 0 < d['left_ms'] <= 20000"
expect_status 0 "$h5swim" locks
grep -qE '^  held +WRITE .* broken$' "$tmp/out" || fail "not shown as broken: $(cat "$tmp/out")"
if lock_is_free a.h5; then fail "free while a stopped process may believe in it"; fi
await lock_is_free a.h5
kill -CONT "$holder_pid"
let_go
hold a.h5 write
kill -STOP "$holder_pid"
expect_status 0 "$h5swim" locks --break "$(session_of "$holder_pid")" --yes
expect_line 'did not answer, .* in 1?[0-9]\.[0-9] s, or as soon as' "$tmp/out"
kill -CONT "$holder_pid"
await lock_is_free a.h5
let_go
unset SWIM_LEASE_MS
passed "a stopped holder keeps others off until its lease is over, or it has heard"

SWIM_LEASE_MS=600000 hold a.h5 write
name=$(session_of "$holder_pid")
kill -KILL "$holder_pid"
wait "$holder_pid" || true
expect_status 0 "$h5swim" locks --sessions
[ "$(lines ' dead$' "$tmp/out")" = 2 ] || fail "not shown as dead: $(cat "$tmp/out")"
expect_status 0 "$h5swim" locks --break "$name" --yes --json
json 'assert d["result"] == "ended" and d["left_ms"] == 0'
[ "$(redis EXISTS "{h5swim}:w:$work/a.h5")" = 0 ] || fail "the dead still hold a.h5"
passed "the dead are ended at once"

# On another host, as far as can be seen here: only its lease tells.
SWIM_LEASE_MS=2000 hold a.h5 write
name=$(session_of "$holder_pid")
redis HSET "{h5swim}:session:$name" boot other host elsewhere >/dev/null
kill -KILL "$holder_pid"
wait "$holder_pid" || true
expect_status 0 "$h5swim" locks --break "$name" --yes --json
json 'assert d["result"] in ("fenced", "ended")'
await lock_is_free a.h5
passed "elsewhere the lease decides"

# On a terminal it asks.
hold a.h5 read
name=$(session_of "$holder_pid")
expect_status 2 "$h5swim" locks --break "$name" </dev/null
expect_line 'no terminal to ask on \(give --yes\)'
for answer in n '' yesterday; do
    status=0
    "$python" "$support/answer.py" '[y/N]' "$answer" "$h5swim" locks --break "$name" \
        >"$tmp/out" || status=$?
    [ $status = 1 ] || fail "answer \"$answer\": status $status: $(cat "$tmp/out")"
    grep -q '^nothing was changed$' "$tmp/out" || fail "answer \"$answer\": $(cat "$tmp/out")"
done
grep -qE "^  held +READ +$(hostname):$holder_pid " "$tmp/out" ||
    fail "it does not show what would go: $(cat "$tmp/out")"
[ "$(redis HLEN "{h5swim}:r:$work/a.h5")" = 1 ] || fail "it was ended all the same"
status=0
"$python" "$support/answer.py" '[y/N]' y "$h5swim" locks --break "$name" >"$tmp/out" || status=$?
[ $status = 0 ] || fail "answer y: status $status: $(cat "$tmp/out")"
[ "$(redis HLEN "{h5swim}:r:$work/a.h5")" = 0 ] || fail "it was not ended"
let_go
passed "it asks where there is a terminal, and wants --yes where there is none"

# Two sessions of one process.
redis ZADD '{h5swim}:sessions' 9e15 h:7:1 9e15 h:7:2 9e15 h:77:3 >/dev/null
for name in h:7:1 h:7:2 h:77:3; do
    redis HSET "{h5swim}:session:$name" pid 7 >/dev/null
    redis PEXPIRE "{h5swim}:session:$name" 600000 >/dev/null
done
expect_status 1 "$h5swim" locks --break h:7 --yes
expect_line 'break session h:7: several'
expect_status 1 "$h5swim" locks --break h:7:11 --yes
expect_line 'h:7:11: lock server unix://.* does not know it'
expect_status 1 "$h5swim" locks --break '' --yes
expect_status 0 "$h5swim" locks --sessions --json
json 'assert [s["session"] for s in d["sessions"]] == ["h:77:3", "h:7:1", "h:7:2"]
assert all(s["locks"] == 0 and s["lease_left_ms"] > 0 for s in d["sessions"])'
for name in h:7:1 h:7:2 h:77:3; do redis DEL "{h5swim}:session:$name" >/dev/null; done
redis DEL '{h5swim}:sessions' >/dev/null
passed "a name that may mean several ends none"

# Names that others have chosen.
evil=$'e\e[31m\n\t\x9b2J\xe2\x80\xae\\.h5'
touch "$evil"
hold "$evil" read
redis HSET "{h5swim}:session:$(session_of "$holder_pid")" job $'\e]0;x\a\xff' \
    user $'a\nb' host $'h\r\x80' >/dev/null
for locale in C C.UTF-8; do
    LC_ALL=$locale expect_status 0 "$h5swim" locks --sessions
    "$python" - "$tmp/out" <<'PY' || fail "a terminal could act on it: $(cat -v "$tmp/out")"
import sys, unicodedata
text = open(sys.argv[1], encoding="utf-8", newline="").read()
bad = [c for c in text if c != "\n" and unicodedata.category(c)[0] == "C"]
assert not bad, bad
assert r"/e\x1b[31m\x0a\x09\x9b2J" in text and r"\\.h5" in text, text
PY
done
expect_status 0 "$h5swim" locks --json
json 'r, = d["resources"]
name = bytes.fromhex(r["resource_hex"])
assert name.endswith(b"/e\x1b[31m\n\t\x9b2J\xe2\x80\xae\\.h5") and len(r["resource"]) == len(name)
held, = r["held"]
assert held["user"] == "a\nb" and "user_hex" not in held
assert bytes.fromhex(held["job_hex"]) == b"\x1b]0;x\x07\xff"'
let_go
passed "hostile names are escaped, and exact in JSON"

redis --eval /dev/stdin >/dev/null <<'LUA'
for i = 1, 5000 do
    local ticket, resource = 'W/h:1:1/' .. i, '/data/' .. i
    redis.call('HSET', '{h5swim}:tickets:h:1:1', ticket, resource)
    redis.call('SET', '{h5swim}:w:' .. resource, ticket .. ' ' .. i .. ' 1')
end
redis.call('ZADD', '{h5swim}:sessions', 9e15, 'h:1:1')
redis.call('HSET', '{h5swim}:session:h:1:1', 'pid', 1)
redis.call('PEXPIRE', '{h5swim}:session:h:1:1', 600000)
LUA
expect_status 0 "$h5swim" locks --json
json 'assert len(d["resources"]) == 5000
assert {r["resource"]: r["held"][0]["fence"] for r in d["resources"]} == {
    "/data/%d" % i: i for i in range(1, 5001)}'
expect_status 0 "$h5swim" locks
[ "$(lines '^  held ' "$tmp/out")" = 5000 ] || fail "not all are shown"
expect_status 0 "$h5swim" locks --break h:1:1 --yes --json
json 'assert d["result"] == "fenced"'
[ "$(redis GET '{h5swim}:w:/data/4711')" = 'W/h:1:1!/4711 4711 1' ] || fail "it was given away"
redis DEL '{h5swim}:session:h:1:1!' >/dev/null # its lease is over, and nobody has looked
expect_status 0 "$h5swim" locks
[ "$(lines '^  held .* over +broken$' "$tmp/out")" = 5000 ] || fail "not shown as over"
expect_status 0 "$h5swim" locks --break h:1:1 --yes
expect_status 0 "$h5swim" locks --json
json 'assert d["resources"] == []'
passed "5,000 resources"

# What was killed in a job is not left to its lease.
export SWIM_CACHE_DIR=$tmp/cache SWIM_LEASE_MS=600000
"$python" -c 'import h5py, numpy as np
h5py.File("in.h5", "w").create_dataset("U", data=np.ones((9, 64), "f4"), chunks=(1, 64))'
slow_job 1000
hold b.h5 read # keeps the server
for victim in reader rank; do
    "$h5swim" run slow.yaml -n 2 --readers 1 --quiet --overwrite 2>"$tmp/err" &
    job=$!
    reads() { [ "$(redis HLEN "{h5swim}:r:$work/in.h5")" -ge 3 ]; } # rank 0, two readers
    await reads
    rank=$(below $job | head -n 1)
    dead=$rank
    if [ $victim = reader ]; then dead=$(of_rank "$rank" reader); fi
    kill -KILL "$dead"
    status=0
    wait $job || status=$?
    [ $status = 0 ] || fail "a killed $victim: status $status: $(cat "$tmp/err")"
    # What a dead rank had started leaves by itself, and needs a moment.
    others_are_gone() {
        expect_status 0 "$h5swim" locks --sessions
        [ "$(tail -n 1 "$tmp/out" | grep -c ' 1 session at ')" = 1 ]
    }
    await others_are_gone
done
let_go
unset SWIM_LEASE_MS
passed "what was killed in a job leaves no session"

expect_status 2 "$h5swim" locks --jsno
expect_line 'did you mean "--json"'
expect_status 2 "$h5swim" locks --break
expect_status 2 "$h5swim" locks --break x --sessions
expect_status 1 "$h5swim" locks --redis "unix://$tmp/nobody"
expect_line "unix://$tmp/nobody"
expect_status 1 "$h5swim" locks --redis redis://me:geheim@127.0.0.1:1
expect_line '127.0.0.1:1'
! grep -q geheim "$tmp/err" || fail "the password is shown"
expect_status 0 "$h5swim" locks --help
[ "$(wc -L <"$tmp/out")" -le 88 ] || fail "the help is too wide"
[ "$(wc -l <"$tmp/out")" -le 40 ] || fail "the help is too long"
passed "wrong usage, and servers that are not there"
