#!/usr/bin/env bash
# Blocks in which a kernel crashes, ends its process, never comes back or refuses: they
# are tried three times and set aside, the rest is done, and --resume tries just those.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_SERVER_IDLE_S=5
"$python" - <<'PY'
import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    f.create_dataset("U", data=np.arange(40 * 64, dtype="f4").reshape(40, 64), chunks=(1, 64))
PY
job() { # NAME KERNEL BLOCK
    printf '%s\n' "kernel: {name: $support/kernels/$2.c, timeout: 0.5}" \
        "params: {where: $PWD/where}" 'inputs: {u: {file: in.h5, dataset: U}}' \
        "outputs: {y: {file: out.h5, dataset: Y, fill: -1}}" "block: $3" 'memory: 1 MiB' >"$1.yaml"
}
job map breaks '[1, 64]'
job sum breaks_sum '[4, 16]'
touch where
"$h5swim" run map.yaml --dry-run >/dev/null # compiles

# values BAD: of out.h5, where BAD are the rows that keep fill values, and the mark.
values() {
    "$python" - "$1" "$2" <<'PY' || fail "out.h5 after blocks that failed"
import h5py, numpy as np, sys
kind, bad = sys.argv[1], [int(w) for w in sys.argv[2].split()]
u, f = h5py.File("in.h5")["U"][:], h5py.File("out.h5")
y = f["Y"][:]
want = 2 * u if kind == "map" else (u.astype("f8") / 3).reshape(40, 4, 16).sum(2)
if kind == "sum":
    part = want[:, 0].copy()
    for i in (1, 2, 3):
        part += want[:, i]
    want = part
want[bad] = -1
assert np.allclose(y, want, rtol=1e-15), (np.where(y != want), y[:4])
assert ("h5swim_unfinished" in f["Y"].attrs) == bool(bad)
PY
}

printf '%s\n' '3 segv' '11 abort' '17 exit' '23 loop' '31 refuse' '33 once' >where
expect_status 3 "$h5swim" run map.yaml -n 2 --readers 1 --quiet
cp "$tmp/err" err
head -n 1 err | grep -qE '5 of 40 blocks failed.*--resume' || fail "no summary: $(cat err)"
for line in 'signal 11 .SIGSEGV. in block 3 .offset.count 3.1, 0.64.*3 tries' 'signal 6 .SIGABRT. in block 11 ' \
    'exit status 0 in block 17 ' 'more than 0.5 s in block 23 ' 'block 31 .*does not like this block, 3 tries'; do
    [ "$(grep -cE "$line" err)" = 1 ] || fail "not one line with: $line, in: $(cat err)"
done
[ "$(wc -l <err)" = 6 ] || fail "more lines than blocks: $(cat err)"
values map '3 11 17 23 31'
passed "five blocks that fail in five ways are told, and the others are done"

expect_status 2 "$h5swim" run map.yaml --quiet
expect_line 'out.h5 is the unfinished output of a job.*--resume'
printf '%s\n' '3 segv' >where
expect_status 3 "$h5swim" run map.yaml --resume --json
"$python" - "$tmp/out" <<'PY' || fail "JSON: $(cat "$tmp/out")"
import json, sys
r = json.load(open(sys.argv[1]))
assert r["status"] == "done but for failed blocks" and r["exit_status"] == 3
assert r["blocks"] == 39 and r["blocks_in_all"] == 40 and r["readers"] >= 1
[f] = r["failed_blocks"]
assert f["block"] == 3 and f["tries"] == 3 and "SIGSEGV" in f["error"]
# Four rows, and the one that failed three times.
assert r["bytes_read"] <= 7 * 256 and r["bytes_written"] == 4 * 256, r
PY
values map 3
: >where
expect_status 0 "$h5swim" run map.yaml -n 2 --resume --quiet
values map ''
expect_status 0 "$h5swim" run map.yaml --resume
grep -q 'complete already' "$tmp/out" || fail "a finished job that is resumed: $(cat "$tmp/out")"
passed "--resume tries those that failed, and no other"

# Where it writes, the finished blocks of others lie beside.
printf '%s\n' '3 over' '20 over' >where
expect_status 3 "$h5swim" run map.yaml -n 1 --readers 1 --quiet --overwrite --set 'outputs.y.filters={}'
for block in 3 20; do
    grep -qE "signal 11 .SIGSEGV. in block $block .*3 tries" "$tmp/err" || fail "not said: $block: $(cat "$tmp/err")"
done
values map '3 20'
passed "a kernel that writes on behind its block costs that block alone"

# With a status as if a signal had told it to leave.
printf '%s\n' '3 exit129' '5 exit130' '7 exit143' >where
expect_status 3 "$h5swim" run map.yaml -n 2 --readers 1 --quiet --overwrite
for line in '129 in block 3 ' '130 in block 5 ' '143 in block 7 '; do
    grep -qE "exit status $line.*3 tries" "$tmp/err" || fail "not said: $line: $(cat "$tmp/err")"
