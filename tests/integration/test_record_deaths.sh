#!/usr/bin/env bash
# The record of runs to which something happens: a reader crashes, ranks die and are started
# again, ranks join and die, a job follows its input, one is resumed.  Each time it is whole,
# says who was lost and why, and has each block once.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$support/locklib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
ulimit -c 0
export SWIM_CACHE_DIR=$tmp/cache SWIM_LEASE_MS=4000
start_redis "$tmp/redis.sock"
export SWIM_REDIS_URL=unix://$tmp/redis.sock
"$python" - <<'PY'
import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    f.create_dataset("U", data=np.arange(40 * 64, dtype="f4").reshape(40, 64), chunks=(1, 64))
with h5py.File("many.h5", "w") as f:
    f.create_dataset("U", data=np.arange(400 * 64, dtype="f4").reshape(400, 64), chunks=(1, 64))
with h5py.File("grows.h5", "w") as f:
    f.create_dataset("U", data=np.zeros((10, 8), "f4"), maxshape=(None, 8), chunks=(1, 8))
    f.create_dataset("time", data=np.arange(10), maxshape=(None,), chunks=(64,))
PY
# Doubles.  A block with a file "segv.N" crashes once, those from $HOLD on wait for "go".
cat > stands.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <h5swim/kernel.h>
static int apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    const char *hold = getenv("HOLD");
    char name[40];
    (void)state;
    (void)err;
    snprintf(name, sizeof(name), "segv.%llu", (unsigned long long)b->index);
    if (unlink(name) == 0)
        *(volatile int *)8 = 1;
    while (hold && b->index >= strtoull(hold, NULL, 10) && access("go", F_OK) != 0)
        usleep(1000);
    for (uint64_t i = 0; i < b->outputs[0]->count; i++)
        ((float *)b->outputs[0]->data)[i] = 2 * ((const float *)b->inputs[0]->data)[i];
    return SWIM_OK;
}
static const struct swim_port in[] = {{.name = "u", .type = SWIM_TYPE_F32}};
static const struct swim_port out[] = {{.name = "y", .type = SWIM_TYPE_F32}};
SWIM_KERNEL_DEFINE(.name = "stands", .kind = SWIM_KERNEL_MAP, .n_inputs = 1,
                   .n_outputs = 1, .inputs = in, .outputs = out, .apply = apply);
C
job() { # NAME INPUT LINE...
    printf '%s\n' 'kernel: stands.c' "inputs: {u: {file: $2, dataset: U}}" \
        'outputs: {y: {file: out.h5, dataset: Y, fill: -1}}' 'memory: 1 MiB' "${@:3}" > "$1.yaml"
}
job stands in.h5 'block: [1, 64]'
job many many.h5 'block: [1, 64]'
job grows grows.h5 'follow: true'

# The page takes what is as RUN.md says, and nothing else.
record() {
    "$python" "$support/record_check.py" out.run.json 'len(set(blocks)) == len(blocks)' "$@" || fail "the record"
    expect_status 0 "$h5swim" report out.run.json -o page.html
    [ -z "$(find . -name '.*.part' -o -name '.*.new')" ] || fail "parts are left: $(ls -a)"
}
same_values() { # INPUT
    "$python" - "$1" <<'PY' || fail "out.h5 is not what it should be"
import h5py, sys
y = h5py.File("out.h5")["Y"]
assert (y[:] == 2 * h5py.File(sys.argv[1])["U"][:]).all() and "h5swim_unfinished" not in y.attrs
PY
}
nobody='r["replaced"] == r["lost_ranks"] == r["missing_ranks"] == r["failed_blocks"] == []'
rows() { # FIRST LAST: these, once each
    printf 'blocks == [(0, n) for n in range(%s, %s)]' "$1" $(($2 + 1))
}
tree() { # a process and all below it
    local child
    echo "$1"
    for child in $(pgrep -P "$1"); do tree "$child"; done
}

