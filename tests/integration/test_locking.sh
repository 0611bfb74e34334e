#!/usr/bin/env bash
# A job holds READ on its inputs to its end, and its writers UPDATE on its output while
# they have it open: programs that write to the inputs, or read the output, need not wait.
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
    f.create_dataset("U", data=np.arange(25600, dtype="f4").reshape(400, 64), chunks=(1, 64))
PY
on_exit "touch '$PWD/enough'"
slow_job 150 "$PWD/enough" # a minute in all, so that each job is there until it may go on

read_by_job() { # of the input, by rank 0 and a reader
    if lock_is_free in.h5; then return 1; fi
    grep -q 'READ held by .*job slow.*READ held by .*job slow' "$tmp/lock_err"
}
another_file() { [ "$(stat -c %i out.h5)" != "$1" ]; }

# Somebody reads the output all the time, somebody writes to the input.
"$h5swim" run slow.yaml --readers 1 --quiet &
job=$!
await test -e out.h5
hold out.h5 read
await read_by_job
expect_status 0 "$hold_lock" in.h5 update 0 </dev/null
expect_status 4 "$hold_lock" in.h5 write 0 </dev/null
kill -0 $job || fail "the job has ended too early for this test"
touch enough
wait $job || fail "the job failed beside a reader of its output"
let_go
lock_is_free in.h5 || fail "the input is not free after the job: $(cat "$tmp/lock_err")"
passed "writers of the input and readers of the output do not wait"

# Somebody else writes to the output: the job's writer waits, then goes on.
rm enough
old=$(stat -c %i out.h5)
"$h5swim" run slow.yaml --readers 1 --quiet --overwrite &
job=$!
await another_file "$old"
hold out.h5 update
before=$(cksum <out.h5)
touch enough
sleep 1
[ "$before" = "$(cksum <out.h5)" ] || fail "the output changed while another had UPDATE"
kill -0 $job || fail "the job has ended although it could not write"
let_go
wait $job || fail "the job failed after a wait for its output"
passed "the writer waits for another writer of the output"

# The input is changed while a job reads it: an error, not a mixture.
rm enough
"$h5swim" run slow.yaml --readers 1 --quiet --overwrite 2>"$tmp/err" &
job=$!
await read_by_job
"$python" -c 'import h5py
with h5py.File("in.h5", "r+") as f: f["U"][399, 63] = -1' 2>/dev/null ||
    HDF5_USE_FILE_LOCKING=FALSE "$python" -c 'import h5py
with h5py.File("in.h5", "r+") as f: f["U"][399, 63] = -1'
touch enough
status=0
wait $job || status=$?
[ $status = 1 ] || fail "status $status after the input was changed"
expect_line 'in.h5.*changed while the job was reading it'

# So is one that is replaced, also in the last moment.
cp in.h5 other.h5
rm enough
"$h5swim" run slow.yaml --readers 1 --quiet --overwrite --set 'block=[200, 64]' --set params.ms=60000 2>"$tmp/err" &
job=$!
await read_by_job
mv other.h5 in.h5
touch enough
status=0
wait $job || status=$?
[ $status = 1 ] || fail "status $status after the input was replaced"
expect_line 'in.h5.*changed while the job was reading it'
passed "an input that is changed without h5swim, or replaced, is noticed"

# Two jobs want one output: the second waits for the first, and then replaces its work.
rm enough
"$h5swim" run slow.yaml --readers 1 --quiet --overwrite 2>first &
job=$!
writes() { "$h5swim" locks 2>/dev/null | grep -A 9 '^job:' | grep -q ' held  *WRITE .* slow '; }
await writes
expect_status 4 "$h5swim" run slow.yaml --quiet --overwrite --wait 0
expect_line 'another job is at the output .*out.h5: .*WRITE held by .*--wait'
"$h5swim" run slow.yaml --readers 1 --overwrite --set 'outputs.y.fill=-5' >/dev/null 2>second &
second=$!
await grep -qs 'another job is at the output' second # so it says for whom it waits
touch enough
wait $job || fail "the first of two jobs failed: $(cat first)"
wait $second || fail "the second of two jobs failed: $(cat second)"
is_result() { # FILL
    "$python" -c 'import h5py, numpy as np, sys
u = h5py.File("in.h5")["U"][:]
f = h5py.File("out.h5")["Y"]
assert np.array_equal(f[:], 2 * u) and f.fillvalue == float(sys.argv[1]) and "h5swim_unfinished" not in f.attrs' "$1"
}
is_result -5
passed "of two jobs with one output the second waits for the first"
