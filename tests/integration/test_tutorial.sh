#!/usr/bin/env bash
# kernels/TUTORIAL.md, followed to the letter, prints what it shows.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

# A clone after jobs/quickstart, as far as the tutorial looks at it.
mkdir -p "$tmp/clone/build/quickstart"
cd "$tmp/clone"
ln -s "$SWIM_BUILD/bin" build/bin
ln -s "$(data_dir)" build/quickstart/data
export SWIM_CACHE_DIR=$tmp/cache
expect_status 0 "$python" "$support/blocks.py" --run "$SWIM_SOURCE/kernels/TUTORIAL.md"
grep -qE '^(8|9|[1-9][0-9]+) blocks of commands, ' "$tmp/out" || fail "the blocks are not seen: $(cat "$tmp/out")"
passed "the tutorial: $(cat "$tmp/out")"
grep -q '<title>force: done - h5swim</title>' tutorial/force.run.html || fail "no page of the run"
"$python" - tutorial <<'PY' || fail "the tutorial's result is not that of numpy"
import sys, h5py, numpy as np
with h5py.File(sys.argv[1] + "/winds.nc") as f, h5py.File(sys.argv[1] + "/force.nc") as made:
    speed = np.hypot(f["UWND"][:], f["VWND"][:])
    force = np.round(np.cbrt((speed / np.float32(0.836)) ** 2))
    assert np.abs(made["FORCE"][:] - force).max() <= 1 and np.mean(made["FORCE"][:] == force) > 0.9999
PY
passed "its result is that of numpy"
