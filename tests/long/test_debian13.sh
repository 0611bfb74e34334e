#!/usr/bin/env bash
# Debian 13: HDF5 1.14, Open MPI 5, hiredis 1.2, OpenSSL 3.5, Redis 8, and Valkey.  The tree is
# built there and its unit tests run, those of the locks with both servers.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/debian.sh
. "$(dirname "$0")/../support/debian.sh"

debian_open trixie all "${SWIM_BUILD_PACKAGES[@]}" git openssl procps hdf5-tools netcdf-bin nco cdo \
    libcmocka-dev python3 python3-h5py python3-netcdf4 python3-numpy python3-pytest \
    python3-tables python3-xarray valkey-server
debian_build
debian_ctest "unit tests" -L '^unit$'
debian_ctest "crashes" -R '^fault[.](store|txn|recover|object)_crash'
debian_ctest "h5swim exec and the plug-in" -R '^integration[.](exec|object)'
debian_ctest "files that others made, batch jobs" \
    -R '^integration[.](bad_input|check|reference|shapes|store_plain)'
SWIM_TEST_SERVER=valkey-server debian_ctest \
    "locks by $(inside valkey-server --version | cut -d' ' -f1-3)" -R '^unit[.]lock'
