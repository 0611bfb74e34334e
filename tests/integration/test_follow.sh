#!/usr/bin/env bash
# Jobs over inputs that an instrument is still writing: all rows that were committed are in
# the output, whoever dies, and readers of it see it grow.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache
instrument=$SWIM_BUILD/tests/instrument

cat >twice.c <<'C'
#include <stdlib.h>
#include <h5swim/kernel.h>
static int apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    const char *refuse = getenv("REFUSE");
    (void)state;
    if (refuse && atoi(refuse) == (int)b->index)
        return swim_error_set(err, SWIM_ERR_KERNEL, "refused");
    for (uint64_t i = 0; i < b->outputs[0]->count; i++) {
        float sum = 0;
        for (uint32_t k = 0; k < b->n_inputs; k++)
            sum += ((const float *)b->inputs[k]->data)[i];
        ((float *)b->outputs[0]->data)[i] = 2 * sum;
    }
    return SWIM_OK;
}
static const struct swim_port in[] = {{.name = "u", .type = SWIM_TYPE_F32},
                                      {.name = "v", .type = SWIM_TYPE_F32}};
static const struct swim_port out[] = {{.name = "y", .type = SWIM_TYPE_F32}};
#ifndef INPUTS
#define INPUTS 1
#endif
SWIM_KERNEL_DEFINE(.name = "twice", .kind = SWIM_KERNEL_MAP, .n_inputs = INPUTS,
                   .n_outputs = 1, .inputs = in, .outputs = out, .apply = apply);
C
{ echo '#define INPUTS 2'; cat twice.c; } >both.c

# job FOLLOW: job.yaml, that follows in.h5 so.
job() {
    printf '%s\n' 'kernel: twice.c' 'inputs: {u: {file: in.h5, dataset: U}}' \
        'outputs: {y: {file: out.h5, dataset: Y, fill: -1}}' "follow: $1" >job.yaml
}

# input FILE CHUNK [ROWS]: /U with its /time, in chunks of so many rows; row r is r, r+1...
input() {
    rm -f "$1" out.h5
    "$python" - "$@" <<'PY'
import h5py, numpy as np, sys
chunk, rows = int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0
with h5py.File(sys.argv[1], "w") as f:
    u = f.create_dataset("U", data=(np.arange(rows)[:, None] + np.arange(8)[None, :]).astype("f4"),
                         maxshape=(None, 8), chunks=(chunk, 4))
    t = f.create_dataset("time", data=10 * np.arange(rows), dtype="i8", maxshape=(None,), chunks=(64,))
    t.attrs["units"] = "seconds since 2000-01-01"
    t.make_scale("time")
    u.dims[0].attach_scale(t)
PY
}

# h5py_instrument N [end]: appends N rows; each in a session of its own.
h5py_instrument() {
    "$h5swim" exec -- "$python" - "$@" <<'PY'
import h5py, numpy as np, sys
for _ in range(int(sys.argv[1])):
    with h5py.File("in.h5", "r+") as f:
        r = f["U"].shape[0]
        f["U"].resize(r + 1, 0)
        f["U"][r] = np.arange(8) + r
        f["time"].resize((r + 1,))
        f["time"][r] = 10 * r
if len(sys.argv) > 2:
    with h5py.File("in.h5", "r+") as f:
        f.attrs["h5swim_end"] = "yes"
PY
}

# whole ROWS [FACTOR]: the output is finished, with all rows and their times.
whole() {
    "$python" - "$@" <<'PY' || fail "the output is not that of $1 rows"
import h5py, numpy as np, sys
rows, factor = int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 2
f = h5py.File("out.h5", "r")
y, t = f["Y"][:], f["time"][:]
assert y.shape == (rows, 8), y.shape
wrong = np.nonzero((y != factor * (np.arange(rows)[:, None] + np.arange(8)[None, :])).any(1))[0]
assert len(wrong) == 0, wrong
assert t.dtype == "i8" and (t == 10 * np.arange(rows)).all(), t
assert f["time"].attrs["units"] == "seconds since 2000-01-01"
assert "h5swim_unfinished" not in f["Y"].attrs and "h5swim_progress" not in f
PY
    [ ! -e out.h5.swimlog ] || fail "a journal is left beside the output"
    [ ! -e in.h5.swimlog ] || fail "a journal is left beside the input"
}

# Opens out.h5 until it is finished; how often it had become longer goes to "lengths".
# Once it reads there is a file "reading".
output_reader() {
    "$h5swim" exec -- "$python" - <<'PY'
import h5py, numpy as np, os, time
lengths, until = set(), time.time() + 60
while not os.path.exists("out.h5"):
    time.sleep(0.01)
while time.time() < until:
    with h5py.File("out.h5", "r") as f:
        open("reading", "w").close()
        y, n, running = f["Y"][:], f["time"].shape[0], "h5swim_unfinished" in f["Y"].attrs
    rows = y.shape[0]
    assert n == rows, "%d rows, %d times" % (rows, n)
    assert rows >= max(lengths, default=0), (rows, lengths)
    right = 2 * (np.arange(rows)[:, None] + np.arange(8)[None, :])
    assert ((y == right) | (y == -1)).all(), y
    lengths.add(rows)
    if not running:
        assert (y == right).all()
        break
else:
    raise SystemExit("the job did not come to its end")
with open("lengths", "w") as f:
    print(len(lengths), file=f)
PY
}

