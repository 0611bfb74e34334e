#!/usr/bin/env bash
# The lock server goes away and comes back in the middle of a job, or the disk is full:
# the job waits and goes on, or stops with one line and can be resumed.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/jobstore.sh
. "$(dirname "$0")/../support/jobstore.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_LEASE_MS=1500 NAP_MS=20
socket=$tmp/redis.sock

redis_start() { # its data, if any, are in $tmp
    local i
    redis-server --port 0 --unixsocket "$socket" --dir "$tmp" --save '' --appendonly no \
        --daemonize yes --pidfile "$tmp/redis.pid" --logfile "$tmp/redis.log" >/dev/null
    for ((i = 0; i < 500; i++)); do
        if redis-cli -s "$socket" ping 2>/dev/null | grep -q PONG; then return; fi
        sleep 0.02
    done
    fail "redis-server does not start: $(cat "$tmp/redis.log")"
}
redis_stop() { # save or nosave
    redis-cli -s "$socket" shutdown "$1" >/dev/null 2>&1 || true
}
at_exit() {
    redis_stop nosave
    umount "$tmp/work/full" 2>/dev/null || true
    cleanup
}
trap at_exit EXIT
redis_start
export SWIM_REDIS_URL=unix://$socket
job_store_files

# outage NAME COMMAND...: what happens while the job is at it; $status is the job's.
outage() {
    local name=$1 i job
    shift
    rm -f out.h5*
    "$h5swim" run pair.yaml -n 2 --readers 1 --quiet 2>err &
    job=$!
    for ((i = 0; i < 1000; i++)); do
        if [ -e out.h5.swimlog ]; then break; fi
        sleep 0.01
    done
    sleep 0.2
    kill -0 $job || fail "$name: the job is over too early for this test: $(cat err)"
    "$@"
    status=0
    wait $job || status=$?
}
come_back() { # SAVE SECONDS
    redis_stop "$1"
    sleep "$2"
    redis_start
}
goes_on() { # NAME COMMAND...
    outage "$@"
    [ $status = 0 ] || fail "$1: status $status: $(cat err)"
    one_state out.h5
    passed "$1: the job goes on"
}
goes_on "the lock server is started again without its data" come_back nosave 0.3
goes_on "the lock server is started again with its data" come_back save 0.3
rm -f "$tmp/dump.rdb"
flush() { redis-cli -s "$socket" flushall >/dev/null; }
goes_on "the lock server's data are flushed" flush

outage "gone" come_back nosave 4
[ $status = 1 ] || fail "status $status after the lock server was gone for longer than the lease: $(cat err)"
[ "$(grep -c '^h5swim: ' err)" = 1 ] || fail "not one line: $(cat err)"
grep -qE '^h5swim: .*lock.*[0-9]+ of 120 blocks are done, --resume goes on' err || fail "no word of --resume: $(cat err)"
expect_status 0 "$h5swim" run pair.yaml --resume --quiet
one_state out.h5
passed "the lock server is gone for longer than the lease: $(grep '^h5swim: ' err)"

if [ "$(id -u)" = 0 ] && mkdir full && mount -t tmpfs -o size=3m tmpfs full; then
    "$python" - <<'PY'
import h5py, numpy as np
with h5py.File("big.h5", "w") as f:
    f.create_dataset("U", data=np.random.default_rng(3).random((64, 16384), dtype="f4"), chunks=(1, 16384))
PY
    big=(pair.yaml --quiet --set inputs.u.file=big.h5 --set 'outputs.y.chunks=[1, 16384]' --set 'block=[1, 16384]'
        --set 'outputs.z.chunks=[1, 16384]' --set outputs.y.file=full/out.h5 --set outputs.z.file=full/out.h5)
    NAP_MS=1 expect_status 1 "$h5swim" run "${big[@]}" -n 2
    expect_line 'out.h5: No space left on device; [0-9]+ of 64 blocks are done, --resume goes on'
    passed "disk full: $(cat "$tmp/err")"
    NAP_MS=1 expect_status 1 "$h5swim" run "${big[@]}" --resume
    mount -o remount,size=32m full
    NAP_MS=1 expect_status 0 "$h5swim" run "${big[@]}" -n 2 --resume
    "$python" - <<'PY' || fail "the result after room was made"
import h5py, numpy as np
u, f = h5py.File("big.h5")["U"][:], h5py.File("full/out.h5")
assert np.array_equal(f["Y"][:], 2 * u) and np.array_equal(f["Z"][:], u + 1) and len(f["Y"].attrs) >= 2
PY
    passed "with room it goes on to the right result"
else
    echo "skipped: no tmpfs can be mounted here (not root), a full disk is not tried"
fi
