#!/usr/bin/env bash
# Four ranks of MPI write the same bits as one process.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"

data=$(data_dir)
for job in wind_speed:WSPD wind_climatology:UWND relief_slope:SLOPE; do
    launcher=()
    run_job "${job%:*}" "$tmp/one.nc" -n 1 --overwrite
    launcher=(mpirun -n 4 --oversubscribe)
    run_job "${job%:*}" "$tmp/four.nc" --overwrite
    compare "$tmp/one.nc" "${job#*:}" "$tmp/four.nc" "${job#*:}"
done
