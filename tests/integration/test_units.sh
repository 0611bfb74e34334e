#!/usr/bin/env bash
# Units that kernels declare: data are converted, or the job is refused.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"

cd "$tmp"
"$python" - <<'PY'
import h5py
import numpy as np
rng = np.random.default_rng(2)
with h5py.File("in.h5", "w") as f:
    def put(name, values, units, **attributes):
        d = f.create_dataset(name, data=values, chunks=(5, 9))
        if units:
            d.attrs["units"] = units
        for key, value in attributes.items():
            d.attrs[key] = value
    u, v = rng.normal(size=(2, 20, 30)).astype("f4") * 10
    v[3, 4] = -999
    put("u", u, "m/s")
    put("spelled", v, "metre second^-1", _FillValue=np.float32(-999))
    put("v", v, "m s-1", _FillValue=np.float32(-999))
    put("fast", v * np.float32(3.6), "km/h")
    put("packed", np.arange(600, dtype="i2").reshape(20, 30), "km h-1", scale_factor=0.1,
        add_offset=5.0, _FillValue=np.int16(7))
    put("turn", v, "degrees")
    put("bare", v, None)
    put("odd", v, "cubits a day")
    put("celsius", v, "degC", _FillValue=np.float32(-999))
PY

# job KERNEL "PORT=DATASET ..." OUTPUT: job.yaml
job() {
    local pair
    {
        printf 'kernel: %s\ninputs:\n' "$1"
        for pair in $2; do printf '  %s: {file: in.h5, dataset: %s}\n' "${pair%=*}" "${pair#*=}"; done
        printf 'outputs:\n  %s: {file: out.nc, dataset: y}\n' "$3"
    } >job.yaml
}
run() {
    expect_status "${expected:-0}" "$h5swim" run job.yaml -n 2 --quiet --record none --overwrite "$@"
}
wind() {
    job wind_speed "u=$1 v=$2" speed
    run "${@:3}"
}

# is "EXPRESSION of f, the input, in float64" UNITS: out.nc:y is that, in that unit.
is() {
    "$python" - "$@" <<'PY' || fail "is $*"
import sys
import h5py
import numpy as np
f = {name: d[()].astype("f8") for name, d in h5py.File("in.h5").items()}
for name in "v", "spelled", "celsius":
    f[name][3, 4] = np.nan
f["packed"] = np.where(f["packed"] == 7, np.nan, f["packed"] * 0.1 + 5)
out = h5py.File("out.nc")["y"]
got = out[()].astype("f8")
got[out[()] == out.attrs["_FillValue"][0]] = np.nan
np.testing.assert_allclose(got, eval(sys.argv[1]), rtol=3e-7)
units = out.attrs.get("units", b"")
assert (units.decode() if isinstance(units, bytes) else units) == sys.argv[2], units
PY
}

wind u v
cp out.nc same.nc
is 'np.hypot(f["u"], f["v"])' m/s
wind u spelled
"$python" -c 'import h5py
assert h5py.File("same.nc")["y"][()].tobytes() == h5py.File("out.nc")["y"][()].tobytes()'
wind u fast
is 'np.hypot(f["u"], f["fast"] / 3.6)' m/s
wind u packed
is 'np.hypot(f["u"], f["packed"] / 3.6)' m/s
wind fast u
is 'np.hypot(f["fast"], f["u"] * 3.6)' km/h
run --dry-run
grep -F 'input v        ' out | grep -qF ', in "km/h" (from "m/s")' || fail "$(cat out)"
passed "an input in the unit of another, packed ones too"

wind bare bare
is 'np.hypot(f["bare"], f["bare"])' ''
wind odd odd
is 'np.hypot(f["odd"], f["odd"])' 'cubits a day'
for v in turn bare odd; do
    expected=2 wind u $v
    expect_line "input v \\(.*in.h5:/$v\\) is in \".*\", and the unit of input u is \"m/s\""
done
expect_status 2 "$h5swim" check job.yaml
grep -q 'the unit of input u is "m/s"' out err || fail "check: $(cat out err)"
wind u bare --set 'inputs.v.units=km/h'
is 'np.hypot(f["u"], f["bare"] / 3.6)' m/s
wind u v --set 'inputs.u.units=knot'
is 'np.hypot(f["u"], f["v"] * 3600 / 1852)' knot
passed "what is in no unit that can be converted is refused, or named by the job"

kernel() {
    sed "s/UNIT/$2/" >"$1.c" <<'C'
#include <string.h>
#include <h5swim/kernel.h>
static int warm_apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    (void)state, (void)err;
    memcpy(b->outputs[0]->data, b->inputs[0]->data, b->inputs[0]->count * sizeof(double));
    return SWIM_OK;
}
static const struct swim_port inputs[] = {{"x", SWIM_TYPE_F64, "UNIT", "x"}};
static const struct swim_port outputs[] = {{"y", SWIM_TYPE_F64, NULL, "x"}};
SWIM_KERNEL_DEFINE(.name = "warm", .summary = "as it is", .kind = SWIM_KERNEL_MAP,
                   .n_inputs = 1, .inputs = inputs, .n_outputs = 1, .outputs = outputs,
                   .apply = warm_apply);
