#!/usr/bin/env bash
# Debian 13, for its HDF5 1.14 and Open MPI 5: the tree is built there without a warning,
# and the tests of the store, of the object interface, of h5swim exec and of jobs that are
# killed pass, with mpirun as well.  long.debian13 has the rest.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/debian13.sh
. "$(dirname "$0")/../support/debian13.sh"

debian13_open main "${SWIM_BUILD_PACKAGES[@]}" libcmocka-dev procps hdf5-tools python3-h5py netcdf-bin
passed "HDF5 $(inside pkg-config --modversion hdf5-serial), gcc $(inside gcc -dumpfullversion), $(inside mpirun --version | head -n 1)"
debian13_build
debian13_ctest "the store" -j2 \
    -R '^unit[.](codec|dataset|journal|overlay|txn|recover|store|verdict|vfd)'
debian13_ctest "the object interface" -j2 -R '^unit[.]object|^(fault|integration)[.]object_'
debian13_ctest "crashes" -j2 -R '^fault[.](store|txn|recover)_crash'
debian13_ctest "h5swim exec, and the plug-in" \
    -R '^integration[.](exec|exec_plugin|check|store_plain)$'
grep -q 'exec_plugin.* Passed' "$tmp/ctest.log" || fail "the plug-in was not tested"
debian13_ctest "jobs" -j2 \
    -R '^unit[.](coordinator|region|output_progress|outputs|setup)|^integration[.](failed_blocks|job_state)$'
debian13_ctest "jobs that are killed until they are done" -R '^fault[.]job_rounds$'
