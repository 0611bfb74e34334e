#!/usr/bin/env bash
# The record of a run: what is in it adds up, whatever happens to the job, and nothing of
# it is the job's trouble.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$support/locklib.sh"

mkdir "$tmp/work" "$tmp/other"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_SERVER_IDLE_S=5
"$python" - <<'PY'
import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    f.create_dataset("U", data=np.arange(40 * 64, dtype="f4").reshape(40, 64), chunks=(1, 64), compression=1)
PY
job() { # NAME KERNEL BLOCK
    printf '%s\n' "kernel: $support/kernels/$2.c" "params: {where: $PWD/where}" \
        'inputs: {u: {file: in.h5, dataset: U}}' 'outputs: {y: {file: out.h5, dataset: Y, fill: -1}}' \
        "block: $3" 'memory: 1 MiB' > "$1.yaml"
}
job map breaks '[1, 64]'
job sum breaks_sum '[4, 16]'
: > where
record() { "$python" "$support/record_check.py" "$@" || fail "the record $1"; }
all='blocks == [(0, n) for n in range(40)] and r["dropped"] == 0 and r["totals"]["blocks"] == 40'
well='r["replaced"] == [] and r["missing_ranks"] == [] and r["failed_blocks"] == [] and r["error"] is None'

slow_job 20
expect_status 0 "$h5swim" run slow.yaml --readers 2 --quiet
[ ! -s "$tmp/err" ] || fail "a word about the record: $(cat "$tmp/err")"
# shellcheck disable=SC2016 # Python
record out.run.json "$all" "$well" 'r["status"] == "done" and r["exit_status"] == 0' \
    'r["job"]["name"] == "slow" and r["job"]["file"].endswith("/work/slow.yaml")' \
    'r["job"]["text"] == open("slow.yaml").read() and r["job"]["sets"] == []' \
    'r["kernels"][0]["name"] == "slow" and r["kernels"][0]["kind"] == "map"' \
    'r["environment"]["launcher"] == "fork" and r["environment"]["mpi"] is None' \
    'r["environment"]["lock_server"].startswith("unix://") and r["environment"]["hdf5"].count(".") == 2' \
    'r["plan"]["extent"] == [40, 64] and r["plan"]["block"] == [1, 64] and r["plan"]["blocks"] == 40' \
    'r["inputs"][0]["shape"] == [40, 64] and r["inputs"][0]["chunks"] == [1, 64]' \
    '"deflate 1" in r["inputs"][0]["filters"] and r["inputs"][0]["file"].endswith("/work/in.h5")' \
    'r["outputs"][0]["dataset"] == "Y" and r["outputs"][0]["type"] == "float32"' \
    'b["bytes_in"] == [256] * 40 == b["bytes_out"] and b["tries"] == [1] * 40' \
    'r["totals"]["bytes_read"] == 40 * 256 == r["totals"]["bytes_written"]' \
    'min(b["kernel_us"]) >= 20000 and sum(b["decode_us"]) > 0' \
    'sum(p["seconds"]["kernel"] for p in r["processes"]) >= 0.8 and len(r["processes"]) == 4' \
    '{r["activities"][a] for a in r["spans"]["activity"]} >= {"write", "commit", "begin", "finish"}'
passed "a job of one rank: each block once, and where the time went"

expect_status 0 "$h5swim" run map.yaml -n 3 --readers 2 --quiet --overwrite --set outputs.y.filters.deflate=2
record out.run.json "$all" "$well" 'r["job"]["sets"] == ["outputs.y.filters.deflate=2"]' \
    'len(r["processes"]) == 12 and {p["rank"] for p in r["processes"]} == {0, 1, 2}'
expect_status 0 "$h5swim" run sum.yaml -n 2 --quiet --overwrite
record out.run.json "$well" 'blocks == [(0, n) for n in range(40)] + [(1, n) for n in range(10)]'
# Most of these hear of the job when it is over.
for n in 1 2 3 4 5; do
    expect_status 0 "$h5swim" run map.yaml -n 3 --readers 1 --quiet --overwrite --set 'block=[40, 64]'
    record out.run.json "$well" 'blocks == [(0, 0)] and {p["rank"] for p in r["processes"]} == {0, 1, 2}'
done
[ -z "$(find . -name '.*.part' -o -name '.*.new')" ] || fail "parts are left: $(ls -a)"
passed "three ranks leave one record, and nothing beside it"

echo '3 segv' > where
expect_status 3 "$h5swim" run map.yaml -n 2 --readers 1 --quiet --overwrite
record out.run.json 'blocks == [(0, n) for n in range(40) if n != 3]' 'r["exit_status"] == 3' \
    '[(f["block"], f["phase"], f["tries"]) for f in r["failed_blocks"]] == [(3, 0, 3)]' \
    'r["failed_blocks"][0]["start"] == [3, 0] and r["failed_blocks"][0]["count"] == [1, 64]' \
    '"SIGSEGV" in r["failed_blocks"][0]["error"] and r["totals"]["failed"] == 1' \
    '[p["role"] for p in r["replaced"]] == ["reader"] * 3 and "SIGSEGV" in r["replaced"][0]["why"]'
: > where
expect_status 0 "$h5swim" run map.yaml --resume --quiet
record out.run.json 'blocks == [(0, 3)] and r["totals"]["blocks"] == 1' "$well"
cp out.run.json before.json
expect_status 0 "$h5swim" run map.yaml --resume --quiet
cmp out.run.json before.json || fail "the record of a run that found all done"
passed "blocks that failed and readers that died are in it; --resume has a record of its own"