C
}
kernel warm K
job ./warm.c x=celsius y
run
is 'f["celsius"] + 273.15' K
job ./warm.c x=bare y
run
is 'f["bare"]' ''
# Another unit is another job, whatever it becomes.
for units in degC degF; do
    expect_status 2 "$h5swim" run job.yaml --quiet --record none --resume --set "inputs.x.units=$units"
    expect_line 'it is a finished output; changed since: the inputs'
done
run --set inputs.x.units=degC
expect_status 2 "$h5swim" run job.yaml --quiet --record none --resume --set inputs.x.units=degF
expect_line 'it is a finished output; changed since: the inputs'
expected=2
job ./warm.c x=turn y
run
expect_line 'the unit of kernel warm is "K": one cannot be converted to the other'
run --set "inputs.x.units=lg(re 1 K)"
expect_line 'cannot be converted'
sed 's/F64/I64/g' warm.c >whole.c
job ./whole.c x=celsius y
run
expect_line 'a kernel that takes integers gets none converted'
kernel wrong '=x'
job ./wrong.c x=u y
expected=1 run
expect_line 'input x: its unit is "=x", and that is no input before it'
expect_status 0 "$h5swim" kernel test wind_speed
passed "a unit that a kernel declares"

# --- chains --------------------------------------------------------------------------

# chain KERNEL: the wind's speed, then that.
chain() {
    printf '%s\n' "kernels: [{kernel: wind_speed}, {kernel: $1}]" \
        'inputs: {u: {file: in.h5, dataset: u}, v: {file: in.h5, dataset: v}}' \
        'outputs: {y: {file: out.nc, dataset: y}}' >job.yaml
}
kernel fast 'km h-1'
expected=0
chain ./fast.c
run
is 'np.hypot(f["u"], f["v"]) * 3.6' 'km h-1'
cp out.nc chained.nc
# As by a file in between; a part of the blocks, with neighbours, too.
wind u v
cp out.nc speed.nc
job ./fast.c x=../speed.nc y
sed -i 's/file: in.h5, dataset: .*}/file: speed.nc, dataset: y}/' job.yaml
run
"$python" -c 'import h5py
a, b = (h5py.File(n)["y"] for n in ("chained.nc", "out.nc"))
assert a[()].tobytes() == b[()].tobytes() and a.attrs["_FillValue"] == b.attrs["_FillValue"]'
sed -e 's/SWIM_KERNEL_MAP/SWIM_KERNEL_STENCIL/' -e 's/"warm"/"near"/' \
    -e 's/^SWIM_KERNEL_DEFINE/static int near_plan(void *s, struct swim_plan *p, swim_error_t *e)\n{\n    (void)s, (void)e;\n    p->halo_lo[0] = p->halo_hi[1] = 1;\n    p->edge[0] = p->edge[1] = SWIM_EDGE_WRAP;\n    return SWIM_OK;\n}\n&/' \
    -e 's/\.apply = /.plan = near_plan, .apply = /' fast.c >near.c
sed -i '/memcpy/c\    const struct swim_array *x = b->inputs[0];\n    double *y = b->outputs[0]->data;\n    for (uint64_t r = 0; r < x->shape[0]; r++)\n        for (uint64_t c = 0; c < x->shape[1]; c++) {\n            const double *at = (const double *)x->data + (ptrdiff_t)r * x->strides[0] + (ptrdiff_t)c;\n            *y++ = at[-x->strides[0]] + at[1];\n        }' near.c
chain ./near.c
run
is 'np.roll(np.hypot(f["u"], f["v"]) * 3.6, 1, 0) + np.roll(np.hypot(f["u"], f["v"]) * 3.6, -1, 1)' 'km h-1'
# In doubles, though the next kernel takes floats.
sed -e 's/SWIM_TYPE_F64/SWIM_TYPE_F32/' -e 's/"K"/"degC"/' -e 's/(double)/(float)/' \
    -e 's/"warm"/"cold"/' warm.c >cold.c
printf '%s\n' 'kernels: [{kernel: ./warm.c}, {kernel: ./cold.c}]' \
    'inputs: {x: {file: in.h5, dataset: celsius}}' \
    'outputs: {y: {file: out.nc, dataset: y}}' >job.yaml
run
is 'f["celsius"]' degC
expected=2
kernel hot K
chain ./hot.c
run
expect_line 'input x \(wind_speed:speed\) is in "m/s", and the unit of kernel warm is "K": one cannot be converted'
sed 's/SWIM_TYPE_F64, "km/SWIM_TYPE_I32, "km/' fast.c >whole.c
chain ./whole.c
run
expect_line 'integers that one kernel passes to the next are not converted: run the kernels one after the other'
expect_status 2 "$h5swim" check job.yaml
passed "in a chain, as by a file in between"