done
values map '3 5 7'
expect_status 1 "$h5swim" run map.yaml -n 2 --readers 1 --quiet --overwrite --set params.where=exit143
grep -q 'rank 0 ended with exit status 143' "$tmp/err" || fail "open() that ends a rank: $(cat "$tmp/err")"
passed "a kernel that ends with the status of a signal costs its blocks, not the job"

# A block that is done just as its time is over, and the one after it.
echo '0 wait' >where
NAP_MS=200 "$h5swim" run map.yaml -n 1 --readers 1 --quiet --overwrite \
    --set kernel.timeout=4 2>err &
job=$!
reader_there() {
    rank=$(below $job | head -n 1)
    [ -n "$rank" ] || return
    spawner=$(of_rank "$rank" spawner)
    [ -n "$spawner" ] && [ "$(below "$spawner" | wc -l)" = 2 ] || return
    reader=$(of_rank "$rank" reader)
}
is_at_another() { kill -USR1 $job && sleep 0.05 && grep -q 'reader 0 at block [1-9]' err; }
await reader_there
on_exit "kill -CONT $spawner 2>/dev/null"
kill -STOP "$spawner"
sleep 6 # the rank has told the spawner to end the reader
touch where.go
await is_at_another
kill -CONT "$spawner"
sleep 0.3
[ -e "/proc/$reader" ] || fail "a reader was ended in a block that had only begun: $(cat err)"
wait $job || fail "a block that took too long, and was done: $(cat err)"
values map ''
rm where.go
passed "a reader that has just gone on to another block is not ended"

# The words of a kernel need not be UTF-8, as JSON is, and are not cut in a character.
printf '%s\n' '3 latin' '7 long' '9 refuse' >where
expect_status 3 "$h5swim" run map.yaml --quiet --json --overwrite
"$python" - "$tmp/out" out.run.json <<'PY' || fail "JSON: $(cat "$tmp/out")"
import json, sys
for name in sys.argv[1:]:
    text = {f["block"]: f["error"] for f in json.load(open(name, encoding="utf-8"))["failed_blocks"]}
    assert sorted(text) == [3, 7, 9] and "block 7 " in text[7], text
    assert text[3].endswith("caf\\xe9" if name == sys.argv[1] else "caf\ufffd"), text[3]
    assert text[7].endswith("\u00e9, it is not") and "\u00e9...\u00e9" in text[7], text[7]
PY
passed "a kernel may refuse a block in any words"

# A part of a reduction: what it belongs to cannot be merged.
rm out.h5
printf '%s\n' '5 segv' '6 refuse' '30 once' >where
expect_status 3 "$h5swim" run sum.yaml -n 2 --quiet
grep -q 'tile 1 was not merged' "$tmp/err" || fail "no word of the tile: $(cat "$tmp/err")"
values sum '4 5 6 7'
: >where
expect_status 0 "$h5swim" run sum.yaml -n 3 --resume --quiet
values sum ''
[ "$(echo out.h5*)" = out.h5 ] || fail "left beside a finished job: $(echo out.h5*)"
passed "a part of a reduction that failed leaves its tile out until it is done"

# All parts of six tiles, as two ranks come to them: each tile counts once.
for ((i = 0; i < 24; i++)); do echo "$i refuse"; done >where
expect_status 3 "$h5swim" run sum.yaml -n 2 --quiet --json --overwrite
"$python" - "$tmp/out" <<'PY' || fail "JSON: $(cat "$tmp/out")"
import json, sys
r = json.load(open(sys.argv[1]))
assert r["blocks_in_all"] == 50 and r["blocks"] == 20, (r["blocks"], r["blocks_in_all"])
failed = sorted((f["phase"], f["block"]) for f in r["failed_blocks"])
assert failed == [(0, b) for b in range(24)] + [(1, t) for t in range(6)], failed
PY
grep -q '30 of 50 blocks failed' "$tmp/err" || fail "blocks that failed: $(head -n 1 "$tmp/err")"
passed "a tile is set aside once, however many of its parts have failed"

# Who wants to know at once.
printf '%s\n' '3 segv' >where
expect_status 1 "$h5swim" run map.yaml --quiet --overwrite --fail-fast
expect_line 'SIGSEGV.*in block 3 '
passed "--fail-fast stops at the first"

expect_status 2 "$h5swim" run map.yaml --overwrite --set kernel.timeout=0
expect_line '"timeout": expected 0.001 to 1e9 seconds'

# A kernel that never works is not tried for ever.
for ((i = 0; i < 40; i++)); do echo "$i refuse"; done >where
expect_status 1 "$h5swim" run map.yaml --quiet --overwrite
expect_line 'blocks have failed and 0 are done: the job is stopped'
passed "a job none of whose blocks work is stopped"
