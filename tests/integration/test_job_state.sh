#!/usr/bin/env bash
# SIGUSR1: a job says how far it is, what its readers are at, and who holds the locks of
# its files or waits for them; and goes on.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_SERVER_IDLE_S=5
"$python" - <<'PY'
import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    f.create_dataset("U", data=np.ones((600, 64), dtype="f4"), chunks=(1, 64))
PY
on_exit "touch '$PWD/enough'"
slow_job 200 "$PWD/enough"
"$h5swim" run slow.yaml --dry-run >/dev/null # compiles the kernel, starts the lock server

said() { await grep -qE -- "$1" state; } # PATTERN: there is a line with it
asked() { kill -USR1 "$1" && sleep 0.1 && grep -qE -- "$2" state; }
says() { await asked "$@"; } # PID PATTERN: so it says, if it is asked until it is so
# ask PID: the job that runs as PID; then somebody else has the output.
ask() {
    await test -e out.h5.swimlog
    says "$1" 'job slow: [1-9][0-9]* of 600 blocks done, 0 failed; [0-9.]+ blocks/s'
    for rank in 0 1; do
        says "$1" "rank $rank: [0-9]+ blocks committed, [0-9]+ queued, .*reader 0 (at block [0-9]+ for 0.[0-9]+ s|waits)"
    done
    said 'locks of .*/in.h5: READ held by .*job slow, rank 0'
    hold out.h5 update
    : >state
    says "$1" 'locks of .*/out.h5: UPDATE held by .*job hold.* UPDATE wanted by .*job slow'
    let_go
    touch enough
}
"$h5swim" run slow.yaml -n 2 --readers 1 --quiet 2>state &
job=$!
ask $job
wait $job || fail "the job did not go on: $(cat state)"
passed "a job of two ranks says how it stands, and whom it waits for"

# A job that waits for another one, and was told to be quiet.
rm enough out.h5
"$h5swim" run slow.yaml -n 1 --readers 1 --quiet 2>first &
first=$!
await test -e out.h5.swimlog
"$h5swim" run slow.yaml -n 1 --readers 1 --quiet --overwrite 2>state &
job=$!
waits() { "$h5swim" locks 2>/dev/null | grep -q ' waits  *WRITE '; }
await waits
kill -USR1 $job
said 'another job is at the output: WRITE of job:.*WRITE held by .*job slow'
touch enough
wait $first || fail "a job that was asked while it waits: $(cat first state)"
wait $job || fail "a job that was asked while it waits: $(cat first state)"
passed "a job that waits for another one says so"

if command -v mpirun >/dev/null; then
    rm enough out.h5
    mpirun --oversubscribe -n 2 "$h5swim" run slow.yaml --readers 1 --quiet 2>state &
    job=$!
    ask $job
    wait $job || fail "the job under mpirun did not go on: $(cat state)"
    passed "so does one under mpirun, which passes the signal on"
fi

# One that is not ready to answer: its expression is being compiled.
cat > slow-cc <<'SH'
#!/bin/sh
case " $* " in *" -shared "*)
    touch compiling
    while [ ! -e compile ]; do sleep 0.01; done
    ;;
esac
exec cc "$@"
SH
chmod +x slow-cc
on_exit "touch '$PWD/compile'"
rm -f out.h5
CC=$PWD/slow-cc "$h5swim" calc 'u + 1' u=in.h5:/U out=out.h5:/Y --quiet 2>early &
job=$!
await test -e compiling
kill -USR1 $job
touch compile
wait $job || fail "asked while it compiled, the job ended: $?, $(cat early)"
passed "a job that cannot answer yet goes on"