# Somebody else ends a reader and the writer.
slow_job 60000 "$PWD/enough"
"$h5swim" run slow.yaml -n 1 --readers 2 --quiet --overwrite &
job=$!
both_there() {
    rank=$(below $job | head -n 1)
    reader=$(of_rank "$rank" reader) writer=$(of_rank "$rank" writer)
    [ -n "$reader" ] && [ -n "$writer" ] && [ "$writer" != "$reader" ] && [ "$("$h5swim" locks in.h5 | grep -c ' held  *READ ')" -ge 3 ]
}
await both_there
kill -KILL "$reader" "$writer"
others_there() {
    local there
    there=$(below "$(of_rank "$rank" spawner)")
    [ "$(wc -l <<<"$there")" -eq 3 ] && ! grep -qx "$reader\|$writer" <<<"$there"
}
await others_there
touch enough
wait $job || fail "a job whose reader and writer were killed"
record out.run.json "$all" 'sorted(p["role"] for p in r["replaced"]) == ["reader", "writer"]' \
    'all("SIGKILL" in p["why"] for p in r["replaced"]) and len(r["processes"]) == 6'
rm enough
passed "who was killed is there, and who came in its place"

# Ranks have 500 ms for their last reports: where it takes so long, on a busy host, anew.
slow_job 500
committed() { [ -e out.h5 ] && kill -USR1 $job && grep -qE 'job slow: [1-9][0-9]* of 40 blocks done' err; }
for ((n = 1; ; n++)); do
    rm -f out.h5* out.run.json
    "$h5swim" run slow.yaml -n 2 --readers 1 --quiet 2> err &
    job=$!
    await committed
    began=$(date +%s%3N)
    kill -TERM $job
    wait $job && fail "it was not ended"
    took=$(($(date +%s%3N) - began))
    if (record out.run.json 'r["status"] == "interrupted" and r["exit_status"] == 143 and "SIGTERM" in r["error"]' \
        '0 < len(blocks) < 40 and len(set(blocks)) == len(blocks)' 'r["missing_ranks"] == [] and r["failed_blocks"] == []') 2> why; then break; fi
    if [ $took -lt 400 ] || [ $n = 10 ]; then fail "SIGTERM, run $n, over in $took ms: $(cat why)"; fi
    await no_process
done
passed "a job that was told to end has a record as far as it got"

# --- where it is put ---------------------------------------------------------------
rm out.run.json
expect_status 0 "$h5swim" run map.yaml --quiet --overwrite --record none
if [ -e out.run.json ] || [ -e none ]; then fail "a record that nobody wanted"; fi
expect_status 0 "$h5swim" run map.yaml -n 2 --quiet --overwrite --record "$tmp/other/here.json"
record "$tmp/other/here.json" "$all" "$well"
[ "$(ls -A "$tmp/other")" = here.json ] || fail "other files: $(ls -A "$tmp/other")"
[ ! -e out.run.json ] || fail "a record beside the output, too"
ln -s other/here.json "$tmp/link.json"
expect_status 0 "$h5swim" run map.yaml --quiet --overwrite --record "$tmp/link.json"
[ -L "$tmp/link.json" ] || fail "a link was replaced"
record "$tmp/other/here.json" '"link.json" in r["command"]'
for file in "$tmp/nowhere/x.json" /proc/x.json in.h5 out.h5 map.yaml /dev/null "$tmp/other"; do
    before=$(stat -c '%i %s %Y' "$file" 2>/dev/null || true)
    expect_status 0 "$h5swim" run map.yaml -n 2 --quiet --overwrite --record "$file"
    expect_line "^h5swim: the record of this run .*${file##*/}: .*--record FILE puts it elsewhere"
    case $file in out.h5) continue ;; esac
    [ "$(stat -c '%i %s %Y' "$file" 2>/dev/null || true)" = "$before" ] || fail "$file was changed"
done
"$python" -c 'import h5py; assert h5py.File("out.h5")["Y"][39, 63] == 2 * (40 * 64 - 1)'
expect_status 2 "$h5swim" run map.yaml --record ''
expect_line 'option --record: it wants'
expect_status 2 "$h5swim" run map.yaml --join --record x.json
expect_line 'option --join: it cannot go with .*--record'
expect_status 1 "$h5swim" run map.yaml --quiet --overwrite --redis unix:///nonexistent/redis.sock
[ ! -e out.run.json ] || fail "a record of a job that did not begin"
passed "it goes where it is wanted, over nothing else, and costs a line where that cannot be"

expect_status 0 "$h5swim" calc 'u * 2' u=in.h5:/U out=twice.nc:/Y --quiet
record twice.run.json 'r["job"]["file"] is None and r["job"]["text"] is None' 'r["kernels"][0]["kind"] == "map"' \
    'len(blocks) == r["plan"]["blocks"] == r["totals"]["blocks"]'
passed "h5swim calc has one"

# --- who was waited for ------------------------------------------------------------
hold in.h5 write
"$h5swim" run map.yaml --quiet --overwrite --readers 1 &
job=$!
is_waiting() { "$h5swim" locks in.h5 | grep -q ' waits  *READ '; }
await is_waiting
sleep 1 # it asks who is in the way
holder=$holder_pid
let_go
wait $job || fail "a job that waited for its input"
record out.run.json "$all" 'r["totals"]["lock_wait_s"] > 0.1' \
    "[w for w in r['lock_waits'] if w['holder'] and w['holder']['pid'] == $holder and w['mode'] == 'READ' and w['us'] > 1e5]" \
    'r["processes"][0]["seconds"]["lock"] > 0.1' \
    '[1 for p, a in zip(r["spans"]["process"], r["spans"]["activity"]) if (p, a) == (0, 2)]'
passed "a lock that was waited for is there with who had it"
