#!/usr/bin/env bash
# Jobs of unusual shapes, against numpy: integers, several outputs and files, other stored
# types, whole and partial reductions with merged segments, one dimension and none, more
# ranks than blocks; and kernels that end their process.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache
"$python" - <<'PY'
import h5py, numpy as np
r = np.random.default_rng(7)
with h5py.File("in.h5", "w") as f:
    f.create_dataset("A", data=r.integers(-1000, 1000, (37, 20, 11), dtype="i2"), chunks=(5, 8, 11))
    f["A"].attrs["_FillValue"] = np.int16(-999)
    d = f.create_dataset("REAL", data=np.array([1, -2, 9.969209968386869e36, 5], "f4"), chunks=(2,))
    d.attrs["_FillValue"] = np.float32(9.969209968386869e36)
    f["LINE"] = r.random(1001)
    f["ONE"] = np.float32(2.5)
    f["LONG"] = np.arange(300000, dtype="f8")
    f["GRID"] = r.random((64, 48)).astype("f4")
PY

mkdir sub
cat > pair.yaml <<YAML
kernel: $support/kernels/pair.c
inputs: {a: {file: in.h5, dataset: A}}
outputs:
  twice: {file: twice.h5, dataset: /deep/er/T, type: int32, fill: -7, chunks: [7, 9, 11]}
  positive: {file: positive.h5, dataset: P, filters: {fletcher32: true}, chunks: [6, 9, 4]}
YAML
total() { # DATASET OUTPUT OPTION...
    local dataset=$1 output=$2
    shift 2
    printf 'kernel: %s/kernels/total.c\ninputs: {x: {file: in.h5, dataset: %s}}\noutputs: {sum: {file: %s, dataset: S}}\n' \
        "$support" "$dataset" "$output" > total.yaml
    "$h5swim" run total.yaml --quiet "$@"
}

expect_status 0 "$h5swim" run pair.yaml -n 3 --quiet
expect_status 0 "$h5swim" run pair.yaml --quiet --set outputs.twice.file=both.h5 --set outputs.positive.file=both.h5
expect_status 0 total A whole.h5 -n 2
expect_status 0 total A segments.h5 -n 4 --set 'block=[5, 20, 11]'
expect_status 0 total A kept0.h5 -n 2 --set params.keep=0
expect_status 0 total A kept1.h5 -n 2 --set params.keep=1 --set 'block=[4, 8, 3]'
expect_status 0 total A kept1b.h5 -n 1 --set params.keep=1 --set 'block=[4, 8, 3]'
expect_status 0 total LINE line.h5 -n 8
expect_status 0 total ONE one.h5 -n 3
expect_status 0 total GRID small.h5 --set memory=1MiB
expect_status 0 total LONG long.h5 --set memory=1MiB --readers 2
expect_status 0 total LONG long1.h5 --set memory=1MiB --set 'block=[300000]'
expect_status 0 "$h5swim" run pair.yaml --quiet --overwrite --set outputs.twice.type=float32 --set outputs.twice.fill=1e36 --set outputs.twice.file=wide.h5 --set outputs.positive.file=sub/../wide.h5
if ncdump -h positive.h5 | grep -E 'float dim_'; then
    fail "netCDF takes dimensions without coordinates for variables"
fi
[ -z "$(find . -name '*partials*' -o -name '*swim-new*')" ] || fail "something is left beside the outputs"

"$python" - <<'PY'
import h5py, numpy as np
a = h5py.File("in.h5")["A"][:]
gone = a == -999
for names in (("twice.h5", "positive.h5"), ("both.h5", "both.h5")):
    t = h5py.File(names[0])["deep/er/T"]
    p = h5py.File(names[1])["P"]
    assert t.dtype == "i4" and t.chunks == (7, 9, 11), (t.dtype, t.chunks)
    assert p.dtype == "u1" and p.fletcher32 and p.chunks == (6, 9, 4)
    assert np.array_equal(t[:], np.where(gone, -7, 2 * a.astype("i4")))
    assert np.array_equal(p[:], np.where(gone, 255, a > 0))
