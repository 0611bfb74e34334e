#!/usr/bin/env bash
# Ranks of MPI that are silent for too long.  One that comes back does no harm: others do
# its blocks.  That rank 0 is the one is said by the others.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_SERVER_IDLE_S=20
"$python" - <<'PY'
import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    f.create_dataset("U", data=np.arange(200 * 64, dtype="f4").reshape(200, 64), chunks=(1, 64))
PY
slow_job 100 "$PWD/enough"
"$h5swim" run slow.yaml --dry-run >/dev/null # compiles the kernel, starts the lock server

at_work() { [ -s out.h5.swimlog ] && [ "$(run_pids | wc -l)" -ge 12 ]; }
# rank_pid N: of a rank of the job.
rank_pid() {
    local p
    for p in $(below "$job"); do
        if grep -qzx "OMPI_COMM_WORLD_RANK=$1" "/proc/$p/environ"; then echo "$p"; fi
    done
}
begin() {
    rm -f out.h5 enough
    mpirun --oversubscribe -n 3 "$h5swim" run slow.yaml --readers 1 --quiet --overwrite >"$tmp/out" 2>job.err &
    job=$!
    await at_work
}
ends_with() { # STATUS
    local got=0
    wait "$job" || got=$?
    [ $got = "$1" ] || fail "the job ended with $got, not $1: $(cat job.err)"
}
is_alone() { [ -z "$(below "$1")" ]; }
right() {
    "$python" - <<'PY' || fail "the result is not right"
import h5py
f = h5py.File("out.h5")
assert (f["Y"][:] == 2 * h5py.File("in.h5")["U"][:]).all() and "h5swim_unfinished" not in f["Y"].attrs
PY
}

# named PID: the record says that rank 1 was lost, and why.
named() {
    "$python" "$support/record_check.py" out.run.json 'set(n for _, n in blocks) <= set(range(200))' \
        'r["status"] == "done" and r["totals"]["blocks"] == 200 <= len(set(blocks)) + r["dropped"]' \
        "[(p['rank'], p['pid']) for p in r['lost_ranks']] == [(1, $1)]" \
        '"has been silent for 6 s" in r["lost_ranks"][0]["why"]' || fail "the record"
}

# all_of RANK: it, its spawner, its reader and its writer.
all_of() {
    local spawner
    spawner=$(of_rank "$1" spawner)
    printf '%s\n' "$1" "$spawner"
    below "$spawner"
}

export SWIM_LEASE_MS=2000 # rank 0 keeps it, however busy the machine is
begin
rank=$(rank_pid 1)
kill -STOP "$rank"
await grep -q 'rank 1 has been silent for 6 s and is given up' job.err
kill -CONT "$rank"
await is_alone "$rank"
touch enough
ends_with 0
if grep -q mpirun job.err; then fail "mpirun complains: $(cat job.err)"; fi
right
named "$rank"
await no_process
passed "a rank that comes back waits for the others, and all end well"

# With its workers, whose locks are lost as well.
begin
rank=$(rank_pid 1)
mapfile -t all < <(all_of "$rank")
[ ${#all[@]} = 4 ] || fail "rank 1 has not three children: ${all[*]}"
kill -STOP "${all[@]}"
await grep -q 'rank 1 has been silent for 6 s and is given up' job.err
kill -CONT "${all[@]}"
await is_alone "$rank"
touch enough
ends_with 0
right
named "$rank"
await no_process
passed "so does one whose workers have lost their locks"

# Rank 0 cannot go on for as long, as nobody reads what it says, but keeps its lease.
mkfifo said
exec 9<>said
rm -f out.h5 enough
args=(run slow.yaml --readers 1 --quiet --overwrite)
# shellcheck disable=SC2016 # for the inner shell
mpirun --oversubscribe -n 1 sh -c 'exec "$0" "$@" 2>said' "$h5swim" "${args[@]}" : \
    -n 2 "$h5swim" "${args[@]}" >"$tmp/out" 2>job.err &
job=$!
await at_work
"$python" -c 'import os
said = os.open("said", os.O_WRONLY | os.O_NONBLOCK)
try:
    while os.write(said, b"." * 4096): pass
except BlockingIOError: pass'
rank=$(rank_pid 0)
kill -USR1 "$rank"
await grep -q pipe "/proc/$rank/wchan"
sleep 9
cat <&9 >all.err &
reads=$!
touch enough
ends_with 0
kill $reads
exec 9>&-
if grep -a 'given up' all.err job.err; then fail "healthy ranks were given up"; fi
right
"$python" "$support/record_check.py" out.run.json 'r["lost_ranks"] == []' || fail "the record"
await no_process
passed "rank 0 that was held up itself gives nobody up"

begin
kill -STOP "$(rank_pid 0)"
await_s=60 await grep -q 'rank 1: no answer of rank 0 for 24 s' job.err
ends_with 1
await no_process
passed "a rank that hears nothing of rank 0 says so, and mpirun ends the others"
"$h5swim" serve stop --force >/dev/null 2>&1 || true # it would wait for others, 20 s
