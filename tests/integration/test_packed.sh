#!/usr/bin/env bash
# Packed numbers and valid ranges: read as netCDF4-python reads them, and written as numpy
# rounds them.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"

cd "$tmp"
"$python" "$support/packed.py" make in.h5
# packed CASE ARGUMENT...: what packed.py is to look at, all at once, as Python begins slowly.
cases=()
packed() { cases+=("$@" /); }
look() {
    "$python" "$support/packed.py" "${cases[@]}" || fail "packed.py"
    cases=()
}

# job OUT KERNEL "PARAMS" PORT=DATASET PORT SETTING...: OUT.nc has the result as y.
job() {
    printf '%s\n' "kernel: $2" "params: {$3}" "inputs:" \
        "  ${4%=*}: {file: in.h5, dataset: ${4#*=}}" "outputs:" >job.yaml
    printf '  %s: {file: %s.nc, dataset: y}\n' "$5" "$1" >>job.yaml
    local setting settings=()
    for setting in "${@:6}"; do settings+=(--set "$setting"); done
    expect_status "${expected:-0}" "$h5swim" run job.yaml --quiet --record none --overwrite \
        "${settings[@]}"
}

# --- reading -----------------------------------------------------------------------------

# In the type that fits them, then as float64 and float32, in place and by way of a buffer.
for dataset in plain limited big real double means down; do
    job "$dataset" cast 'type: float64' "x=$dataset" y
    packed read in.h5 "$dataset" "$dataset.nc" y
done
for dataset in limited bytes means; do
    job "mean_$dataset" rolling_mean 'axis: 0, length: 1' "x=$dataset" mean
    packed read in.h5 "$dataset" "mean_$dataset.nc" y
done
cat >narrow.c <<'C'
#include <string.h>
#include <h5swim/kernel.h>
static int narrow_apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    (void)state, (void)err;
    memcpy(b->outputs[0]->data, b->inputs[0]->data, b->inputs[0]->count * sizeof(float));
    return SWIM_OK;
}
static const struct swim_port ports[] = {{"x", SWIM_TYPE_F32, NULL, "x"}};
SWIM_KERNEL_DEFINE(.name = "narrow", .summary = "as float32", .kind = SWIM_KERNEL_MAP,
                   .n_inputs = 1, .inputs = ports, .n_outputs = 1, .outputs = ports,
                   .apply = narrow_apply);
C
for dataset in double means bytes; do
    job "narrow_$dataset" ./narrow.c '' "x=$dataset" x
    packed read in.h5 "$dataset" "narrow_$dataset.nc" y
done
# As integers: those without a missing value have that of netCDF.
job bytes cast 'type: int32' x=bytes y
packed read in.h5 bytes bytes.nc y
look
"$python" -c 'import h5py
assert h5py.File("bytes.nc")["y"].attrs["_FillValue"] == -2147483647'
passed "packed numbers, and those beyond valid ranges, like netCDF4-python's"

job raw cast 'type: int32' x=limited y inputs.x.raw=true
"$python" -c 'import h5py; i, o = h5py.File("in.h5")["limited"], h5py.File("raw.nc")["y"]
assert (i[:] == o[:]).all()'
passed "raw numbers have no range"

# --- packing -----------------------------------------------------------------------------

pack='outputs.y.pack={scale_factor: 0.01, add_offset: 20}'
for type in int16:-32767 uint8:255 int32:-2147483647; do
    job "${type%:*}" cast 'type: float64' x=x y "outputs.y.type=${type%:*}" "$pack"
    packed pack in.h5 x "${type%:*}.nc" y 0.01 20 "${type#*:}"
done
job chunks cast 'type: float64' x=x y outputs.y.type=int16 "$pack" outputs.y.fill=-1 \
    'outputs.y.filters={shuffle: true, deflate: 1}' 'outputs.y.chunks=[7, 9]'
