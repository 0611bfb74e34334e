#!/usr/bin/env bash
# Four ranks under the launcher of MPICH write the same bits as one process, beside the
# plug-in for Open MPI; a plug-in of another MPI than the launcher's is refused.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"

if ! command -v mpirun.mpich >/dev/null || [ ! -e "$SWIM_BUILD/lib/h5swim/h5swim_mpich.so" ]; then
    echo "SKIPPED: MPICH was NOT tested: it was not there when the tree was configured (apt install libmpich-dev mpich)"
    exit 77
fi
data=$(data_dir)
for job in wind_speed:WSPD wind_climatology:UWND relief_slope:SLOPE; do
    launcher=()
    run_job "${job%:*}" "$tmp/one.nc" -n 1 --overwrite
    launcher=(mpirun.mpich -n 4)
    run_job "${job%:*}" "$tmp/four.nc" --overwrite
    compare "$tmp/one.nc" "${job#*:}" "$tmp/four.nc" "${job#*:}"
done
passed "$(mpirun.mpich --version | sed -n 's/^ *Version: */MPICH /p'): the bits of one process"

# Without it Open MPI's is loaded, to which each rank is alone.
cmake --install "$SWIM_BUILD" --prefix "$tmp/prefix" >/dev/null
rm "$tmp/prefix/lib/h5swim/h5swim_mpich.so"
h5swim=$tmp/prefix/bin/h5swim
expect_status 1 mpirun.mpich -n 2 "$h5swim" run "$SWIM_SOURCE/jobs/wind_speed.yaml" --quiet \
    --set "inputs.u.file=$data/monthly_navy_winds.nc" \
    --set "inputs.v.file=$data/monthly_navy_winds.nc" --set "outputs.speed.file=$tmp/none.nc"
grep -v 'one of 2 ranks, but the MPI of .*/h5swim_mpi.so sees 1: use the mpirun' "$tmp/err" &&
    fail "something else is said"
[ -s "$tmp/err" ] || fail "nothing is said"
[ ! -e "$tmp/none.nc" ] || fail "it wrote all the same"
passed "the launcher of another MPI is refused"
