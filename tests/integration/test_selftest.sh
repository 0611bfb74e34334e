#!/usr/bin/env bash
# h5swim selftest: it passes at a good server, names what is wrong with a bad one, and
# leaves nothing, however it ends.  (unit.selftest: that each check can fail.)
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"

mkdir "$tmp/work" "$tmp/data"
cd "$tmp/work"
socket=$tmp/redis.sock
url=unix://$socket
redis() { redis-cli -s "$socket" "$@"; }
# json PYTHON: statements over the output of the last command, in d; the checks in c.
json() {
    "$python" -c 'import json, sys
d = json.load(open(sys.argv[1], encoding="utf-8"))
c = {x["name"]: x for x in d["checks"]}
exec(sys.argv[2])' "$tmp/out" "$1" || { cat "$tmp/out" >&2; fail "selftest --json: $1"; }
}
# Only they have the URL as an argument.
no_selftests() { ! grep -qszxF "$url" /proc/[0-9]*/cmdline; }
# Two runs lock, each under a name of its own.
two_names() {
    [ "$(redis KEYS '{h5swim}:*' | grep -oE 'selftest-[0-9a-f]{16}' | sort -u | wc -l)" -eq 2 ]
}
# What is left at the server once nobody has a lock.
no_keys() { ! redis KEYS '*' | grep -qvxE '\{h5swim\}:(epoch(:[0-9]+)?|fence|fresh|over:.*)'; }
no_files() { [ -z "$(ls -A "$tmp/data")" ]; }
nothing_left() {
    await no_selftests
    await no_keys
    await no_files
}

start_redis "$socket"
redis SET '{h5swim}:fresh' 1 >/dev/null

expect_status 0 "$h5swim" selftest --redis "$url" --dir "$tmp/data"
[ ! -s "$tmp/err" ] || fail "it complains: $(cat "$tmp/err")"
[ "$(grep -c '^ok  *[a-z]' "$tmp/out")" -eq 14 ] || fail "not 14 checks: $(cat "$tmp/out")"
grep -q "^lock server $url\$" "$tmp/out" || fail "which server"
grep -q '^All 14 checks are ok' "$tmp/out" || fail "no verdict"
nothing_left
expect_status 0 "$h5swim" selftest --dir "$tmp/data"
export SWIM_REDIS_URL=$url
expect_status 0 "$h5swim" selftest --json
json 'assert d["schema"] == 1 and d["ok"] is True and d["server"] == "'"$url"'" and len(c) == 14'
json 'assert all(x["result"] == "ok" and x["text"] and x["took_ms"] >= 0 for x in c.values())'
json 'assert d["seconds"] < 20 and c["exclusion"]["overlaps"] == 0'
json 'assert 0 < c["round trip"]["ping_us"] < c["round trip"]["pair_us"]'
json 'assert 0 <= c["killed holder"]["ms"] < 2000 and c["flock"]["works"] == 1'
nothing_left
unset SWIM_REDIS_URL
passed "a good server, for people and for programs"

# A server that has just lost its data makes all wait for a lease.
redis FLUSHALL >/dev/null
expect_status 0 "$h5swim" selftest --redis "$url"
grep -qE '^ok +first lock .*had lost its data' "$tmp/out" || fail "no word of the wait: $(cat "$tmp/out")"
nothing_left
passed "a server in its grace is waited for"

# Others work meanwhile: two of the same, and one who holds a lock.
touch held.h5
SWIM_REDIS_URL=$url hold held.h5 write
"$h5swim" selftest --redis "$url" --dir "$tmp/data" >"$tmp/one" 2>&1 &
one=$!
"$h5swim" selftest --redis "$url" --dir "$tmp/data" >"$tmp/two" 2>&1 &
two=$!
await two_names
wait $one || fail "the first of two: $(cat "$tmp/one")"
wait $two || fail "the second of two: $(cat "$tmp/two")"
if SWIM_REDIS_URL=$url lock_is_free held.h5; then fail "it took another's lock away"; fi
let_go
nothing_left
passed "two at once, beside one who holds a lock"

# catches PID: it has a handler for SIGTERM.
catches() {
    local mask
    mask=$(sed -n 's/^SigCgt:\t//p' "/proc/$1/status") && [ $((0x$mask >> 14 & 1)) = 1 ]
}

# interrupt MOMENT SIGNAL: $took ms later it has ended.
interrupt() {
    local pid began status=0 want=130
    "$h5swim" selftest --redis "$url" --dir "$tmp/data" >"$tmp/out" 2>"$tmp/err" &
    pid=$!
    # At its very start a signal ends it as any other program; SIGINT, which the shell
    # ignores in its background jobs, does not.
    [ "$1" = 0 ] || [ "$1" = 0.01 ] || await catches $pid
    sleep "$1"
    began=$(date +%s%3N)
    kill -s "$2" $pid
    wait $pid || status=$?
    took=$(($(date +%s%3N) - began))
    [ "$2" = INT ] || want=143
    if [ "$1" != 0 ] && [ "$1" != 0.01 ]; then
        [ $status = $want ] || fail "status $status after SIG$2 at $1: $(cat "$tmp/out" "$tmp/err")"
        expect_line 'ended by signal'
    else
        took=0 # it may not have heard
    fi
    nothing_left
}
# Interrupted, in whatever check.  Each time anew where it takes long, as a busy host may be
# the reason for that.
for moment in 0 0.01 0.1 0.6 2.3 2.9; do
    for signal in INT TERM; do
        for _ in 1 2 3 4; do
            interrupt $moment $signal
            [ "$took" -ge 2500 ] || break
        done
        [ "$took" -lt 2500 ] || fail "it went on for $took ms after SIG$signal at $moment"
    done