packed pack in.h5 x chunks.nc y 0.01 20 -1
# It goes on with what it has packed.
expect_status 0 "$h5swim" calc 'y + 0' y=chunks.nc:/y out=again.nc:/y --quiet --record none
"$python" -c 'import netCDF4, numpy as np
a, b = (np.ma.filled(netCDF4.Dataset(n)["y"][:].astype("f8"), np.nan) for n in ("chunks.nc", "again.nc"))
np.testing.assert_allclose(a, b, rtol=1e-6)'
expect_status 0 "$h5swim" calc 'x' x=in.h5:/x out=expression.nc:/y --type int16 --pack 0.01,20 \
    --quiet --record none
packed pack in.h5 x expression.nc y 0.01 20 -32767
# Packed ones in, and packed out.
expect_status 0 "$h5swim" calc '2 * y' y=expression.nc:/y out=twice.nc:/y --type int32 --pack 0.02 \
    --quiet --record none
"$python" -c 'import netCDF4, numpy as np
a, b = (netCDF4.Dataset(n)["y"] for n in ("expression.nc", "twice.nc"))
assert b.dtype == "i4" and b.scale_factor == 0.02 and b.add_offset == 0 and b._FillValue == -2147483647
np.testing.assert_allclose(np.ma.filled(2 * a[:], 1e9), np.ma.filled(b[:], 1e9), atol=0.011)'
# Integers of a kernel; of the same type, in the place where it has written them.
job numbers cast 'type: int32' x=i y outputs.y.type=int16 'outputs.y.pack={add_offset: 100}'
packed pack in.h5 i numbers.nc y 1 100 -32767
job place cast 'type: int16' x=i y outputs.y.type=int16 'outputs.y.pack={scale_factor: 2}' \
    'outputs.y.chunks=[10, 50]' outputs.y.filters=none
packed pack in.h5 i place.nc y 2 0 -32767
look
passed "packed as numpy packs, to the last bit; xarray and netCDF4-python read it"

expected=2 job no cast 'type: float64' x=x y "$pack"
expect_line 'output "y": "pack" stores values as integers: give it an integer type'
expected=2 job no cast 'type: float64' x=x y outputs.y.type=float32 "$pack"
expect_line 'integer type'
expected=2 job no cast 'type: float64' x=x y outputs.y.type=int16 'outputs.y.pack={scale_factor: 0}'
expect_line '"scale_factor": expected a number other than 0, found 0'
expected=2 job no cast 'type: float64' x=x y outputs.y.type=int16 'outputs.y.pack={}'
expect_line 'expected scale_factor, add_offset or both'
expected=2 job no cast 'type: float64' x=x y outputs.y.type=int16 'outputs.y.pack={scale: 2}'
expect_line 'unknown key "scale"'
expected=2 job no recompress '' x=plain y outputs.y.type=int16 "$pack"
expect_line 'as they are stored.*leave out "pack"'
calc() { expect_status 2 "$h5swim" calc x+1 x=in.h5:/x out=no.nc:/y --quiet --record none "$@"; }
calc --pack 0.01
expect_line 'output "out": "pack" stores values as integers.*--type int16'
calc --pack 0.01,20,3 --type int16
expect_line '--pack 0.01,20,3: "add_offset": expected a number'
calc --pack , --type int16
expect_line '--pack ,: "scale_factor": expected a number'
calc --pack 0 --type int16
expect_line '--pack 0: "scale_factor": expected a number other than 0'
passed "what cannot be packed is refused in one line"

# Another scale is another result.
job int16 cast 'type: float64' x=x y outputs.y.type=int16 "$pack"
again() {
    expect_status "$1" "$h5swim" run job.yaml --quiet --record none --resume \
        --set outputs.y.type=int16 --set "outputs.y.pack={scale_factor: $2, add_offset: 20}"
}
again 0 0.01
again 2 0.02
expect_line 'is a finished output; changed since: the outputs. settings'
passed "a job with another scale does not go on with it"
