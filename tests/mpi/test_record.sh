#!/usr/bin/env bash
# The record of a run under mpirun: what each rank did is in it.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache
"$python" - <<'PY'
import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    f.create_dataset("U", data=np.arange(40 * 64, dtype="f4").reshape(40, 64), chunks=(1, 64))
PY
slow_job 20
"$h5swim" run slow.yaml --dry-run >/dev/null # compiles
record() { "$python" "$support/record_check.py" "$@" || fail "the record $1"; }
well='r["replaced"] == [] and r["missing_ranks"] == [] and r["failed_blocks"] == []'

expect_status 0 mpirun -n 2 --oversubscribe "$h5swim" run slow.yaml --readers 1 --quiet
record out.run.json "$well" 'blocks == [(0, n) for n in range(40)] and r["dropped"] == 0' \
    'r["environment"]["launcher"] == "mpi" and r["environment"]["mpi"] and len(r["processes"]) == 6' \
    '{r["processes"][p]["rank"] for p in b["process"]} == {0, 1}'
[ -z "$(find . -name '.*.part')" ] || fail "parts are left: $(ls -a)"
passed "two ranks of MPI leave one record, with the blocks of both"
