#!/usr/bin/env bash
# Filters: tables of rows in the order of the blocks, against numpy; the same bits however
# many processes, after blocks that failed, and after kills in either phase.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_SERVER_IDLE_S=5
"$python" "$support/window_data.py" .
"$python" - <<'PY'
import h5py, numpy as np
r = np.random.default_rng(3)
with h5py.File("in.h5", "w") as f:
    f.create_dataset("X", data=r.integers(1, 100, (40, 24, 10)).astype("f8"), chunks=(8, 6, 10))
    f["X"].attrs["standard_name"] = "not_of_the_table"
    f["X"].attrs["_FillValue"] = -7.0
    f.attrs["title"] = "of the file"
    f.create_dataset("LARGE", data=r.integers(1, 100, (300, 50, 40)).astype("f8"), chunks=(10, 50, 40))
PY

# find NAME OPTION...: the job, whose outputs go to NAME.h5.
find_job() {
    printf '%s\n' "kernel: $support/kernels/find.c" "params: {where: $PWD/where}" \
        'inputs: {x: {file: in.h5, dataset: X}}' \
        "outputs: {place: {file: $1.h5, dataset: P}, pair: {file: $1.h5, dataset: deep/Q, type: float32}}" \
        'block: [7, 6, 4]' 'memory: 4 MiB' >find.yaml
}
# check NAME DATASET BY BLOCK
check() {
    "$python" - "$@" <<'PY' || fail "$*"
import h5py, itertools, numpy as np, sys
name, dataset, by, block = sys.argv[1], sys.argv[2], int(sys.argv[3]), [int(n) for n in sys.argv[4].split(",")]
x = h5py.File("in.h5")[dataset][:]
flat = np.arange(x.size).reshape(x.shape)
cuts = [[slice(i, i + b) for i in range(0, n, b)] for n, b in zip(x.shape, block)]
places = np.concatenate([flat[c][x[c] % by == 0] for c in itertools.product(*cuts)])
f = h5py.File(name)
p, q = f["P"], f["deep/Q"]
assert p.shape == places.shape and q.shape == (len(places), 2), (p.shape, q.shape, places.shape)
assert np.array_equal(p[:], places)
v = x.ravel()[places]
assert np.array_equal(q[:], np.stack([v, -v], 1)) and q.dtype == "f4"
assert p.maxshape == (None,) and "row" in p.dims[0][0].name, p.dims[0][0].name
assert p.attrs["_FillValue"] != -7 and q.attrs["_FillValue"] != -7
assert "standard_name" not in p.attrs and f.attrs["title"] == "of the file"
assert "h5swim_unfinished" not in p.attrs and "h5swim_progress" not in f
print(f"{name}: {len(places)} rows of {x.size}, by {by}")
PY
}
touch where

find_job find
for by in 7 1 1000; do
    expect_status 0 "$h5swim" run find.yaml --quiet --overwrite --set params.by=$by -n 2
    check find.h5 X $by 7,6,4
done
if ncdump -h find.h5 | grep 'float row'; then fail "netCDF takes rows for a variable"; fi
passed "a table of some values, of all and of none, in the order of the blocks"

# digest NAME: of all bits of the table, as it is stored.
digest() {
    "$python" - "$1" <<'PY'
import h5py, hashlib, sys
h = hashlib.sha256()
with h5py.File(sys.argv[1]) as f:
    for d in (f["P"], f["deep/Q"]):
        h.update(f"{d.shape} {d.dtype} {d.chunks}".encode() + d[:].tobytes())
        for i in range(d.id.get_num_chunks()):
            c = d.id.get_chunk_info(i)
            h.update(str(c.chunk_offset).encode() + d.id.read_direct_chunk(c.chunk_offset)[1])
print(h.hexdigest())
PY
}
find_job many
parts=(--set memory=1MiB --set 'outputs.place.chunks=[50]' --set 'outputs.pair.chunks=[30, 2]')
expect_status 0 "$h5swim" run find.yaml "${parts[@]}" --set params.by=2 --dry-run
grep -qE 'blocks +72 of 7 x 6 x 4, then up to 4 parts of 2400 rows' "$tmp/out" || fail "$(cat "$tmp/out")"
for how in '-n 1 --readers 1' '-n 1 --readers 4' '-n 3 --readers 2' '-n 4 --readers 1'; do
    # shellcheck disable=SC2086 # words
    expect_status 0 "$h5swim" run find.yaml --quiet --overwrite "${parts[@]}" --set params.by=2 $how
    check many.h5 X 2 7,6,4
    digest many.h5 >>digests
