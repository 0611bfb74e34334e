#!/usr/bin/env bash
# The driver as a plug-in of HDF5 1.14 and later: HDF5_DRIVER=h5swim.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/execlib.sh
. "$(dirname "$0")/../support/execlib.sh"

plugins=$SWIM_BUILD/lib/h5swim/hdf5
if [ ! -e "$plugins/libh5swim-vfd.so" ]; then
    printf 'SKIPPED: the plug-in was NOT tested: that needs HDF5 1.14\n'
    exit 77
fi
plug() {
    env HDF5_PLUGIN_PATH="$plugins" HDF5_DRIVER=h5swim SWIM_WAIT="${wait_s:-30}" timeout 60 "$@"
}
expect_status 0 plug "$steps" create=a.h5 put=1 close
[ -z "$(ls a.h5.* 2>/dev/null)" ] || fail "something lies beside a.h5"
hold open=a.h5 put=2
expect_status 0 plug "$steps" read=a.h5 get close
expect_output 'x=1'
expect_status 0 plug h5dump -d x a.h5
expect_status 0 plug "$python" -c 'import h5py; print(h5py.File("a.h5", "r")["x"][0])'
expect_output 1
wait_s=1 expect_status 1 plug "$steps" open=a.h5
grep -q 'UPDATE held by' "$tmp/out" || fail "$(cat "$tmp/out")"
let_go
expect_status 0 plug "$python" -c 'import h5py
f = h5py.File("a.h5", "r+"); f["x"][...] = 4; raise SystemExit(0)'
expect_status 3 plug "$python" -c 'import h5py
f = h5py.File("a.h5", "r+"); f["x"][...] = 5; raise SystemExit(3)'
expect_status 0 "$steps" read=a.h5 get
expect_output 'x=4'
expect_status 0 swim env HDF5_PLUGIN_PATH="$plugins" HDF5_DRIVER=h5swim "$steps" open=a.h5 put=6 close
expect_status 0 "$steps" read=a.h5 get
expect_output 'x=6'
passed "HDF5_DRIVER=h5swim, alone and under h5swim exec"