x = np.where(gone, 0, a).astype("f8")
def value(name): return h5py.File(name)["S"][()]
assert value("whole.h5") == x.sum() and value("whole.h5").shape == ()
assert value("segments.h5") == x.sum()
assert np.array_equal(value("kept0.h5"), x.sum((1, 2)))
assert np.array_equal(value("kept1.h5"), x.sum((0, 2)))
assert np.array_equal(value("kept1.h5"), value("kept1b.h5"))
line = h5py.File("in.h5")["LINE"][:]
assert abs(value("line.h5") - line.sum()) < 1e-9
assert value("one.h5") == 2.5
assert value("long.h5") == value("long1.h5") == 299999 * 150000
wide = h5py.File("wide.h5")["deep/er/T"]
assert wide.dtype == "f4" and np.array_equal(wide[:], np.where(gone, np.float32(1e36), 2 * a.astype("f4")))
assert "P" in h5py.File("wide.h5")
PY

# A missing value that no int32 can be is what those elements become.
expect_status 0 "$h5swim" run pair.yaml --quiet --overwrite --set inputs.a.dataset=REAL \
    --set 'outputs.twice.chunks=[3]' --set 'outputs.positive.chunks=[4]'
"$python" - <<'PY' || fail "missing values beyond the type of the port"
import h5py
assert h5py.File("twice.h5")["deep/er/T"][:].tolist() == [2, -4, -7, 10]
assert h5py.File("positive.h5")["P"][:].tolist() == [1, 0, 255, 1]
PY

# Kernels that refuse or end their process: an error, in time, and no finished output.
expect_status 1 timeout 30 "$h5swim" run total.yaml -n 2 --quiet --fail-fast --set params.fail=finish --set outputs.sum.file=f.h5
expect_line 'total failed in block 0 .*nothing to finish'
expect_status 1 timeout 30 "$h5swim" run total.yaml -n 2 --quiet --fail-fast --set params.fail=exit --set outputs.sum.file=e.h5
expect_line 'reader 0 of rank [01] .*exit status 3 in block'
expect_status 1 timeout 30 "$h5swim" run total.yaml -n 2 --quiet --set params.fail=plan --set outputs.sum.file=p.h5
[ ! -e p.h5 ] || fail "an output of a kernel that ended in plan()"
expect_status 1 timeout 30 "$h5swim" run total.yaml -n 2 --quiet --set params.fail=open --set outputs.sum.file=o.h5
expect_line 'kernel total: open.. failed'
expect_status 2 timeout 30 "$h5swim" run total.yaml --quiet --set 'block=[4, 4, 4, 4]' --set outputs.sum.file=o.h5
expect_line '4 sizes.*dimension'
for file in f.h5 e.h5; do
    [ -e $file.h5swim-partials ] || fail "the partial results of $file are gone, so nothing can go on from them"
done

# A rank that is told to go takes the others along, also while a kernel plans.
sed 's/sleep(20)/{ fclose(fopen("plans", "w")); sleep(20); }/; s/#include <unistd/#include <stdio.h>\n&/' \
    "$support/kernels/total.c" > plans.c
"$h5swim" run total.yaml -n 2 --quiet --set kernel=plans.c --set params.fail=sleep --set outputs.sum.file=s.h5 2>"$tmp/err" &
job=$!
await test -e plans
start=$SECONDS
kill -INT "$(pgrep -P $job | head -n 1)"
status=0
wait $job || status=$?
[ $status = 130 ] || fail "status $status, not 130, after SIGINT to a rank whose kernel plans"
[ $((SECONDS - start)) -le 15 ] || fail "a planning kernel kept the job for $((SECONDS - start)) s"
for file in f.h5 e.h5; do
    h5dump -a /S/h5swim_unfinished $file >/dev/null || fail "$file looks finished"
done
for file in f.h5 e.h5; do
    expect_status 0 "$h5swim" run total.yaml -n 2 --quiet --overwrite --set outputs.sum.file=$file
done
[ -z "$(find . -name '[fe].h5?*')" ] || fail "partial results of finished jobs are left behind"