done
[ "$(sort -u digests | wc -l)" = 1 ] || fail "other bits with other processes"
passed "the same bits with one reader, with four, and with several ranks"

expect_status 0 "$h5swim" run find.yaml --quiet "${parts[@]}" --set params.by=2 --resume
expect_status 2 "$h5swim" run find.yaml --quiet "${parts[@]}" --set params.by=3 --resume
passed "a finished table is complete, and that of another job is refused"

# --- blocks that fail -------------------------------------------------------------------

find_job failed
printf '%s\n' '5 segv' '60 refuse' >where
expect_status 3 "$h5swim" run find.yaml --quiet -n 2
grep -q '2 of .* blocks failed and the table, which has the rows of all, was not made; --resume' "$tmp/err" ||
    fail "$(cat "$tmp/err")"
[ "$(wc -l <"$tmp/err")" = 3 ] || fail "$(cat "$tmp/err")"
: >where
expect_status 0 "$h5swim" run find.yaml --resume --json
"$python" -c 'import json, sys; r = json.load(open(sys.argv[1])); assert r["blocks"] == r["blocks_in_all"], r' "$tmp/out"
check failed.h5 X 7 7,6,4
for wrong in many uneven; do
    expect_status 3 "$h5swim" run find.yaml --quiet --overwrite --set params.wrong=$wrong --set 'block=[40, 24, 10]'
    grep -q 'it gave [0-9]* rows of output place and .* there is room for 9600' "$tmp/err" || fail "$(cat "$tmp/err")"
done
for wrong in axis none; do
    expect_status 1 "$h5swim" run find.yaml --quiet --overwrite --set params.wrong=$wrong
    expect_line 'kernel find plans'
done
rm failed.h5 failed.h5.h5swim-partials # never finished
passed "after blocks that failed there is no table, and --resume makes it of all"

refused() { # PATTERN OPTION...
    expect_status 2 "$h5swim" run find.yaml --overwrite "${@:2}"
    expect_line "$1"
}
refused 'table of rows, which cannot be sharded' --set outputs.place.layout=sharded --set outputs.pair.layout=sharded
refused 'follow: a kernel of the kind filter' --set follow=true
passed "shards of a table and a filter that follows are refused"

# --- kills ------------------------------------------------------------------------------

# In the first phase, while one block waits: a reader, the writer, the rank, everybody.
find_job killed
for who in reader writer rank all; do
    rm -f where.go
    echo '40 wait' >where
    "$h5swim" run find.yaml --quiet --overwrite -n 2 --readers 2 >out 2>job.err &
    job=$!
    reading() { kill -0 "$job" && [ -f killed.h5.h5swim-partials ] && [ -n "$(of_rank "$(below "$job" | head -n 1)" writer)" ]; }
    await reading
    rank=$(below $job | head -n 1)
    case $who in
    rank) victims=$rank ;;
    all) victims=$(run_pids) ;;
    *) victims=$(of_rank "$rank" $who) ;;
    esac
    # shellcheck disable=SC2086 # pids
    kill -KILL $victims 2>/dev/null || true
    touch where.go
    wait $job || { await no_process && : >where && expect_status 0 "$h5swim" run find.yaml --quiet --resume -n 2; }
    : >where
    check killed.h5 X 7 7,6,4
done
passed "a reader, the writer, a rank and all of them killed while rows were found"

# In the second: everybody, once some rows are in the table.
find_job large
sed -i 's/dataset: X/dataset: LARGE/; s/block:.*/block: [10, 50, 40]/' find.yaml
large=(--quiet --set params.by=1 --set 'outputs.pair.filters={deflate: 9}' --set 'outputs.place.filters={deflate: 9}'
    --set 'outputs.pair.chunks=[600, 2]' --set 'outputs.place.chunks=[400]' --set 'memory=8MiB')
