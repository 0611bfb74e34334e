#!/usr/bin/env bash
# layout: sharded, as those see it who read the master with HDF5 alone: the same bits as
# in one file, also after kills, with other numbers of ranks, and when the folder is moved.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/jobstore.sh
. "$(dirname "$0")/../support/jobstore.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache NAP_MS=3
job_store_files
"$python" -c 'import h5py, numpy as np
with h5py.File("in.h5", "r+") as f:
    f["U"][:] = np.arange(120 * 64).reshape(120, 64)'
sharded=(--set outputs.y.layout=sharded --set outputs.z.layout=sharded)
by_rank=("${sharded[@]}" --set outputs.y.shards=rank --set outputs.z.shards=rank)
one=(--set outputs.y.file=one.h5 --set outputs.z.file=one.h5)

# shards: the numbers of those that there are.
shards() {
    find . -name 'out.shard-*.h5' -printf '%f\n' | sort |
        sed -n 's/^out\.shard-\([0-9]\{4,\}\)-[0-9a-f]\{8\}\.h5$/\1/p' | tr '\n' ' '
}
expect_shards() { [ "$(shards)" = "$1" ] || fail "shards: $(shards), not $1"; }
# shard NUMBER: the name of one; digest of its master is known.
shard() { printf 'out.shard-%04d-%.8s.h5' "$1" "$digest"; }
# same MASTER: all of it is as in one.h5, it and its shards are finished.
same() {
    compare one.h5 Y "$1" Y
    compare one.h5 Z "$1" Z
    "$python" - "$1" <<'PY' || fail "$1 or a shard is not finished"
import glob, h5py, sys
for name in [sys.argv[1], *glob.glob(sys.argv[1][:-3] + ".shard-*")]:
    with h5py.File(name) as f:
        assert "h5swim_progress" not in f, name
        for d in "YZ":
            assert "h5swim_job" in f[d].attrs and "h5swim_unfinished" not in f[d].attrs, name
PY
}
# rows MASTER: how many of its rows are there; the others are missing, in both outputs.
rows() {
    "$python" - "$1" <<'PY'
import h5py, sys
f, one = h5py.File(sys.argv[1]), h5py.File("one.h5")
y, z = f["Y"][:], f["Z"][:]
there = (y != -1).all(1)
assert ((y != -1).any(1) == there).all() and ((z != -1).all(1) == there).all()
assert (y[there] == one["Y"][there]).all() and (z[there] == one["Z"][there]).all()
assert "h5swim_unfinished" in f["Y"].attrs
print(there.sum())
PY
}
# dumped COMMAND...: what it prints of the data of a file, without its name.
dumped() { "$@" | sed '/ATTRIBUTE/,$d; /history\|h5swim_job\|^netcdf\|^HDF5/d'; }
# end_job: the job that was begun last is killed, with all that belongs to it.
end_job() {
    local pids
    pids=$(run_pids)
    # shellcheck disable=SC2086 # a list of numbers
    kill -KILL $pids 2>/dev/null || true
    wait "$job" 2>/dev/null || true
    await no_process
}
# gather N COMMAND...: a job of N readers, each of which has a block, however late it comes.
gather() {
    rm -f gather.*
    GATHER=$1 "${@:2}"
}
# until_rows N: at least so many rows of out.h5 are there.
until_rows() {
    for ((i = 0; i < 1000; i++)); do
        if found=$("$h5swim" exec -- "$python" - 2>err <<'PY'
import h5py
with h5py.File("out.h5") as f:
    y, z = f["Y"][:], f["Z"][:]
    assert ((y != -1) == (z != -1)).all(), "one output of a block without the other"
    print((y[:, 0] != -1).sum())
PY
        ); then
            [ "$found" -lt "$1" ] || return 0
        fi
        sleep 0.02
    done
    fail "the master does not come to $1 rows: $(tail -n 1 err)"
}

expect_status 0 "$h5swim" run pair.yaml --quiet "${one[@]}"