rows_of() { # rows that are committed in out.h5:Y
    "$h5swim" exec -- "$python" -c 'import h5py; print(h5py.File("out.h5")["Y"].shape[0])' 2>/dev/null || echo 0
}

has_rows() { [ "$(rows_of)" -ge "$1" ]; }
until_rows() { await has_rows "$1"; } # N: out.h5 has so many

# --- from the first row on, to the attribute --------------------------------------------
job true
input in.h5 1
"$h5swim" run job.yaml --dry-run >plan || fail "--dry-run"
grep -q 'blocks  *0 of 1 x ' plan || fail "the plan: $(cat plan)"
"$h5swim" run job.yaml --readers 2 >report 2>&1 &
job=$!
output_reader &
reader=$!
await test -e reading
h5py_instrument 40 end || fail "the instrument"
wait $job || fail "the job: $(cat report)"
wait $reader || fail "the reader of the output"
whole 40
[ "$(cat lengths)" -ge 8 ] || fail "a reader saw $(cat lengths) lengths alone"
expect_status 0 "$h5swim" run job.yaml --resume
grep -q 'complete already' "$tmp/out" || fail "it was not complete"
passed "40 rows of h5py from an empty dataset, $(cat lengths) lengths seen"

# --- rows that do not fill a block, late, to the time-out -------------------------------
job '{timeout: 1.5}'
input in.h5 8 1003
"$h5swim" run job.yaml --readers 2 --quiet --set follow.timeout=20 & # whenever the rows come
job=$!
"$instrument" in.h5 50 20 >commits || fail "the instrument"
wait $job || fail "the job"
whole 1053
input in.h5 8 3
expect_status 0 "$h5swim" run job.yaml --readers 1 --quiet
whole 3
input in.h5 8 0
expect_status 0 "$h5swim" run job.yaml --readers 1 --quiet
whole 0
passed "1003 rows that were there, 50 that came, in blocks of 8, to the time-out; 3; none"

# It ended with rows that do not fill a block, and was not finished: rows come, and it goes on.
input in.h5 8 1003
REFUSE=0 expect_status 3 "$h5swim" run job.yaml --readers 2 --quiet
"$instrument" in.h5 3 0 >commits || fail "the instrument"
REFUSE=0 expect_status 3 "$h5swim" run job.yaml --readers 2 --quiet --resume
"$instrument" in.h5 50 0 >commits || fail "the instrument"
expect_status 0 "$h5swim" run job.yaml --readers 1 --quiet --resume
whole 1056
passed "rows that came when it had ended are not missing"

# --- several inputs: rows that all of them have ------------------------------------------
input in.h5 2 5
input v.h5 2
printf '%s\n' 'kernel: both.c' \
    'inputs: {u: {file: in.h5, dataset: U}, v: {file: v.h5, dataset: U}}' \
    'outputs: {y: {file: out.h5, dataset: Y, fill: -1}}' 'follow: {until: over}' >both.yaml
"$h5swim" run both.yaml -n 2 --readers 1 --quiet &
job=$!
"$instrument" v.h5 3 10 >commits
until_rows 3
"$instrument" in.h5 20 10 >commits &
"$instrument" v.h5 17 10 >commits
wait $! || fail "the instrument"
"$h5swim" exec -- "$python" -c 'import h5py; h5py.File("v.h5", "r+")["U"].attrs["over"] = 1'
wait $job || fail "the job"
whole 20 4
passed "two inputs of 25 and 20 rows, and 2 ranks, to an attribute of the shorter one"

# --- kills ---------------------------------------------------------------------------------
job '{timeout: 60}'
input in.h5 4
"$instrument" in.h5 800 20 end >commits 2>instrument.err &
writer=$!
for round in 1 2 3 4; do
    "$h5swim" run job.yaml -n 2 --readers 1 --quiet --resume >/dev/null 2>&1 &
    job=$!
    sleep "0.$((4 + round))"
    # shellcheck disable=SC2046 # a list of numbers
    kill -9 $job $(run_pids) 2>/dev/null || true
    wait $job 2>/dev/null || true
    if [ $round = 2 ]; then
        kill -9 $writer
        wait $writer 2>/dev/null || true
        "$instrument" in.h5 60 20 end >commits 2>instrument.err &
        writer=$!
    fi
done
expect_status 0 "$h5swim" run job.yaml -n 2 --readers 1 --quiet --resume
wait $writer || fail "the instrument: $(cat instrument.err)"
rows=$("$python" -c 'import h5py; print(h5py.File("in.h5")["U"].shape[0])')
whole "$rows"
passed "$rows rows, the job killed 4 times and the instrument once"

