#!/usr/bin/env bash
# _Unsigned: integers are what it says, for kernels, expressions and copies, as
# netCDF4-python and xarray have it.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"

cd "$tmp"
"$python" "$support/unsigned.py" make in.nc
cases=()
look() {
    "$python" "$support/unsigned.py" "${cases[@]}" || fail "unsigned.py"
    cases=()
}
see() { cases+=("$@" /); }

# job OUT KERNEL "PARAMS" DATASET PORT [SETTING...]: OUT.nc has the result as y.
job() {
    printf '%s\n' "kernel: $2" "params: {$3}" "inputs: {x: {file: in.nc, dataset: $4}}" \
        "outputs: {$5: {file: $1.nc, dataset: y}}" >job.yaml
    local setting settings=()
    for setting in "${@:6}"; do settings+=(--set "$setting"); done
    expect_status 0 "$h5swim" run job.yaml --quiet --record none --overwrite "${settings[@]}"
}

for dataset in plain filled zip_filled zip_limited big packed zip_big zip_packed zip_int \
    signed zip_signed; do
    job $dataset cast 'type: float64' $dataset y
    see read in.nc $dataset $dataset.nc y
done
# Integers as integers, and the type that fits both.
for dataset in filled zip_limited zip_int; do
    job int_$dataset cast 'type: uint32' $dataset y
    see read in.nc $dataset int_$dataset.nc y
done
job mean_zip rolling_mean 'axis: 0, length: 1' zip_filled mean
see read in.nc zip_filled mean_zip.nc y
expect_status 0 "$h5swim" calc 'x + 0' x=in.nc:/zip_packed out=calc.nc:/y --type float64 \
    --quiet --record none
see read in.nc zip_packed calc.nc y
look
passed "integers without a sign, and with one, as netCDF4-python and xarray read them"

for dataset in zip_limited zip_big zip_signed; do
    job copy_$dataset recompress '' $dataset y 'outputs.y.filters={deflate: 2}'
    see copied in.nc $dataset copy_$dataset.nc y
done
look
# Raw numbers are those that are stored.
job raw cast 'type: int16' filled y inputs.x.raw=true
"$python" -c 'import h5py; i, o = h5py.File("in.nc")["filled"], h5py.File("raw.nc")["y"]
assert (i[()] == o[()]).all() and i[()].min() < 0 and "_Unsigned" not in o.attrs'
passed "copies keep bits and _Unsigned, raw numbers are not looked at"

# Coordinates: what is found is at some up to 249, and not below 0.
printf '%s\n' 'kernel: threshold' 'params: {keep: above, value: 254.5}' \
    'inputs: {x: {file: in.nc, dataset: plain}}' 'outputs:' \
    '  index: {file: at.nc, dataset: i}' '  coordinate: {file: at.nc, dataset: c}' \
    '  value: {file: at.nc, dataset: v}' >job.yaml
expect_status 0 "$h5swim" run job.yaml --quiet --record none
"$python" -c 'import h5py; f = h5py.File("at.nc")
assert (f["c"][:, 1] == f["i"][:, 1]).all() and f["c"][:, 1].max() > 127 and (f["v"][:] == 255).all()'
passed "coordinates, too"