done
passed "interrupted, it leaves no process, no key and no file"

# At the check that comes after "fences" its processes would go on for 2 s.  Where they take
# almost as long, as a busy host may be the reason, anew.
fences_are_done() { began=$(date +%s%3N) && grep -qs '^ok *fences' "$tmp/out"; }
for _ in 1 2 3 4 5; do
    rm -f "$tmp/out"
    "$h5swim" selftest --redis "$url" >"$tmp/out" 2>"$tmp/err" &
    pid=$!
    await fences_are_done
    kill -KILL $pid
    wait $pid 2>/dev/null || true
    await no_selftests
    took=$(($(date +%s%3N) - began))
    await no_keys
    [ "$took" -ge 1500 ] || break
done
[ "$took" -lt 1500 ] || fail "killed, it leaves processes: the last one was gone after $took ms"
passed "killed, it leaves no process and no key"

# bad NAME TEXT OPTION...: status 1, and the check NAME fails with TEXT; in at most 20 s.
bad() {
    local name=$1 text=$2 began=$SECONDS
    shift 2
    expect_status 1 "$h5swim" selftest "$@"
    expect_line "^h5swim selftest: $name: .*$text"
    grep -qE "^FAILED +$name " "$tmp/out" || fail "$name has not failed: $(cat "$tmp/out")"
    grep -q 'do not rely on locks here' "$tmp/out" || fail "no verdict"
    expect_status 1 "$h5swim" selftest --json "$@"
    json 'assert d["ok"] is False and c["'"$name"'"]["result"] == "FAILED" and len(c) == 14'
    [ $((SECONDS - began)) -le 40 ] || fail "it takes too long"
}
redis CONFIG SET maxmemory 100mb >/dev/null
redis CONFIG SET maxmemory-policy allkeys-lru >/dev/null
bad server 'allkeys-lru may evict' --redis "$url"
json 'assert c["exclusion"]["result"] == "skipped" and c["exclusion"]["took_ms"] is None'
redis CONFIG SET maxmemory-policy noeviction >/dev/null
redis REPLICAOF 127.0.0.1 1 >/dev/null
bad server 'read-only replica' --redis "$url"
redis REPLICAOF NO ONE >/dev/null
redis CONFIG SET requirepass 'S3cret!word' >/dev/null
bad server '(WRONGPASS|invalid password)' --redis "unix://:S3cret!w0rd@$socket"
if grep -q 'w0rd' "$tmp/out" "$tmp/err"; then fail "it tells the password"; fi
bad server 'NOAUTH' --redis "$url"
expect_status 0 "$h5swim" selftest --redis "unix://:S3cret!word@$socket"
if grep -q 'S3cret' "$tmp/out" "$tmp/err"; then fail "it tells the password"; fi
redis -a 'S3cret!word' --no-auth-warning CONFIG SET requirepass '' >/dev/null
redis ACL SETUSER some on '>pw' '~*' +@all -evalsha >/dev/null
bad server 'evalsha' --redis "unix://some:pw@$socket"
bad server 'none.sock' --redis "unix://$tmp/none.sock"
passed "what is wrong with a server is named"

# The server goes away in the middle, or hangs.
other=$tmp/other.sock
redis-server --port 0 --unixsocket "$other" --save '' --dir "$tmp" >/dev/null 2>&1 &
server=$!
on_exit "kill -CONT $server 2>/dev/null; kill $server 2>/dev/null"
await test -S "$other"
redis-cli -s "$other" SET '{h5swim}:fresh' 1 >/dev/null
for signal in STOP KILL; do
    rm -f "$tmp/out"
    "$h5swim" selftest --redis "unix://$other" >"$tmp/out" 2>"$tmp/err" &
    pid=$!
    await grep -qs '^ok *fences' "$tmp/out" # exclusion is next, for two seconds
    kill -s $signal $server
    began=$SECONDS
    status=0
    wait $pid || status=$?
    [ $status = 1 ] || fail "status $status when the server gets SIG$signal"
    expect_line '^h5swim selftest: exclusion: '
    grep -q '^skipped  *names of a file' "$tmp/out" || fail "it went on: $(cat "$tmp/out")"
    [ $((SECONDS - began)) -le 18 ] || fail "it took $((SECONDS - began)) s"
    kill -CONT $server 2>/dev/null || true
done
passed "a server that hangs or dies meanwhile"

expect_status 2 "$h5swim" selftest --josn
expect_line 'did you mean "--json"'
expect_status 2 "$h5swim" selftest all
expect_line 'argument all'
expect_status 2 "$h5swim" selftest --redis
expect_line 'its value is missing'
expect_status 2 "$h5swim" selftest --redis nonsense://
expect_status 2 "$h5swim" selftest --dir "$tmp/none"
expect_line "make files in $tmp/none: No such file"
expect_status 0 "$h5swim" selftest --help
[ "$(wc -l <"$tmp/out")" -le 24 ] || fail "the help is longer than a screen"
[ "$(awk 'length > 80' "$tmp/out")" = "" ] || fail "the help is wider than a screen"
passed "usage"
