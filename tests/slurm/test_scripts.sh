#!/usr/bin/env bash
# The scripts in slurm/, as they are, on four nodes: the same bits as without Slurm.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$support/locklib.sh"
# shellcheck source=tests/support/slurm.sh
. "$support/slurm.sh"
# shellcheck source=tests/support/slurmlib.sh
. "$support/slurmlib.sh"

slurm_or_skip
for script in "$SWIM_SOURCE"/slurm/*.sbatch; do
    bash -n "$script" || fail "$script"
done
slurm_up 4 4
data=$(data_dir)
mkdir "$tmp/work"
cd "$tmp/work"
winds=$data/monthly_navy_winds.nc
run_job wind_speed "$tmp/one.nc" -n 1
speed=(--set "inputs.u.file=$winds" --set "inputs.v.file=$winds")

# --- several nodes, and the same job again

run_job wind_climatology "$tmp/mean.nc" -n 1
submit run "${few[@]}" -- "$SWIM_SOURCE/jobs/wind_climatology.yaml" \
    --set "inputs.x.file=$winds" --set "outputs.mean.file=$PWD/mean.nc"
await_end COMPLETED
compare "$tmp/mean.nc" UWND mean.nc UWND
[ ! -e mean.nc.h5swim-partials ] || fail "partial results are left: $(cat "$job_out")"
passed "run.sbatch: a reduction"
submit run "${few[@]}" -- "$SWIM_SOURCE/jobs/wind_climatology.yaml" \
    --set "inputs.x.file=$winds" --set "outputs.mean.file=$PWD/mean.nc"
await_end COMPLETED
grep -q 'complete already' "$job_out" || fail "done again: $(cat "$job_out")"
passed "run.sbatch: what is complete is not done again"
for script in run run-mpirun; do
    submit $script "${few[@]}" -- "$SWIM_SOURCE/jobs/wind_speed.yaml" "${speed[@]}" \
        --set "outputs.speed.file=$PWD/$script.nc"
    await_end COMPLETED
    grep -q 'ranks *4, 4 readers' "$job_out" || fail "$script: not 4 ranks: $(cat "$job_out")"
    compare "$tmp/one.nc" WSPD $script.nc WSPD
    passed "$script.sbatch: the bits of one process"
done

# --- a lock server as a job of its own, and what needs one

export H5SWIM_LOCK_SERVER=$tmp/home/.h5swim/lock-server
submit follow --cpus-per-task=1 -- "$SWIM_SOURCE/jobs/wind_speed.yaml"
await_end FAILED
grep -q "no lock server: no $H5SWIM_LOCK_SERVER" "$job_out" || fail "$(cat "$job_out")"
passed "follow.sbatch: without a lock server it says so"
submit redis
server_job=$job
slurm_until 20 test -e "$H5SWIM_LOCK_SERVER" || slurm_fail "no lock server: $(cat "$job_out")"
[ "$(stat -c %a "$H5SWIM_LOCK_SERVER")" = 600 ] || fail "others can read $H5SWIM_LOCK_SERVER"
[ "$(stat -c %a "${H5SWIM_LOCK_SERVER%/*}")" = 700 ] || fail "others can look into its folder"
# shellcheck disable=SC2016 # for the inner shell, as one on a login node
url=$(bash -c '. "$0" && echo "$SWIM_REDIS_URL"' "$H5SWIM_LOCK_SERVER")
[[ "$url" == redis://:*@127.0.0.1:* ]] || fail "the URL is ${url/:*@/:...@}"
secret=${url#redis://:}
secret=${secret%@*}
if grep -qF "$secret" ./*.out; then fail "the password is in the output of a job"; fi
if grep -qsF "$secret" /proc/[0-9]*/cmdline; then fail "the password is on a command line"; fi
[ "$(slurm_state "$job")" = RUNNING ] || slurm_fail "the lock server: $(cat "$job_out")"

# --- an array over files, with that server

names=('first & second' "it's: #2" '[third')
for name in "${names[@]}"; do
    cp "$winds" "$name.nc"
    printf '%s\n' "$PWD/$name.nc" >>files
done
mkdir results
# Their private lock server could not be had: it is that one which they use.
submit array --cpus-per-task=1 --array=1-3 --export=ALL,SWIM_SERVER_DIR=/dev/null/none -- files "$SWIM_SOURCE/jobs/wind_speed.yaml" \
    --set "inputs.u.file='@FILE'" --set "inputs.v.file='@FILE'" \
    --set "outputs.speed.file='$PWD/results/@NAME'"
await_end COMPLETED
for name in "${names[@]}"; do
    compare "$tmp/one.nc" WSPD "results/$name.nc" WSPD
done
passed "array.sbatch: one job for each file"

submit array --cpus-per-task=1 --array=7 -- files "$SWIM_SOURCE/jobs/wind_speed.yaml"
await_end FAILED
grep -q 'files has no line 7' "$job_out" || fail "$(cat "$job_out")"
passed "array.sbatch: a line that is not there is said"

on_hub scancel "$server_job"
job=$server_job
await_end CANCELLED
[ ! -e "$H5SWIM_LOCK_SERVER" ] || fail "the file of the lock server stays"
no_servers() { [ -z "$(slurm_steps redis-server)$(slurm_steps h5swim)" ]; }
slurm_until 10 no_servers || fail "redis-server stays: $(slurm_steps redis-server)"
passed "redis.sbatch: nothing is left of it"
