#!/usr/bin/env bash
# The writer process of a rank: what it has written and not committed is done again when it
# is killed, and it keeps the outputs to itself for as long as nobody else wants them.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache
"$python" - <<'PY'
import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    f.create_dataset("U", data=np.arange(240 * 64, dtype="f4").reshape(240, 64), chunks=(1, 64))
PY
cat >job.yaml <<YAML
kernel: $SWIM_SOURCE/tests/support/kernels/slow.c
params: {ms: 10}
block: [1, 64]
inputs: {u: {file: in.h5, dataset: U}}
outputs: {y: {file: out.h5, dataset: Y}}
YAML
right() {
    "$python" - <<'PY' || fail "out.h5 is not what the kernel makes"
import h5py, numpy as np
with h5py.File("out.h5", "r") as f:
    assert (f["Y"][:] == 2 * np.arange(240 * 64).reshape(240, 64)).all()
PY
}
locks() { "$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["locks"]["acquired"])' "$1"; }

# Of 2.4 s: it was a session each quarter of a second.
expect_status 0 "$h5swim" run job.yaml -n 1 --readers 1 --json
right
cp "$tmp/out" alone.json
n=$(locks alone.json)
[ "$n" -le 12 ] || fail "a job alone took $n locks: its writer lets go of an output that nobody wants"
echo "ok: a job alone took $n locks"

# Blocks of 50 ms, commits of 200: at each moment there are some that are not committed.
rm out.h5
"$h5swim" run job.yaml -n 1 --readers 1 --quiet --set params.ms=50 --set params.until=go 2>job.err &
job=$!
killed=0
await test -s out.h5
for delay in 0.31 0.37 0.29 0.41; do
    sleep $delay
    pid=$(of_rank "$(below $job | head -n 1)" writer) || true
    if [ -n "$pid" ] && kill -KILL "$pid" 2>/dev/null; then killed=$((killed + 1)); fi
done
touch go
status=0
wait $job || status=$?
[ $status = 0 ] || fail "status $status when its writer was killed $killed times: $(cat job.err)"
[ $killed -ge 3 ] || fail "only $killed writers were killed"
right
echo "ok: $killed writers were killed, and all blocks are there"

# Another program gets at the output while blocks come all the time.
rm out.h5 go
"$h5swim" run job.yaml -n 1 --readers 1 --quiet --set params.ms=200 --set params.until=go 2>job.err &
job=$!
await test -s out.h5
sleep 0.4
for round in 1 2 3; do
    from=${EPOCHREALTIME//[.,]/}
    "$h5swim" exec -- "$python" - "$round" <<'PY' || fail "another program could not write"
import h5py, sys
with h5py.File("out.h5", "r+") as f:
    f.attrs["round"] = int(sys.argv[1])
PY
    took=$(((${EPOCHREALTIME//[.,]/} - from) / 1000))
    kill -0 $job 2>/dev/null || fail "round $round: the other program had to wait for the end of the job ($took ms)"
done
touch go
wait $job || fail "the job failed: $(cat job.err)"
right
"$python" -c 'import h5py; assert h5py.File("out.h5")["/"].attrs["round"] == 3' || fail "what the other program wrote is gone"
echo "ok: another program wrote three times meanwhile, the last in $took ms"
