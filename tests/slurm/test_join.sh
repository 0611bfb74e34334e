#!/usr/bin/env bash
# Nodes that come to a job of run.sbatch and go: by join.sbatch, by srun from a shell;
# cancelled or preempted in the middle.  The job ends well, with the bits of one process.
# test_join.sh [ROUND...]: how those leave that have come, one after the other.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$support/locklib.sh"
# shellcheck source=tests/support/slurm.sh
. "$support/slurm.sh"
# shellcheck source=tests/support/slurmlib.sh
. "$support/slurmlib.sh"

slurm_or_skip
slurm_up 4 4
mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_LEASE_MS=4000
[ $# -gt 0 ] || set -- scancel

"$python" - <<'PY'
import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    f.create_dataset("U", data=np.arange(2400 * 64, dtype="f4").reshape(2400, 64), chunks=(1, 64))
PY
printf '%s\n' "kernel: $support/kernels/told.c" "params: {until: '$PWD/enough'}" \
    'inputs: {u: {file: in.h5, dataset: U}}' 'outputs: {y: {file: out.h5, dataset: Y}}' \
    'block: [1, 64]' >told.yaml
NAP_MS=0 "$h5swim" run told.yaml --quiet --set outputs.y.file=one.h5

export NAP_MS=100
computed() { stat -c %s "$1" 2>/dev/null || echo 0; } # WHO: so many blocks
did() { [ "$(computed "$1")" -ge "$2" ]; }            # WHO N
# await_blocks WHO N: it, whose output is in $job_out, computes N more.
await_blocks() {
    slurm_until 60 did "$1" $(($(computed "$1") + $2)) ||
        slurm_fail "$1 is not at work: $(cat "$job_out" ./*.err 2>/dev/null)"
}
# begin_on NODES: the job that is joined, $main.
begin_on() {
    rm -f enough job joins shell out.h5
    WHO=$PWD/job submit run --nodelist="$1" --nodes=2 --cpus-per-task=1 --time=10 -- told.yaml
    main=$job
    main_out=$job_out
    await_blocks job 1
}
# join NODES: the job that joins it, as $job.
join() {
    WHO=$PWD/joins submit join --nodelist="$1" --nodes="$2" --cpus-per-task=2 --time=10 -- told.yaml
}
# end_of_main RANKS WHO...: the job ends well; so many have joined it, these in all.
end_of_main() {
    local ranks=$1
    shift
    touch enough
    job=$main
    job_out=$main_out
    await_end COMPLETED
    compare one.h5 Y out.h5 Y || fail "another result: $(cat "$main_out")"
    slurm_until 20 nobody_of "$main" || slurm_fail "of the job are left: $(pids_of "$main")"
    slurm_until 20 no_locks_held || fail "locks are held: $(cat locks.json)"
    [ ! -e out.h5.swimlog ] || fail "a journal is left"
    all=$(cat job "$@" | wc -c)
    [ "$all" -ge 2400 ] || fail "only $all blocks were computed"
    [ "$all" -le 2500 ] || fail "$all blocks were computed for 2400"
    grep -qE "joined +$ranks ranks" "$main_out" || fail "the summary of the job: $(cat "$main_out")"
}

# --- without, and with, a lock server ------------------------------------------------------
export H5SWIM_LOCK_SERVER=$tmp/nowhere
join n3 1
await_end FAILED
grep -q "no lock server: no $H5SWIM_LOCK_SERVER" "$job_out" || fail "$(cat "$job_out")"
lock_server_by_slurm --nodelist=n1
join n3 1
await_end FAILED
grep -q 'no job is at the output .*out.h5' "$job_out" || fail "$(cat "$job_out")"
passed "join.sbatch: without a lock server, or a job, it says so"

# --- until the job ends --------------------------------------------------------------------
begin_on n1,n2
join n3,n4 2
joined=$job
joined_out=$job_out
await_blocks joins 20
WHO=$PWD/shell srun --quiet --nodes=1 --ntasks=1 --immediate=60 --mpi=none \
    "$h5swim" run told.yaml --join --readers 1 >shell.out 2>shell.err &
shell=$!
await_blocks shell 5
end_of_main 3 joins shell
wait $shell || fail "the rank of the shell: $(cat shell.out shell.err)"
job=$joined
job_out=$joined_out
await_end COMPLETED
for out in "$joined_out" shell.out; do
    grep -qE ': [1-9][0-9]* blocks in .*; all blocks of the job are done' "$out" ||
        fail "$(cat "$out")"
done
[ "$(grep -c 'joined with 1 ranks, 2 readers' "$joined_out")" = 2 ] || fail "$(cat "$joined_out")"
passed "two nodes by join.sbatch, one by srun: the bits of one process, $all blocks computed for 2400"

# --- and not so long -----------------------------------------------------------------------
leave_scancel() {
    on_hub scancel "$job"
    await_end CANCELLED
    slurm_until 20 nobody_of "$job" || slurm_fail "$1: left: $(pids_of "$job")"
    job_out=$main_out await_blocks job 10
    end_of_main 1 joins
}

is_back() { [ "$(slurm_restarts "$job")" = Restarts=1 ] && slurm_is "$job" RUNNING; }
leave_preemption() {
    on_hub sbatch --quiet -p urgent --nodelist=n3 --exclusive -o /dev/null --wrap "sleep 1"
    slurm_until 60 is_back || slurm_fail "$1: it has not come back: $(cat "$job_out")"
    grep -q 'left by a signal, the job goes on' "$job_out" || fail "$1: $(cat "$job_out")"
    await_blocks joins 5
    joined=$job
    joined_out=$job_out
    end_of_main 2 joins
    job=$joined
    job_out=$joined_out
    await_end COMPLETED
}

for round in "$@"; do
    began=$SECONDS
    begin_on n1,n2
    join n3 1
    await_blocks joins 10
    "leave_$round" "$round"
    [ "$(slurm_restarts "$main")" = Restarts=0 ] || fail "$round: the job was requeued"
    passed "$round: the job goes on, $all blocks computed for 2400 ($((SECONDS - began)) s)"
done
