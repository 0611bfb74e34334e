#!/usr/bin/env bash
# A job by run.sbatch that is cancelled, requeued, preempted, warned of its time limit, or
# loses srun, a slurmstepd or a rank: nothing is left on any node, locks are free, what was
# committed is there, and the job goes on to the right result.
# test_signals.sh [CASE...]: other cases, one after the other, on one job.
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
export SWIM_CACHE_DIR=$tmp/cache SWIM_SERVER_IDLE_S=20 SWIM_LEASE_MS=3000
[ $# -gt 0 ] || set -- scancel warning rank preemption srun stepd
ms=0 # of a block: each rank has 100 of them, which must last for all cases
for name in "$@"; do
    case $name in
    timeout) ms=$((ms + 1000)) ;;
    limit) ms=$((ms + 400)) ;;
    *) ms=$((ms + 80)) ;;
    esac
done
slow_job_under_slurm $ms

# stepd_of NODE: of the ranks there; every rank has one.
stepd_of() {
    local pid
    for pid in $(slurm_steps slurmstepd); do
        if tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF "[$job.0]" &&
            [ "$(nsenter -t "$pid" --uts hostname)" = "$1" ]; then
            echo "$pid"
        fi
    done
}
rank_of() { pgrep -P "$(stepd_of "$1")" | head -n 1; }

# at_work WHAT: the job goes on, and commits more.
at_work() {
    slurm_until 60 slurm_is "$job" RUNNING || slurm_fail "$1: the job does not run"
    slurm_until 60 more_there || slurm_fail "$1: nothing more is done: $(cat "$job_out")"
}
more_there() { [ "$(blocks_there)" -gt "$kept" ]; }
again() { submit run "${few[@]}" -- slow.yaml; }

case_scancel() {
    on_hub scancel "$job"
    await_end CANCELLED
    look_after_interruption "$1" 30
    again
}

case_requeue() {
    on_hub scontrol requeue "$job"
    look_after_interruption "$1" 30
}

# As --signal has it sent before the time limit.
case_warning() {
    on_hub scancel --batch --signal=USR1 "$job"
    slurm_until 10 restarted || slurm_fail "$1: the job is not requeued: $(cat "$job_out")"
    grep -q 'to be continued' "$job_out" || fail "$1: $(cat "$job_out")"
    grep -q 'stopped by SIGTERM' "$job_out" || fail "$1: it was not SIGTERM: $(cat "$job_out")"
    look_after_interruption "$1" 30
}

# The same by Slurm itself, which looks at its limits every 30 s.
case_limit() {
    on_hub scontrol update "jobid=$job" timelimit=2 # run.sbatch wants to know 120 s before
    slurm_until 100 restarted || slurm_fail "$1: the job is not requeued: $(cat "$job_out")"
    on_hub scontrol update "jobid=$job" timelimit=60
    look_after_interruption "$1" 30
}

# No warning: SIGTERM, and SIGKILL after KillWait.
case_timeout() {
    on_hub scancel "$job"
    await_end CANCELLED
    submit run "${few[@]}" --time=1 --signal=B:CONT@1 -- slow.yaml
    at_work "$1"
    await_end TIMEOUT 150
    look_after_interruption "$1" 10
    again
}

case_preemption() {
    on_hub sbatch --quiet -p urgent -N4 --exclusive -o /dev/null --wrap "sleep 1"
    slurm_until 20 slurm_is "$job" PENDING || slurm_fail "$1: the job is not requeued: $(cat "$job_out")"
    on_hub scontrol hold "$job" # until all was looked at
    look_after_interruption "$1" 20
    on_hub scontrol release "$job"
    slurm_until 60 restarted || slurm_fail "$1: the job is not started again: $(cat "$job_out")"
}

case_srun() {
    # shellcheck disable=SC2046 # srun is two processes
    kill -KILL $(slurm_steps srun)
    await_end FAILED
    look_after_interruption "$1" 10
    again
}

case_rank() {
    kill -KILL "$(rank_of n2)"
    await_end FAILED
    grep -q 'task 0: Exited with exit code 143' "$job_out" ||
        fail "$1: the others were not given the time to leave: $(cat "$job_out")"
    look_after_interruption "$1" 10
    again
}

rank_is_gone() { [ "$(run_pids | wc -l)" -lt 16 ]; } # of four ranks of four
is_given_up() { grep -q 'rank [0-9] has been silent for 9 s and is given up' "$job_out"; }
# Slurm does not notice that; the other ranks do, and go on.
case_stepd() {
    kill -KILL "$(stepd_of n2)"
    slurm_until 10 rank_is_gone || slurm_fail "$1: the rank is still there"
    slurm_until 30 is_given_up || slurm_fail "$1: nobody notices: $(cat "$job_out")"
    kept=$(blocks_there)
    slurm_until 60 more_there || slurm_fail "$1: the others do not go on: $(cat "$job_out")"
    on_hub scancel "$job"
    await_end CANCELLED
    look_after_interruption "$1" 10
    again
}

kept=8
begin
for name in "$@"; do
    at_work "$name"
    restarts=$(slurm_restarts "$job")
    since=$SECONDS
    "case_$name" "$name"
    passed "$name: $kept blocks are there, nobody is left ($((SECONDS - since)) s)"
done
look_at_result "after all that"
