#!/usr/bin/env bash
# The processes of a job: what they inherit, what they load, what they burn, what is shown.
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
    f.create_dataset("U", data=np.ones((2, 64), dtype="f4"), chunks=(1, 64))
PY
slow_job 4000
"$h5swim" run slow.yaml --dry-run >/dev/null # compiles the kernel, starts the lock server

ticks() { # of all processes so far
    local p sum=0 stat
    for p in $(run_pids); do
        read -r -a stat <"/proc/$p/stat" || continue
        sum=$((sum + stat[13] + stat[14]))
    done
    echo $sum
}
wait_for() { # N processes
    for _ in $(seq 1000); do
        if [ "$(run_pids | wc -l)" -ge "$1" ]; then return; fi
        sleep 0.01
    done
    fail "only $(run_pids | wc -l) of $1 processes came"
}
# What workers have open: their own things, nothing of a rank's or a launcher's.
look_at_workers() { # LAUNCHED_BY_MPI
    local p fd loaded=0
    for p in $(run_pids); do
        if grep -q 'libmpi' "/proc/$p/maps"; then loaded=$((loaded + 1)); fi
        [ "$(find "/proc/$p/fd" | wc -l)" -le 40 ] || fail "process $p has many files open"
    done
    [ "$loaded" = "$1" ] || fail "MPI is loaded in $loaded processes, not in $1"
}

"$h5swim" run slow.yaml -n 4 --readers 1 --quiet --overwrite &
job=$!
wait_for 17 # driver, 4 x (rank, spawner, reader, writer)
sleep 1
look_at_workers 0
before=$(ticks)
sleep 2
burnt=$((($(ticks) - before) * 100 / $(getconf CLK_TCK) / 2))
[ "$burnt" -le 16 ] || fail "4 waiting ranks burn $burnt % of a core"
wait "$job"
passed "4 ranks that wait burn $burnt % of a core together"

if command -v mpirun >/dev/null; then
    mpirun --oversubscribe -n 2 "$h5swim" run slow.yaml --readers 1 --quiet --overwrite &
    job=$!
    wait_for 8
    sleep 1
    look_at_workers 2 # the ranks alone: not their spawners, readers and writers
    before=$(ticks)
    sleep 2
    burnt=$((($(ticks) - before) * 100 / $(getconf CLK_TCK) / 2))
    [ "$burnt" -le 16 ] || fail "2 waiting ranks under mpirun burn $burnt % of a core"
    wait "$job"
    passed "2 ranks under mpirun that wait burn $burnt % of a core together"
fi

# More workers than there is room for word of in a socket.
slow_job 60000 "$PWD/enough"
"$h5swim" run slow.yaml -n 1 --readers 300 --quiet --overwrite &
job=$!
all_opened() {
    sleep 0.2 # it is much to ask of the lock server that they all need
    [ "$("$h5swim" locks in.h5 | grep -c ' held  *READ ')" -ge 300 ]
}
await_s=100 await all_opened
before=${EPOCHREALTIME//[.,]/}
touch enough
wait $job || fail "300 readers"
took=$(((${EPOCHREALTIME//[.,]/} - before) / 1000))
[ $took -lt 5000 ] || fail "300 readers took $took ms to leave"
passed "300 readers leave in $took ms"
rm enough
slow_job 4000

# Progress: one line that is rewritten on a terminal, none when quiet, plain text elsewhere.
if script -qec true typescript >/dev/null 2>&1; then
    TERM=xterm script -qec "'$h5swim' run slow.yaml -n 2 --readers 1 --overwrite" typescript >/dev/null
    grep -q $'\r\033\[K' typescript || fail "no progress line on a terminal"
    sed 's/\x1b\[[0-9;]*m//g' typescript | # in colours, if need be
        grep -qE 'slow \[[=.]+\] [0-9]+/2 blocks  [0-9.]+ GB/s in, [0-9.]+ out  ETA' ||
        fail "progress without blocks, rates, ETA"
else
    echo "skipped: there are no pseudo-terminals here, the progress line is not looked at"
fi
expect_status 0 "$h5swim" run slow.yaml -n 2 --readers 1 --overwrite --quiet
[ ! -s "$tmp/out" ] || fail "--quiet prints on stdout"
[ ! -s "$tmp/err" ] || fail "--quiet prints on stderr"
expect_status 0 "$h5swim" run slow.yaml -n 2 --readers 1 --overwrite --json
"$python" -c 'import json, sys
r = json.load(open(sys.argv[1]))
assert r["status"] == "done" and r["exit_status"] == 0 and r["ranks"] == 2 and r["blocks"] == 2
assert r["error"] is None and r["outputs"][0]["dataset"] == "Y" and r["locks"]["acquired"] > 0' "$tmp/out"
[ ! -s "$tmp/err" ] || fail "--json prints on stderr"
expect_status 1 "$h5swim" run slow.yaml --json --overwrite --redis unix:///nonexistent/redis.sock
"$python" -c 'import json, sys
r = json.load(open(sys.argv[1]))
assert r["status"] == "failed" and r["exit_status"] == 1 and "nonexistent" in r["error"]' "$tmp/out"
