# shellcheck shell=bash
# slurmlib.sh - jobs of h5swim under Slurm, by the scripts in slurm/; sourced after slurm.sh.
: "${tmp:?}" "${SWIM_BUILD:?}" "${SWIM_SOURCE:?}" "${h5swim:?}" "${python:?}" "${support:?}"

slurm_or_skip() {
    local why
    if why=$(slurm_possible); then return; fi
    printf 'SKIPPED: jobs under Slurm were NOT tested: %s\n' "${why//$'\n'/: }"
    exit 77
}

# What a site would have installed.
export PATH=$SWIM_BUILD/bin:$PATH
# Options of sbatch for nodes that have not that many processors.
# shellcheck disable=SC2034 # for the tests
few=(--nodes=4 --cpus-per-task=1 --time=10)

# submit SCRIPT OPTION OF sbatch... -- ARGUMENT...: $job, with its output in $job_out.
submit() {
    local script=$1 options=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    [ $# -eq 0 ] || shift
    # They find the lock server by its file, as those of whoever has not read it.
    job=$(unset SWIM_REDIS_URL && on_hub sbatch --parsable --output="$script-%j.out" \
        "${options[@]}" "$SWIM_SOURCE/slurm/$script.sbatch" "$@") || slurm_fail "sbatch $script"
    job_out=$script-$job.out
}

job_ended() { [ -z "$(on_hub squeue -h -j "$job" 2>/dev/null)" ]; }
# await_end STATE [SECONDS]: that of $job, within a minute or so many seconds.
await_end() {
    slurm_until "${2:-60}" job_ended || slurm_fail "job $job has not ended: $(cat "$job_out")"
    [ "$(slurm_state "$job")" = "$1" ] ||
        slurm_fail "job $job is $(slurm_state "$job"), not $1: $(cat "$job_out")"
}

# The lock server of redis.sbatch, for jobs and this shell; a job until the test ends.
lock_server_by_slurm() { # OPTION OF sbatch...
    export H5SWIM_LOCK_SERVER=$tmp/home/.h5swim/lock-server
    submit redis "$@"
    slurm_until 60 test -e "$H5SWIM_LOCK_SERVER" ||
        slurm_fail "there is no lock server: $(cat "$job_out")"
    # shellcheck disable=SC1090 # just written
    . "$H5SWIM_LOCK_SERVER"
}

# pids_of JOB: its processes of h5swim, by run_pids.
pids_of() {
    local pid
    for pid in $(run_pids); do
        if grep -qsxz "SLURM_JOB_ID=$1" "/proc/$pid/environ"; then echo "$pid"; fi
    done
}
nobody_of() { [ -z "$(pids_of "$1")" ]; }

# --- a job that can be interrupted: slow.yaml in the working directory

# Its blocks take MS each, until there is a file "enough".  KERNEL may have a second output,
# HOST.
slow_job_under_slurm() { # MS [KERNEL]
    "$python" - <<'PY'
import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    f.create_dataset("U", data=np.arange(400 * 64, dtype="f4").reshape(400, 64), chunks=(1, 64))
PY
    printf '%s\n' "kernel: $support/kernels/${2:-slow}.c" \
        "params: {ms: $1, until: '$PWD/enough'}" 'inputs: {u: {file: in.h5, dataset: U}}' \
        outputs: '  y: {file: out.h5, dataset: Y}' 'block: [1, 64]' >slow.yaml
    if [ -n "${2:-}" ]; then
        sed -i 's/^  y:.*/&\n  host: {file: out.h5, dataset: HOST}/' slow.yaml
    fi
    on_hub "$h5swim" run slow.yaml --dry-run >/dev/null # compiles the kernel
}

# shellcheck disable=SC2120 # HOST is given by one test
# blocks_there [HOST]: how many blocks a reader of out.h5 sees, of those computed on host
# hHOST alone.
blocks_there() {
    on_hub "$h5swim" exec -- "$python" - "${1:-}" <<'PY'
import h5py, os, sys
n = 0
if os.path.exists("out.h5"):
    with h5py.File("out.h5", "r") as f:
        u, y = h5py.File("in.h5", "r")["U"][:], f["Y"][:]
        done = (y == 2 * u).all(axis=1)
        assert ((y == f["Y"].fillvalue).all(axis=1) | done).all(), "torn blocks"
        if sys.argv[1]:
            done &= (f["HOST"][:] == float(sys.argv[1])).all(axis=1)
        n = done.sum()
print(n)
PY
}

# shellcheck disable=SC2119
some_blocks_there() { [ "$(blocks_there)" -ge 8 ]; }
# The job, as run.sbatch has it, at work on its nodes.
begin() {
    began=$SECONDS
    rm -f enough out.h5
    submit run "${few[@]}" -- slow.yaml
    slurm_until 30 some_blocks_there || slurm_fail "no blocks are done: $(cat "$job_out")"
    inode=$(stat -c %i out.h5)
}

restarted() { [ "$(slurm_restarts "$job")" != "${restarts:-Restarts=0}" ]; } # since then
nobody_left() { [ -z "$(run_pids)$(slurm_steps srun)$(slurm_steps slurmstepd)" ]; }
no_locks_held() {
    on_hub "$h5swim" locks --json >locks.json || return 1
    "$python" -c 'import json; assert not json.load(open("locks.json"))["resources"]' 2>/dev/null
}

# What has to hold when a job has been interrupted, and nothing of it runs.
look_after_interruption() { # WHAT SECONDS
    local pids
    if ! slurm_until "$2" nobody_left; then
        pids="$(run_pids) $(slurm_steps srun) $(slurm_steps slurmstepd)"
        # shellcheck disable=SC2086 # a list of numbers
        slurm_fail "$1: left: $(printf '%s\n' $pids | xargs -r -n1 ps -o pid=,args= -p)"
    fi
    slurm_until "$2" no_locks_held || fail "$1: locks are held: $(cat locks.json)"
    expect_status 0 "$h5swim" check out.h5
    kept=$(blocks_there)
    [ "$kept" -ge 8 ] || fail "$1: only $kept blocks are left"
}

# The job goes on, as $job, and comes to its end.
look_at_result() { # WHAT
    look_at_output "$1"
    slurm_until 10 nobody_left || slurm_fail "$1: processes are left"
    passed "$1: $kept blocks kept, the result is right ($((SECONDS - began)) s)"
}
look_at_output() { # WHAT
    touch enough
    await_end COMPLETED
    [ "$(blocks_there)" = 400 ] || fail "$1: $(blocks_there) blocks in the end"
    "$python" -c 'import h5py; assert "h5swim_unfinished" not in h5py.File("out.h5")["Y"].attrs' ||
        fail "$1: the output is not finished"
    [ "$(stat -c %i out.h5)" = "$inode" ] || fail "$1: the job began anew"
    [ ! -e out.h5.swimlog ] || fail "$1: a journal is left"
}
