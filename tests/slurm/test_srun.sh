#!/usr/bin/env bash
# Ranks that srun starts on four nodes write the same bits as one process.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$support/locklib.sh"
# shellcheck source=tests/support/slurm.sh
. "$support/slurm.sh"

if ! why=$(slurm_possible); then
    printf 'SKIPPED, no Slurm: %s\n' "$why"
    exit 77
fi
slurm_up 4 4
data=$(data_dir)
for job in wind_speed:WSPD wind_climatology:UWND; do
    launcher=()
    run_job "${job%:*}" "$tmp/one.nc" -n 1 --overwrite
    launcher=(srun -N4 -n4 --mpi=pmix -K1 --chdir="$tmp" --export=ALL)
    run_job "${job%:*}" "$tmp/four.nc" --overwrite
    compare "$tmp/one.nc" "${job#*:}" "$tmp/four.nc" "${job#*:}"
    passed "${job%:*} under srun"
done