# --- a kernel crashes once ----------------------------------------------------------------
touch segv.7
expect_status 0 "$h5swim" run stands.yaml -n 1 --readers 1 --quiet
record "$(rows 0 39)" 'r["status"] == "done" and r["totals"]["blocks"] == 40 and r["dropped"] == 0' \
    'r["lost_ranks"] == r["missing_ranks"] == r["failed_blocks"] == [] and r["error"] is None' \
    '[(p["rank"], p["role"], p["index"]) for p in r["replaced"]] == [(0, "reader", 0)]' \
    '"SIGSEGV" in r["replaced"][0]["why"] and len(r["processes"]) == 4' \
    '[n for n, tries in zip(b["block"], b["tries"]) if tries == 2] == [7] and sum(b["tries"]) == 41' \
    'r["joined"] == {"ranks": 0, "readers": 0, "blocks": 0}'
same_values in.h5
passed "a kernel crashes: its reader is named, and its block is there once, with two tries"

# --- ranks die and are started again ------------------------------------------------------
# standing N OPTION...: a job, $job, of which N blocks are done and the rest waits.
standing() {
    rm -f go
    HOLD=$1 "$h5swim" run stands.yaml "${@:2}" >out 2>err &
    job=$!
    await stands_at "$1"
}
stands_at() { [ -n "$(below $job)" ] && kill -USR1 $job && grep -qs "job stands: $1 of 40 blocks done" err; }
another() { # PID N: of N ranks, in its place
    local all
    mapfile -t all < <(below $job)
    [ ${#all[@]} -eq "$2" ] && ! printf '%s\n' "${all[@]}" | grep -qx "$1"
}
standing 20 -n 2 --readers 1 --overwrite
mapfile -t ranks < <(below $job)
for rank in "${ranks[1]}" "${ranks[0]}"; do
    kill -SEGV "$rank"
    await another "$rank" 2
done
touch go
wait $job || fail "a job whose ranks died: $(cat err)"
record "$(rows 20 39)" 'r["status"] == "done" and r["totals"]["blocks"] == 40 and r["dropped"] == 20' \
    "[(p['rank'], p['pid']) for p in r['lost_ranks']] == [(1, ${ranks[1]}), (0, ${ranks[0]})]" \
    '[p["why"] for p in r["lost_ranks"]] == ["rank %d was ended by signal 11 (SIGSEGV)" % n for n in (1, 0)]' \
    'r["lost_ranks"][0]["at_us"] <= r["lost_ranks"][1]["at_us"]' \
    'r["replaced"] == r["missing_ranks"] == r["failed_blocks"] == [] and r["error"] is None' \
    'r["totals"]["bytes_written"] == 40 * 256 <= r["totals"]["bytes_read"]' \
    "{p['pid'] for p in r['processes']}.isdisjoint([${ranks[0]}, ${ranks[1]}])" \
    '{p["rank"] for p in r["processes"]} == {0, 1} and len(r["processes"]) == 6'
grep -q 'was ended by signal 11 (SIGSEGV)' page.html || fail "the page does not name who was lost"
same_values in.h5
passed "both ranks die, rank 0 too: both are named, and what they had done is counted"

# --- all die, and it is resumed --------------------------------------------------------------
standing 20 -n 2 --readers 1 --overwrite
mapfile -t all < <(tree $job)
kill -KILL "${all[@]}"
wait $job 2>/dev/null && fail "it was killed"
touch go
expect_status 0 "$h5swim" run stands.yaml -n 2 --readers 1 --quiet --resume
record "$(rows 20 39)" 'r["totals"]["blocks"] == 20 and r["dropped"] == 0 and r["error"] is None' "$nobody" \
    'r["command"].endswith("--resume") and r["plan"]["blocks"] == 40'
same_values in.h5
passed "the record of a run that resumes one that was killed has the rest alone"

# A rank dies in a run that resumes another.  The ranks of that one have 500 ms for their last
# reports: where it takes so long, on a busy host, anew.
for ((n = 1; ; n++)); do
    rm -f out.run.json
    standing 20 -n 2 --readers 1 --overwrite
    began=$(date +%s%3N)
    kill -TERM $job
    wait $job && fail "it was ended"
    took=$(($(date +%s%3N) - began))
    if (record "$(rows 0 19)" 'r["status"] == "interrupted" and "SIGTERM" in r["error"]' "$nobody") 2>why; then break; fi
    if [ $took -lt 400 ] || [ $n = 10 ]; then fail "SIGTERM, run $n, over in $took ms: $(cat why)"; fi
    await no_process
    rm -f .*.part .*.new
done
standing 30 -n 1 --readers 1 --resume
rank=$(below $job)
kill -SEGV "$rank"
await another "$rank" 1
touch go
wait $job || fail "a resumed job whose rank died: $(cat err)"
record "$(rows 30 39)" 'r["totals"]["blocks"] == 20 and r["dropped"] == 10 and r["status"] == "done"' \
    "[(p['rank'], p['pid']) for p in r['lost_ranks']] == [(0, $rank)] and r['missing_ranks'] == []"
same_values in.h5
passed "resumed, with a rank that dies: what was there before is not counted"

# --- ranks join, and one dies --------------------------------------------------------------
did() { [ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -ge "$2" ]; } # WHO N: blocks computed
run() { # WHO ARGUMENT...: in the background, $pid
    WHO=$PWD/$1 "$h5swim" run joins.yaml "${@:2}" >"$1.out" 2>"$1.err" &
    pid=$!
}
rm -f out.h5
printf '%s\n' "kernel: $support/kernels/told.c" "params: {until: '$PWD/enough', plus: 0}" \
    'inputs: {u: {file: many.h5, dataset: U}}' 'outputs: {y: {file: out.h5, dataset: Y}}' \
    'block: [1, 64]' 'memory: 1 MiB' > joins.yaml
export NAP_MS=100
run job --readers 1
job=$pid
await did job 1
run stays --join --readers 1
stays=$pid
run dies --join --readers 1
dies=$pid
await did stays 2
await did dies 2
mapfile -t all < <(tree $dies)
kill -KILL "${all[@]}"
wait $dies 2>/dev/null && fail "it was killed"
await grep -q 'which had joined, is gone' job.err
touch enough
wait $job || fail "the job: $(cat job.err)"
wait $stays || fail "one that joined: $(cat stays.err)"
pids=$(IFS=,; echo "${all[*]}")
record 'r["status"] == "done" and r["totals"]["blocks"] == 400 <= len(blocks) + r["dropped"]' \
    'r["joined"]["ranks"] == 2 == r["joined"]["readers"] and 3 <= r["joined"]["blocks"] < 400' \
    "len(r['lost_ranks']) == 1 and r['lost_ranks'][0]['rank'] in (1, 2)" \
    "r['lost_ranks'][0]['pid'] in ($pids) and 'has died' in r['lost_ranks'][0]['why']" \
    'len(blocks) + r["joined"]["blocks"] <= 400 and len(r["processes"]) == 3' \
    'r["replaced"] == r["missing_ranks"] == r["failed_blocks"] == [] and r["error"] is None'
same_values many.h5
passed "two join, one of them dies: $("$python" -c 'import json; r = json.load(open("out.run.json")); print(r["joined"], r["lost_ranks"])')"

# --- an input that grows -------------------------------------------------------------------
rm -f out.h5
export HOLD=0
unset NAP_MS
touch go
has_rows() { # N: committed in the output
    [ "$("$h5swim" exec -- "$python" -c 'import h5py; print(h5py.File("out.h5")["Y"].shape[0])' 2>/dev/null || echo 0)" -ge "$1" ]
}
"$h5swim" run grows.yaml -n 1 --readers 1 --quiet 2>err &
job=$!
await has_rows 10
rank=$(below $job)
reader=$(of_rank "$rank" reader)
kill -KILL "$reader"
replaced() { local now; now=$(below "$(of_rank "$rank" spawner)") && [ "$(wc -l <<<"$now")" -eq 2 ] && ! grep -qx "$reader" <<<"$now"; }
await replaced
"$SWIM_BUILD/tests/instrument" grows.h5 5 0 >commits
await has_rows 15
kill -TERM $job
wait $job && fail "it was ended"
record "$(rows 0 14)" 'r["status"] == "interrupted" and r["dropped"] == 0 and r["totals"]["blocks"] == 15' \
    '[p["role"] for p in r["replaced"]] == ["reader"] and "SIGKILL" in r["replaced"][0]["why"]' 'r["lost_ranks"] == []'
"$SWIM_BUILD/tests/instrument" grows.h5 5 0 end >commits
expect_status 0 "$h5swim" run grows.yaml -n 1 --readers 1 --quiet --resume
record "$(rows 15 19)" 'r["totals"]["blocks"] == 5 and r["dropped"] == 0 and r["status"] == "done"' "$nobody"
same_values grows.h5
passed "a job that follows, a reader that was killed, and the rest when it is resumed"
