#!/usr/bin/env bash
# A job that has to stop ends with the status of what stopped it, and says what it was,
# however long one of its ranks takes to leave.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_SERVER_IDLE_S=5
"$python" - <<'PY'
import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    f.create_dataset("U", data=np.ones((4000, 64), dtype="f4"), chunks=(1, 64))
PY
slow_job 20
"$h5swim" run slow.yaml --dry-run >/dev/null # compiles the kernel, starts the lock server

at_work() { [ -s out.h5.swimlog ] && [ "$(run_pids | wc -l)" -ge 9 ]; }
# begin: a job of two ranks, whose pids go to $ranks.
begin() {
    "$h5swim" run slow.yaml -n 2 --readers 1 --quiet --overwrite >"$tmp/out" 2>"$tmp/err" &
    job=$!
    await at_work
    mapfile -t ranks < <(below $job)
}
ends_with() { # STATUS
    local got=0
    wait $job || got=$?
    [ $got = "$1" ] || fail "the job ended with $got, not $1: $(cat "$tmp/err")"
}
# says PATTERN: the job has one line to say; libraries may log what they have recovered from.
says() {
    grep '^h5swim: ' "$tmp/err" >said || true
    expect_line "$1" said
}
# Its reader is stopped, so that soon nothing more is committed, and its writer is killed
# again and again, until the rank has enough of it.
is_another() { # that which was killed last; or the rank's spawner is gone
    writer=$(below "$1" | grep -vx "$reader" | tail -n 1)
    [ "$writer" != "$2" ] && { [ -n "$writer" ] || ! kill -0 "$1" 2>"$tmp/dead"; }
}
ruin() { # RANK
    local last='' spawner reader
    spawner=$(of_rank "$1" spawner)
    reader=$(of_rank "$1" reader)
    [ -n "$reader" ] || fail "rank $1 has no reader"
    kill -STOP "$reader"
    while await is_another "$spawner" "$last" && [ -n "$writer" ]; do
        kill -KILL "$writer" 2>"$tmp/dead" || true
        last=$writer
    done
}

begin
ruin "${ranks[0]}"
ends_with 1
says 'writer 0 of rank 0 .job slow. was ended by signal 9 .SIGKILL., 6 times in a row'
await no_process
passed "a rank 0 that takes a second to leave is given it, and says why"

# It waits for its spawner, which is then ended by force.
begin
kill -STOP "$(of_rank "${ranks[0]}" spawner)"
ruin "${ranks[1]}"
ends_with 1
says 'writer 0 of rank 1 .job slow. was ended by signal 9 .SIGKILL., 6 times in a row'
await no_process
passed "a rank 0 that takes five seconds to leave is given them"

begin
kill -STOP "${ranks[0]}"
ruin "${ranks[1]}"
ends_with 1
says 'writer 0 of rank 1 .job slow. was ended by signal 9 .SIGKILL., 6 times in a row'
await no_process
passed "where rank 0 cannot say why the job was stopped, the driver does"

SWIM_LEASE_MS=1000 begin
kill -STOP "${ranks[0]}"
sleep 2 # twice a lease, which nothing but time ends
kill -CONT "${ranks[0]}"
ends_with 1
says 'rank 0 was stopped or starved, or the lock server away, for longer than the lease'
await no_process
passed "a rank 0 that was stopped for longer than its lease says that it may have been"

# All is done, and only a worker has not left yet, when the signal comes.
printf '%s\n' "kernel: $support/kernels/breaks_sum.c" "params: {where: $PWD/where}" \
    'inputs: {u: {file: in.h5, dataset: U}}' 'outputs: {y: {file: sum.h5, dataset: Y}}' \
    'block: [100, 16]' >sum.yaml
touch where
is_finished() {
    "$h5swim" exec -- "$python" -c 'import h5py, sys
sys.exit("h5swim_unfinished" in h5py.File("sum.h5")["Y"].attrs)' 2>"$tmp/dead"
}
"$h5swim" run sum.yaml --dry-run >/dev/null
NAP_MS=10 "$h5swim" run sum.yaml -n 1 --readers 2 --quiet >"$tmp/out" 2>"$tmp/err" &
job=$!
await test -s sum.h5.h5swim-partials
rank=$(below $job | head -n 1)
kill -STOP "$(of_rank "$rank" spawner)"
await is_finished
[ -e sum.h5.h5swim-partials ] || fail "the partial results were removed already"
kill -TERM $job
ends_with 143 # but the result is there
[ "$(echo sum.h5*)" = sum.h5 ] || fail "left behind: $(echo sum.*)"
grep -q '"status": *"done"' sum.run.json || fail "the record: $(head -c 300 sum.run.json)"
await no_process
passed "a signal after the last block leaves nothing behind"

# Nobody waits for its own writer as for others, however long that takes to close a file.
sleep 60 &
idle=$!
traced=0
timeout 1 strace -q -o "$tmp/trace" -p $idle 2>"$tmp/dead" || traced=$?
kill $idle
[ $traced = 124 ] || { # it was ended while it traced
    echo "***** NOT TESTED: a writer that is slow to close, it cannot be traced here ($(cat "$tmp/dead")) *****"
    exit 0
}
slow_job 1
"$h5swim" run slow.yaml -n 1 --readers 2 --quiet --overwrite --wait 0.3 2>"$tmp/err" &
job=$!
writer_there() {
    rank=$(below $job | head -n 1)
    [ -n "$rank" ] && [ "$(below "$(of_rank "$rank" spawner)" | wc -l)" = 3 ]
}
await writer_there
strace -q -o "$tmp/trace" -p "$(of_rank "$rank" writer)" -e trace=close \
    -e inject=close:delay_enter=800000 2>"$tmp/dead" &
tracer=$!
ends_with 0
wait $tracer || true
grep -q DELAYED "$tmp/trace" || fail "the writer was not slow: $(cat "$tmp/dead" "$tmp/trace")"
await no_process
passed "a job whose writer is slow to close its outputs is done all the same"