# A rank, and one reader of it: others go on.
input in.h5 4
"$h5swim" run job.yaml -n 2 --readers 1 --quiet 2>err &
job=$!
until [ -e out.h5 ]; do sleep 0.02; done
"$instrument" in.h5 60 250 end >commits & # long enough for a slow machine's looks at it
writer=$!
until_rows 5
kill -9 "$(below $job | head -n 1)"
until_rows 12
kill_reader() {
    local reader
    reader=$(of_rank "$(below $job | head -n 1)" reader) && [ -n "$reader" ] && kill -9 "$reader" 2>/dev/null
}
await kill_reader # the rank is started again
wait $writer || fail "the instrument"
wait $job || fail "the job: $(cat err)"
whole 60
passed "rank 0 killed, and a reader"

# --- SIGTERM, and what is refused then ------------------------------------------------------
input in.h5 4 10
"$h5swim" run job.yaml --quiet 2>err &
job=$!
until_rows 10
kill $job
status=0
wait $job || status=$?
[ $status = 143 ] || fail "status $status"
grep -q -- '--resume goes on' err || fail "$(cat err)"
lock_is_free in.h5 || fail "the input is locked"
expect_status 2 "$h5swim" run job.yaml --resume --quiet --set follow=false
expect_line 'unfinished output of another job'
cp in.h5 keep.h5
"$python" -c 'import h5py; h5py.File("in.h5", "r+")["U"].resize(7, 0)'
expect_status 2 "$h5swim" run job.yaml --resume --quiet
expect_line 'Y of .*out.h5 has 10 rows already and the inputs have 7'
mv in.h5 was.h5
cp keep.h5 in.h5 # has another inode
expect_status 2 "$h5swim" run job.yaml --resume --quiet
expect_line 'input u .*in.h5. was replaced'
passed "stopped by SIGTERM it can be resumed, with its own input alone"

# An input that is replaced in the middle.
input in.h5 4 10
"$h5swim" run job.yaml --quiet 2>err &
job=$!
until_rows 10
cp in.h5 other.h5
mv other.h5 in.h5
status=0
wait $job || status=$?
[ $status = 1 ] || fail "status $status: $(cat err)"
expect_line 'follow .*in.h5: it was replaced by another file' err
passed "an input that is replaced ends the job"

# --- mpirun --------------------------------------------------------------------------------
input in.h5 4 6
"$instrument" in.h5 50 20 end >commits &
writer=$!
expect_status 0 mpirun -n 2 --oversubscribe "$h5swim" run job.yaml --readers 1 --quiet
wait $writer || fail "the instrument"
whole 56
passed "two ranks of MPI"

# --- refusals ------------------------------------------------------------------------------
refused() { # PATTERN OPTION...
    local pattern=$1
    shift
    expect_status 2 "$h5swim" run job.yaml --quiet "$@"
    expect_line "$pattern"
    [ ! -e out.h5 ] || fail "an output was made"
}
input in.h5 4 10
refused 'job.yaml:4:9: follow: a kernel of the kind reduce: only maps' \
    --set "kernel=$support/kernels/total.c" --set 'inputs={x: {file: in.h5, dataset: U}}' \
    --set 'outputs={sum: {file: out.h5, dataset: Y}}'
"$python" - <<'PY'
import h5py, numpy as np
with h5py.File("fixed.h5", "w") as f:
    f.create_dataset("U", data=np.zeros((4, 8), "f4"))
    f.create_dataset("wide", (4, 8), "f4", maxshape=(4, None), chunks=(4, 8))
    f.create_dataset("none", (0, 8), "f4", maxshape=(None, 8), chunks=(4, 8))
PY
refused 'fixed.h5:/U cannot grow along its first axis' --set inputs.u.file=fixed.h5
refused 'fixed.h5:/wide cannot grow along its first axis' --set inputs.u.file=fixed.h5 \
    --set inputs.u.dataset=wide
refused '/none in .*fixed.h5 has no elements' --set inputs.u.file=fixed.h5 \
    --set inputs.u.dataset=none --set follow=false
refused '"timeout".*0.001 to 1e9 seconds' --set follow.timeout=0
refused 'unknown key "untill"; did you mean "until"' --set follow.untill=x
sed 's/SWIM_KERNEL_MAP/SWIM_KERNEL_STENCIL, .plan = plan/;/^static int apply/i static int plan(void *s, struct swim_plan *p, swim_error_t *e) { (void)s; (void)e; p->halo_lo[AXIS] = 1; return SWIM_OK; }' twice.c >along.c
{ echo '#define AXIS 1'; cat along.c; } >across.c
sed -i '1i #define AXIS 0' along.c
refused 'follow: kernel needs neighbours along the first axis' --set kernel=along.c
expect_status 0 "$h5swim" run job.yaml --quiet --set kernel=across.c --set follow.timeout=0.3
passed "what cannot be followed is refused"
