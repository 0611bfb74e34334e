#!/usr/bin/env bash
# h5swim metrics: the text that Prometheus reads, and the file that is replaced whole.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_SERVER_IDLE_S=5
socket=$SWIM_SERVER_DIR/redis.sock

# metrics PYTHON: statements over the samples of $tmp/out, in m, by name and labels: that
# the format is right is looked at first; by promtool, too, where that is installed.
metrics() {
    "$python" "$support/prometheus.py" "$tmp/out" "$1" || { cat "$tmp/out" >&2; fail "metrics: $1"; }
    if command -v promtool >/dev/null; then
        promtool check metrics <"$tmp/out" || fail "promtool: $(cat "$tmp/out")"
    fi
}

expect_status 0 "$h5swim" metrics
metrics 'assert m == {("h5swim_lock_server_up",): 0}'
[ -z "$(ls "$SWIM_SERVER_DIR")" ] || fail "looking left files behind"
passed "without a server nothing but that it is not up"

touch a.h5 b.h5
hold a.h5 update
"$hold_lock" a.h5 write 60000 </dev/null >/dev/null 2>&1 &
waiter=$!
waits() { "$h5swim" locks a.h5 | grep -q ' waits '; }
await waits
first=$holder_pid
session=$(redis-cli -s "$socket" ZRANGE '{h5swim}:sessions' 0 -1 | grep ":$first:")
redis-cli -s "$socket" HSET "{h5swim}:session:$session" job $'q"\\\n\xff' \
    user $'m\xc3\xbcller' rank 3 >/dev/null
expect_status 0 "$h5swim" metrics
user=$(id -un)
metrics "
job = {'job': r'q\"\\\\\\x0a\\xff', 'user': 'm\u00fcller'}
def job_value(name, **more):
    return m['h5swim_job_' + name, *sorted({**job, **more}.items())]
assert m['h5swim_lock_server_up',] == 1
assert m['h5swim_lock_server_memory_bytes',] > 1e5 and m['h5swim_lock_server_uptime_seconds',] >= 0
assert m['h5swim_lock_server_append_only',] == 0 and m['h5swim_lock_server_persistence_ok',] == 1
assert m['h5swim_lock_server_last_save_timestamp_seconds',] > 1.7e9
assert m['h5swim_sessions', ('state', 'live')] == 2 and m['h5swim_resources',] == 1
assert m['h5swim_locks_held', ('mode', 'update')] == 1 and m['h5swim_locks_held', ('mode', 'read')] == 0
assert m['h5swim_lock_waiters', ('mode', 'write')] == 1 and m['h5swim_lock_waiters', ('mode', 'read')] == 0
assert 0 < m['h5swim_lock_longest_wait_seconds',] < 60
assert job_value('ranks') == 1 and job_value('readers') == 0 and job_value('sessions') == 1
assert job_value('locks_held', mode='update') == 1 and job_value('waiters') == 0
hold = ('job', 'hold'), ('user', '$user')
assert m['h5swim_job_waiters', *hold] == 1 and m['h5swim_job_ranks', *hold] == 0
assert m['h5swim_job_longest_wait_seconds', *hold] == m['h5swim_lock_longest_wait_seconds',]
"
kill -KILL $waiter
wait $waiter || true
expect_status 0 "$h5swim" metrics
metrics "assert m['h5swim_sessions', ('state', 'dead')] == 1"
passed "server, locks and jobs"

umask 022
mkdir out
echo old >out/h5swim.prom
ln out/h5swim.prom old
expect_status 0 "$h5swim" metrics -o out/h5swim.prom
[ ! -s "$tmp/out" ] || fail "-o prints: $(cat "$tmp/out")"
[ "$(cat old)" = old ] || fail "the old file was written to"
[ "$(stat -c %a out/h5swim.prom)" = 644 ] || fail "the mode is $(stat -c %a out/h5swim.prom)"
[ "$(ls out)" = h5swim.prom ] || fail "left behind: $(ls out)"
cp out/h5swim.prom "$tmp/out"
metrics "assert m['h5swim_lock_server_up',] == 1"
expect_status 1 "$h5swim" metrics -o nowhere/h5swim.prom
expect_line 'write nowhere/h5swim.prom: No such file'
mkdir out/taken
expect_status 2 "$h5swim" metrics -o out/taken
expect_line 'write out/taken: '
[ "$(ls out)" = "h5swim.prom
taken" ] || fail "left behind: $(ls out)"
let_go
passed "a file is replaced whole, or not at all"

expect_status 1 "$h5swim" metrics --redis redis://me:geheim@127.0.0.1:1 -o out/h5swim.prom
expect_line '127.0.0.1:1'
! grep -q geheim "$tmp/err" || fail "the password is shown"
cp out/h5swim.prom "$tmp/out"
metrics 'assert m == {("h5swim_lock_server_up",): 0}'
expect_status 2 "$h5swim" metrics --redis nonsense://x
[ ! -s "$tmp/out" ] || fail "metrics of no server: $(cat "$tmp/out")"
expect_status 2 "$h5swim" metrics --ouptut x
expect_line 'did you mean "--output"'
expect_status 2 "$h5swim" metrics a.h5
expect_status 0 "$h5swim" metrics --help
[ "$(wc -L <"$tmp/out")" -le 88 ] || fail "the help is too wide"
passed "a server that does not answer is down; wrong usage"
