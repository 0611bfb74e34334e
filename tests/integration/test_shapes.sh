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
    f["LINE"] = r.random(1001)
    f["ONE"] = np.float32(2.5)
    f["LONG"] = np.arange(300000, dtype="f8")
    f["GRID"] = r.random((64, 48)).astype("f4")
PY

# Two outputs of other types: the double of an integer, and whether it is positive.
cat > pair.c <<'C'
#include <h5swim/kernel.h>
static int apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    const struct swim_array *in = b->inputs[0];
    const int32_t *a = in->data;
    int64_t *twice = b->outputs[0]->data;
    uint8_t *positive = b->outputs[1]->data;
    (void)state; (void)err;
    for (uint64_t i = 0; i < in->count; i++) {
        int gone = in->has_missing && a[i] == in->missing.i;
        twice[i] = gone ? b->outputs[0]->missing.i : 2 * (int64_t)a[i];
        positive[i] = gone ? (uint8_t)b->outputs[1]->missing.i : a[i] > 0;
    }
    return SWIM_OK;
}
static const struct swim_port in[] = {{.name = "a", .type = SWIM_TYPE_I32}};
static const struct swim_port out[] = {{.name = "twice", .type = SWIM_TYPE_I64},
                                       {.name = "positive", .type = SWIM_TYPE_U8}};
SWIM_KERNEL_DEFINE(.name = "pair", .kind = SWIM_KERNEL_MAP, .n_inputs = 1, .n_outputs = 2,
                   .inputs = in, .outputs = out, .apply = apply);
C
# The sum and the number of elements over all axes, or over all but the one kept.
cat > total.c <<'C'
#include <stdlib.h>
#include <unistd.h>
#include <h5swim/kernel.h>
static const struct swim_param params[] = {
    {.name = "keep", .type = SWIM_PARAM_INT, .preset = "-1", .description = "axis to keep"},
    {.name = "fail", .type = SWIM_PARAM_TEXT, .preset = "", .description = "where to fail"}};
struct total { int64_t keep; char fail; };
static int total_open(const swim_params_t *p, void **state, swim_error_t *err)
{
    struct total *t = calloc(1, sizeof(*t));
    (void)err;
    if (!t)
        return SWIM_ERR_NOMEM;
    t->keep = swim_params_int(p, "keep");
    t->fail = swim_params_text(p, "fail")[0];
    *state = t;
    if (t->fail == 'o')
        return SWIM_ERR_NOMEM; /* without a word */
    return SWIM_OK;
}
static int total_plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    const struct total *t = state;
    (void)err;
    if (t->fail == 'p')
        exit(3);
    if (t->fail == 's')
        sleep(20);
    if (t->keep < 0)
        return SWIM_OK;
    plan->reduced[t->keep] = 0;
    plan->outputs[0]->ndim = 1;
    plan->outputs[0]->from_axis[0] = (int32_t)t->keep;
    return SWIM_OK;
}
static uint64_t total_acc_bytes(void *state, const struct swim_block *b)
{
    (void)state;
    return b->outputs[0]->count * sizeof(double);
}
static int total_partial(void *state, const struct swim_block *b, void *acc, swim_error_t *err)
{
    const struct total *t = state;
    const struct swim_array *in = b->inputs[0];
    const double *x = in->data;
    double *sum = acc;
    (void)err;
    if (t->fail == 'e')
        exit(3);
    for (uint64_t i = 0; i < in->count; i++) {
        uint64_t place = t->keep < 0 ? 0 : i / (uint64_t)in->strides[t->keep] % in->shape[t->keep];
        sum[place] += x[i] == x[i] ? x[i] : 0;
    }
    return SWIM_OK;
}
static int total_merge(void *state, const struct swim_block *b, void *acc, const void *other, swim_error_t *err)
{
    double *sum = acc;
    const double *more = other;
    (void)state; (void)err;
    for (uint64_t i = 0; i < b->outputs[0]->count; i++)
        sum[i] += more[i];
    return SWIM_OK;
}
static int total_finish(void *state, const struct swim_block *b, const void *acc, swim_error_t *err)
{
    const struct total *t = state;
    if (t->fail == 'f')
        return swim_error_set(err, SWIM_ERR_KERNEL, "nothing to finish");
    for (uint64_t i = 0; i < b->outputs[0]->count; i++)
        ((double *)b->outputs[0]->data)[i] = ((const double *)acc)[i];
    return SWIM_OK;
}
static const struct swim_port in[] = {{.name = "x", .type = SWIM_TYPE_F64}};
static const struct swim_port out[] = {{.name = "sum", .type = SWIM_TYPE_F64}};
SWIM_KERNEL_DEFINE(.name = "total", .kind = SWIM_KERNEL_REDUCE, .n_inputs = 1, .n_outputs = 1,
                   .inputs = in, .outputs = out, .n_params = 2, .params = params,
                   .open = total_open, .plan = total_plan, .acc_bytes = total_acc_bytes,
                   .partial = total_partial, .merge = total_merge, .finish = total_finish,
                   .close = free);
C
mkdir sub
cat > pair.yaml <<'YAML'
kernel: pair.c
inputs: {a: {file: in.h5, dataset: A}}
outputs:
  twice: {file: twice.h5, dataset: /deep/er/T, type: int32, fill: -7, chunks: [7, 9, 11]}
  positive: {file: positive.h5, dataset: P, filters: {fletcher32: true}, chunks: [6, 9, 4]}
YAML
total() { # DATASET OUTPUT OPTION...
    local dataset=$1 output=$2
    shift 2
    printf 'kernel: total.c\ninputs: {x: {file: in.h5, dataset: %s}}\noutputs: {sum: {file: %s, dataset: S}}\n' "$dataset" "$output" > total.yaml
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

# Kernels that refuse or end their process: an error, in time, and no finished output.
expect_status 1 timeout 30 "$h5swim" run total.yaml -n 2 --quiet --set params.fail=finish --set outputs.sum.file=f.h5
expect_line 'total failed in block 0 .*nothing to finish'
expect_status 1 timeout 30 "$h5swim" run total.yaml -n 2 --quiet --set params.fail=exit --set outputs.sum.file=e.h5
expect_line 'reader 0 of rank [01] .*exit status 3 in block'
expect_status 1 timeout 30 "$h5swim" run total.yaml -n 2 --quiet --set params.fail=plan --set outputs.sum.file=p.h5
[ ! -e p.h5 ] || fail "an output of a kernel that ended in plan()"
expect_status 1 timeout 30 "$h5swim" run total.yaml -n 2 --quiet --set params.fail=open --set outputs.sum.file=o.h5
expect_line 'kernel total: open.. failed'
expect_status 2 timeout 30 "$h5swim" run total.yaml --quiet --set 'block=[4, 4, 4, 4]' --set outputs.sum.file=o.h5
expect_line '4 sizes.*dimension'
[ -z "$(find . -name '*partials*')" ] || fail "partial results are left behind"

# A rank that is told to go takes the others along, also while a kernel plans.
"$h5swim" run total.yaml -n 2 --quiet --set params.fail=sleep --set outputs.sum.file=s.h5 2>"$tmp/err" &
job=$!
sleep 1
start=$SECONDS
kill -INT "$(pgrep -P $job | head -n 1)"
status=0
wait $job || status=$?
[ $status = 130 ] || fail "status $status, not 130, after SIGINT to a rank whose kernel plans"
[ $((SECONDS - start)) -le 4 ] || fail "a planning kernel kept the job for $((SECONDS - start)) s"
for file in f.h5 e.h5; do
    h5dump -a /S/h5swim_unfinished $file >/dev/null || fail "$file looks finished"
done