expect_status 0 "$h5swim" run find.yaml "${large[@]}" -n 1
check large.h5 LARGE 1 10,50,40
digest large.h5 >whole
for round in 1 2 3; do
    "$h5swim" run find.yaml "${large[@]}" --overwrite -n 2 --readers 1 >out 2>job.err &
    job=$!
    "$h5swim" exec -- "$python" - <<'PY' || fail "no rows came: $(cat out job.err)"
import h5py, sys, time
until = time.time() + 60
while time.time() < until:
    try:
        with h5py.File("large.h5", "r") as f:
            if "h5swim_progress" in f and 0 < len(f["P"]):
                print(len(f["P"]), "rows")
                sys.exit(0)
    except OSError:
        pass
    time.sleep(0.005)
sys.exit(1)
PY
    if [ "$round" = 1 ]; then victims=$(of_rank "$(below $job | head -n 1)" writer); else victims=$(run_pids); fi
    # shellcheck disable=SC2086 # pids
    kill -KILL $victims 2>/dev/null || true
    wait $job || { await no_process && expect_status 0 "$h5swim" run find.yaml "${large[@]}" --resume -n 1; }
    cmp <(digest large.h5) whole || fail "other bits after a kill in round $round"
done
check large.h5 LARGE 1 10,50,40
passed "a writer and all of them killed while the table was made: the same bits"

# --- threshold --------------------------------------------------------------------------

threshold() { # PYTHON-CONDITION PARAMS
    printf '%s\n' 'kernel: threshold' "params: {$2}" 'inputs: {x: {file: field.nc, dataset: x}}' \
        'outputs:' '  index: {file: hits.nc, dataset: index}' \
        '  coordinate: {file: hits.nc, dataset: coordinate}' '  value: {file: hits.nc, dataset: value}' >threshold.yaml
    expect_status 0 "$h5swim" run threshold.yaml --quiet --overwrite -n 2
    "$python" - "$1" <<'PY' || fail "threshold $*"
import h5py, numpy as np, sys
with h5py.File("field.nc") as f:
    x, axes = f["x"][:], [f[n][:] for n in ("time", "lat", "lon")]
wide = np.where(x == -99, np.nan, x.astype("f8"))
want = np.argwhere(eval(sys.argv[1], {"x": wide}))
f = h5py.File("hits.nc")
index, coordinate, value = f["index"][:], f["coordinate"][:], f["value"][:]
order = np.lexsort(index.T[::-1])
assert len(want) and np.array_equal(index[order], want), (len(index), len(want))
assert np.array_equal(coordinate, np.stack([a[i] for a, i in zip(axes, index.T)], 1))
assert value.dtype == "f4" and np.array_equal(value, x[tuple(index.T)])
assert f["value"].attrs["units"] in (b"K", "K")
print(sys.argv[1], len(want), "rows")
PY
}
threshold 'x > 300' 'value: 300'
threshold 'x < 250.5' 'keep: below, value: 250.5'
threshold '(x > 280) & (x < 281)' 'keep: between, value: 280, upper: 281'
threshold '(x < 240) | (x > 320)' 'keep: outside, value: 240, upper: 320'
some=$("$python" -c 'import h5py, numpy as np; print(float(np.sort(h5py.File("field.nc")["x"][:].ravel())[-20]))')
threshold "x > $some" "value: $some"
most=$("$python" -c 'import h5py; print(float(h5py.File("field.nc")["x"][:].max()))')
threshold "x >= $most" "value: $most, inclusive: yes"
expect_status 2 "$h5swim" run threshold.yaml --overwrite --set params.keep=between --set params.value=3 --set params.upper=2
expect_line '"upper" is 2, less than "value", 3'
passed "threshold like numpy"

# Columns of other widths have chunks of other lengths, and parts whole chunks of all.
"$python" -c 'import h5py; h5py.File("wide.h5", "w").create_dataset("x", (240, 360, 720), "f4", chunks=(12, 90, 180))'
expect_status 0 "$h5swim" run threshold.yaml --set inputs.x.file=wide.h5 --dry-run --overwrite --set memory=64MiB
grep -qE 'then up to 950 parts of 65536 rows' "$tmp/out" || fail "$(cat "$tmp/out")"
passed "a large table fits into a budget"

[ -z "$(find . -name '*partials*' -o -name '*swim-new*')" ] || fail "something is left beside the outputs: $(ls)"