# --- two ranks that are forked, a shard for each
gather 2 expect_status 0 "$h5swim" run pair.yaml --quiet -n 2 --readers 1 "${by_rank[@]}"
expect_shards '0000 0001 '
same out.h5
digest=$("$python" -c 'import h5py
print(h5py.File("out.h5")["Y"].attrs["h5swim_job"].decode())')
names=$("$python" -c 'import h5py
print(*sorted({s.file_name for s in h5py.File("out.h5")["Y"].virtual_sources()}))')
[ "$names" = "$(shard 0) $(shard 1)" ] || fail "the master names $names"
for set in Y Z; do
    cmp <(dumped h5dump -y -d $set one.h5) <(dumped h5dump -y -d $set out.h5) ||
        fail "h5dump reads something else in $set"
    cmp <(dumped ncdump -v $set one.h5) <(dumped ncdump -v $set out.h5) ||
        fail "ncdump reads something else in $set"
done
"$h5swim" exec -- "$python" -c 'import h5py
assert (h5py.File("out.h5")["Y"][:] == h5py.File("one.h5")["Y"][:]).all()'
mkdir moved
mv out.h5 out.shard-*.h5 moved
cp one.h5 moved/one.h5
(cd / && compare "$tmp/work/one.h5" Y "$tmp/work/moved/out.h5" Y)
mv moved/out* .
passed "two shards, read through the master by h5py, h5dump and ncdump, moved or not"

for file in out.h5 out.shard-*.h5; do
    expect_status 0 "$h5swim" check "$file"
    grep -q clean "$tmp/out" || fail "h5swim check $file: $(cat "$tmp/out")"
done

# A job reads them through the master; what it cannot have now is no missing value.
again=(--set inputs.u.file=out.h5 --set inputs.u.dataset=Y --set outputs.y.file=more.h5
    --set outputs.z.file=more.h5)
expect_status 0 "$h5swim" run pair.yaml --quiet "${again[@]}"
"$python" -c 'import h5py
assert (h5py.File("more.h5")["Y"][:] == 2 * h5py.File("one.h5")["Y"][:]).all()'
hold "$(shard 1)" write
expect_status 4 "$h5swim" run pair.yaml --quiet --overwrite --wait 0.5 "${again[@]}"
grep -q 'read /Y in .*out.h5: it is made of others, .* its lock was not had' "$tmp/err" ||
    fail "nothing is said of the lock: $(cat "$tmp/err")"
let_go
passed "a job whose input is in shards reads all of them, or ends"

# --- what is there already
expect_status 0 "$h5swim" run pair.yaml --resume "${by_rank[@]}"
grep -q 'complete already' "$tmp/out" || fail "a finished job is done again"
expect_status 2 "$h5swim" run pair.yaml --quiet "${sharded[@]}"
expect_line 'out.h5 exists already: it is the finished output of this job; .*--overwrite'
rm out.h5
expect_status 2 "$h5swim" run pair.yaml --quiet "${sharded[@]}"
expect_line "$(shard 0) exists already .*--overwrite replaces it"
cp one.h5 "$(shard 7)"
expect_status 0 "$h5swim" run pair.yaml --quiet --overwrite "${sharded[@]}"
expect_shards '0000 0007 ' # the second is not ours
cmp one.h5 "$(shard 7)"
rm "$(shard 7)"
same out.h5
cp one.h5 "$(shard 1)"
expect_status 2 "$h5swim" run pair.yaml --quiet -n 2 --overwrite "${by_rank[@]}"
expect_line "$(shard 1) is in the way of a shard of .*out.h5: it is none; move it"
cmp one.h5 "$(shard 1)"
same out.h5
rm "$(shard 1)"
expect_status 0 "$h5swim" run pair.yaml --quiet --overwrite
expect_shards ''
same out.h5
mkdir apart
gather 2 expect_status 0 "$h5swim" run pair.yaml --quiet "${by_rank[@]}" -n 2 --readers 1 \
    --set outputs.y.file=apart/out.h5 --set outputs.z.file=apart/out.h5
rm apart/out.shard-0000-*
expect_status 0 "$h5swim" run pair.yaml --quiet -n 2 --overwrite "${by_rank[@]}"
"$python" -c 'import h5py
y = h5py.File("apart/out.h5")["Y"][:]
assert (y == -1).any(), "values of another job are read"'
expect_status 0 "$h5swim" run pair.yaml --quiet --overwrite
rm -r apart
expect_status 2 "$h5swim" run pair.yaml --quiet --overwrite --set outputs.y.layout=sharded
expect_line 'outputs in one file .* need the same layout'
expect_status 2 "$h5swim" run pair.yaml --quiet --overwrite --set outputs.y.layout=split
expect_line 'expected single or sharded, found'
expect_status 2 "$h5swim" run pair.yaml --quiet --overwrite --set outputs.y.shards=rank
expect_line '"shards" goes with layout: sharded'
expect_status 0 "$h5swim" run pair.yaml --dry-run "${sharded[@]}"
grep -q 'a shard of each node$' "$tmp/out" || fail "the plan says nothing of shards"
passed "files that are in the way are told, shards of before removed, others left"

# --- killed, and resumed by other numbers of ranks
rm -f out.h5
export NAP_MS=400
rm -f gather.*
GATHER=3 "$h5swim" run pair.yaml --quiet -n 3 --readers 1 "${by_rank[@]}" &
job=$!
until_rows 4
end_job
before=$(rows out.h5)
expect_shards '0000 0001 0002 '
expect_status 2 "$h5swim" run pair.yaml --quiet --resume
expect_line 'layout of output y is single, was sharded'
"$h5swim" run pair.yaml --quiet --resume --readers 1 "${sharded[@]}" &
job=$!
until_rows $((before + 3))
kill -TERM "$job"
status=0
wait "$job" || status=$?
[ $status = 143 ] || fail "status $status after SIGTERM"
[ -z "$(find . -name '*.swimlog')" ] || fail "journals are left: $(ls)"
stopped=$(rows out.h5)
done_bits=$("$python" -c 'import glob, h5py, numpy as np
bits = [h5py.File(n)["h5swim_progress"][:] for n in glob.glob("out.shard-*")]
print(np.unpackbits(np.bitwise_or.reduce(bits)).sum(),
      np.unpackbits(h5py.File("out.h5")["h5swim_progress"][:]).sum())')
[ "$done_bits" = "$stopped $stopped" ] || fail "$stopped rows, blocks done: $done_bits"
NAP_MS=0 gather 4 expect_status 0 "$h5swim" run pair.yaml --quiet --resume -n 4 --readers 1 "${by_rank[@]}"
expect_shards '0000 0001 0002 0003 '
same out.h5
h5dump -A out.h5 | grep -A 12 '"history"' | grep -q -- '-n 3' || fail "the history is another one"
passed "killed at $before rows, stopped at $stopped, finished by four ranks: the same bits"

# --- looked at
# told STATUS PATTERN...: h5swim check says each of out.h5, in lines of their own.
told() {
    expect_status "$1" "$h5swim" check out.h5
    local pattern
    for pattern in "${@:2}"; do
        grep -qE -- "$pattern" "$tmp/out" || fail "not said: $pattern: $(cat "$tmp/out")"
    done
}
digest=$("$python" -c 'import h5py; print(h5py.File("out.h5")["Y"].attrs["h5swim_job"])')
digest=${digest#b\'}
one_gone=$(shard 1) two_gone=$(shard 2)
sums=$(cat ./*.h5 | sha256sum)
told 0 '^clean: ' "^  shard +$PWD/$one_gone: clean\$" "^  shard +$PWD/$two_gone: clean\$"
[ "$sums" = "$(cat ./*.h5 | sha256sum)" ] || fail "check changed a file"
mv "$one_gone" gone
cp in.h5 "$two_gone.in" && mv "$two_gone" kept && mv "$two_gone.in" "$two_gone"
told 5 '^damaged: .*: of the 4 shards that have its data 2 are not there, or not as' \
    "^  shard +$PWD/$one_gone is not there\$" "^  shard +$PWD/$two_gone is no shard of it\$" \
    "^  shard +$PWD/$(shard 0): clean\$"
expect_status 5 "$h5swim" check out.h5 --json
"$python" -c 'import json, sys
d = json.load(open(sys.argv[1]))
assert d["verdict"] == "damaged" and len(d["shards"]) == 4, d
assert [s["why"] for s in d["shards"] if s["verdict"] == "damaged"].count("is not there") == 1' \
    "$tmp/out" || fail "--json: $(cat "$tmp/out")"
expect_status 2 "$h5swim" run pair.yaml --quiet --resume -n 4 "${by_rank[@]}"
expect_line "$one_gone, with data of .*out.h5, is not there; put it back, or --overwrite makes it anew"
mv gone "$one_gone"
mv kept "$two_gone"
truncate -s -1 "$two_gone"
told 5 "^  shard +$PWD/$two_gone: damaged: .*"
rm "$two_gone"
NAP_MS=0 gather 4 expect_status 0 "$h5swim" run pair.yaml --quiet --overwrite -n 4 --readers 1 "${by_rank[@]}"
told 0 '^clean: '
passed "a shard that is gone, or another file, is told by check and refused by --resume"

# --- under MPI
NAP_MS=2
gather 2 expect_status 0 mpirun -n 2 --oversubscribe "$h5swim" run pair.yaml --quiet --readers 1 \
    --overwrite "${by_rank[@]}"
expect_shards '0000 0001 '
same out.h5
expect_status 0 mpirun -n 2 --oversubscribe "$h5swim" run pair.yaml --quiet --readers 1 \
    --overwrite "${sharded[@]}"
expect_shards '0000 '
same out.h5
passed "ranks of MPI have a shard each, or one for the host"

# --- coordinates, attributes, a reduction
data=$(data_dir)
for job in wind_speed:WSPD:speed wind_climatology:UWND:mean; do
    IFS=: read -r name set port <<<"$job"
    run_job "$name" "$tmp/one.nc" --overwrite
    run_job "$name" "$tmp/two.nc" -n 2 --readers 1 --overwrite \
        --set "outputs.$port.layout=sharded" --set "outputs.$port.shards=rank"
    compare "$tmp/one.nc" "$set" "$tmp/two.nc" "$set"
    cmp <(dumped ncdump "$tmp/one.nc") <(dumped ncdump "$tmp/two.nc") ||
        fail "ncdump reads something else of $name"
done
passed "a map and a reduction with coordinates are the same in shards"
