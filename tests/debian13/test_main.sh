#!/usr/bin/env bash
# Debian 13, for its HDF5 1.14 and Open MPI 5: the tree is built there without a warning,
# and the tests of the store, of the object interface, of h5swim exec and of jobs that are
# killed pass, with mpirun as well, and those of the locks with Valkey.  The packages that
# cpack makes there run the jobs of the quickstart on a Debian 13 that has nothing else.
# long.debian13 has the rest.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/debian.sh
. "$(dirname "$0")/../support/debian.sh"
# shellcheck source=tests/support/package.sh
. "$(dirname "$0")/../support/package.sh"

debian_open trixie main "${SWIM_BUILD_PACKAGES[@]}" libcmocka-dev procps hdf5-tools python3-h5py \
    netcdf-bin dpkg-dev file valkey-server
passed "HDF5 $(inside pkg-config --modversion hdf5-serial), gcc $(inside gcc -dumpfullversion), $(inside mpirun --version | head -n 1)"
debian_build
debian_ctest "the store" -j2 \
    -R '^unit[.](chunks|codec|dataset|deflate|filters|journal|overlay|txn|recover|store|verdict|vfd)'
# What speed is measured against finds its chunks by H5Dchunk_iter() here.
mkdir -p "$debian/build/tests/data"
cp "$(data_dir)"/*.nc "$debian/build/tests/data"
inside env SWIM_BUILD=/build bash /src/tests/bench/run --size 3 --runs 1 --peer-runs 0 \
    --only wind_speed,wind_small,months,recompress >"$tmp/bench.log" 2>&1 ||
    fail "the hand-tuned programs: $(tail -n 5 "$tmp/bench.log")"
passed "hand-tuned programs come to the same results"
debian_ctest "the object interface" -j2 -R '^unit[.]object|^(fault|integration)[.]object_'
debian_ctest "crashes" -j2 -R '^fault[.](store|txn|recover)_crash'
debian_ctest "h5swim exec, and the plug-in" -j2 \
    -R '^integration[.](exec|exec_plugin|check|store_plain)$'
grep -q 'exec_plugin.* Passed' "$tmp/ctest.log" || fail "the plug-in was not tested"
debian_ctest "jobs" -j2 \
    -R '^unit[.](coordinator|region|output_progress|outputs|setup)|^integration[.](failed_blocks|job_state)$'
SWIM_ROUNDS=10 debian_ctest "jobs that are killed until they are done" -R '^fault[.]job_rounds$'
SWIM_TEST_SERVER=valkey-server debian_ctest \
    "locks by $(inside valkey-server --version | cut -d' ' -f1-3)" -R '^unit[.]lock(_death|_epoch)?$'

rm -rf "$debian/packages"
inside cpack --config /build/CPackConfig.cmake -B /packages >"$tmp/out" 2>&1 ||
    fail "cpack: $(cat "$tmp/out")"
package_try trixie "$debian/packages"
