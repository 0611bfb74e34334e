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
