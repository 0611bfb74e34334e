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

# They read one state of an input that others write to all the time.
# shellcheck source=tests/support/locklib.sh
. "$SWIM_SOURCE/tests/support/locklib.sh"
# shellcheck source=tests/support/jobstore.sh
. "$SWIM_SOURCE/tests/support/jobstore.sh"
mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache
# shellcheck disable=SC2016 # it is known when the test ends
on_exit 'touch "$tmp/work/enough"' # for the programs beside
job_store_files
input_writer &
writer=$!
commits=$(cat commits)
expect_status 0 mpirun -n 3 --oversubscribe "$h5swim" run pair.yaml --readers 2 --quiet
during=$(($(cat commits) - commits))
touch enough
wait $writer || fail "the writer of the input"
[ "$during" -ge 5 ] || fail "only $during commits during the job"
one_state out.h5
passed "3 ranks of MPI read one state beside $during commits"
