#!/usr/bin/env bash
# A job's readers hold READ on its inputs and its writer WRITE on its output while they
# have them open: others are kept out meanwhile, and wait no longer than that.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_SERVER_IDLE_S=5
"$python" - <<'PY'
import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    f.create_dataset("U", data=np.arange(6400, dtype="f4").reshape(100, 64), chunks=(1, 64))
PY
slow_job 50

"$h5swim" run slow.yaml --readers 1 --quiet &
job=$!
kept_out=0
for _ in $(seq 100); do
    [ -e out.h5 ] || { sleep 0.02; continue; }
    if lock_is_free in.h5; then sleep 0.02; continue; fi
    grep -q 'READ held by .*job slow' "$tmp/lock_err" || fail "who holds it: $(cat "$tmp/lock_err")"
    kept_out=$((kept_out + 1))
    [ $kept_out -lt 3 ] || break
done
[ $kept_out -ge 3 ] || fail "nobody kept a writer away from the input"
expect_status 0 "$hold_lock" in.h5 read 0 </dev/null
# Readers give way at least once a second.
expect_status 0 "$hold_lock" in.h5 write 4000 </dev/null
kill -0 $job || fail "the job has ended too early for this test"
passed "a writer is kept off the input, and gets its turn"

# Somebody reads the output: the writer waits, then goes on.
hold out.h5 read
sleep 0.5 # whoever is in is out by now
before=$(cksum <out.h5)
sleep 1
[ "$before" = "$(cksum <out.h5)" ] || fail "the output changed under READ"
kill -0 $job || fail "the job has ended although it could not write"
let_go
wait $job || fail "the job failed after a wait for its output"
passed "the writer waits for a reader of the output"

# The input is changed while a job reads it: an error, not a mixture.
"$h5swim" run slow.yaml --readers 1 --quiet --overwrite 2>"$tmp/err" &
job=$!
sleep 0.7
"$python" -c 'import h5py
with h5py.File("in.h5", "r+") as f: f["U"][99, 63] = -1' 2>/dev/null ||
    HDF5_USE_FILE_LOCKING=FALSE "$python" -c 'import h5py
with h5py.File("in.h5", "r+") as f: f["U"][99, 63] = -1'
status=0
wait $job || status=$?
[ $status = 1 ] || fail "status $status after the input was changed"
expect_line 'in.h5.*changed while the job was reading it'
passed "an input that is changed under a job is noticed"

# A job replaces the output of one that still runs: that one fails, and nothing is mixed.
"$h5swim" run slow.yaml --readers 1 --quiet --overwrite 2>"$tmp/err" &
job=$!
sleep 1
other=0
"$h5swim" run slow.yaml --readers 1 --quiet --overwrite --set 'outputs.y.fill=-5' || other=$?
status=0
wait $job || status=$?
[ $other = 0 ] || fail "the job that replaced the output failed"
[ $status = 1 ] || fail "status $status of the job whose output was replaced"
expect_line 'out.h5.*was replaced by another job'
"$python" -c 'import h5py, numpy as np
u = h5py.File("in.h5")["U"][:]
f = h5py.File("out.h5")["Y"]
assert np.array_equal(f[:], 2 * u) and f.fillvalue == -5 and "h5swim_unfinished" not in f.attrs'
passed "an output that another job replaced is left to that job"

# Two jobs on one input.
"$h5swim" run slow.yaml --readers 1 --quiet --overwrite --set outputs.y.file=a.h5 &
one=$!
"$h5swim" run slow.yaml --readers 1 --quiet --overwrite --set outputs.y.file=b.h5 &
two=$!
wait $one || fail "the first of two jobs on one input"
wait $two || fail "the second of two jobs on one input"
"$python" - <<'PY'
import h5py, numpy as np
u = h5py.File("in.h5")["U"][:]
assert u[99, 63] == -1
for name in ("a.h5", "b.h5"):
    f = h5py.File(name)
    assert np.array_equal(f["Y"][:], 2 * u) and "h5swim_unfinished" not in f["Y"].attrs
PY
