#!/usr/bin/env bash
# Stencils with halos of any width and windows along an axis, against numpy.pad; rolling
# means and anomalies against numpy and CDO.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_SERVER_IDLE_S=5
"$python" "$support/window_data.py" .

# check WHAT ARGUMENT...: see window_check.py.
check() { "$python" "$support/window_check.py" "$@" || fail "$*"; }

# --- stencils: wider than a chunk (5 x 4), and than the dataset (23 x 17) -------------

n=0
for edges in nearest,wrap reflect,constant wrap,reflect constant,nearest; do
    for halo in 7,0,0,6 0,30,41,2 24,70,18,0; do
        IFS=, read -r lo0 hi0 lo1 hi1 <<<"$halo"
        printf '%s\n' "kernel: $support/kernels/around.c" \
            "params: {lo0: $lo0, hi0: $hi0, lo1: $lo1, hi1: $hi1}" \
            "edges: {dim_0: ${edges%,*}, dim_1: ${edges#*,}}" \
            'inputs: {x: {file: plain.h5, dataset: X}}' \
            'outputs: {y: {file: around.h5, dataset: Y}}' 'block: [10, 8]' >around.yaml
        expect_status 0 "$h5swim" run around.yaml --quiet --overwrite -n $((n++ % 2 + 1))
        check around around.h5 "$halo" "$edges"
    done
done
passed "stencils with halos wider than chunks and than the dataset, in all edge modes"

# --- windows --------------------------------------------------------------------------

# along AXIS LO HI STEP EDGE OPTION...
along() {
    printf '%s\n' "kernel: $support/kernels/along.c" \
        "params: {axis: $1, lo: $2, hi: $3, step: $4}" "edges: {dim_$1: $5}" \
        'inputs: {x: {file: plain.h5, dataset: CUBE}}' \
        'outputs: {y: {file: along.h5, dataset: Y}, n: {file: along.h5, dataset: N}}' >along.yaml
    expect_status 0 "$h5swim" run along.yaml --quiet --overwrite "${@:6}"
    check along along.h5 "$1" "$2" "$3" "$4" "$5"
}
for axis in 0 1 2; do
    along $axis 2 1 1 none -n 2
    along $axis 0 3 4 none
    along $axis 3 0 2 reflect
    along $axis 1 1 5 wrap -n 2 --set 'block=[3, 4, 2]'
    along $axis 40 35 3 constant --set 'block=[1, 1, 1]'
    along $axis 25 0 1 nearest --set 'outputs.y.chunks=[3, 5, 2]'
    along $axis 0 0 30 none
done
passed "windows along each axis: rolling, with steps, following each other, in all edge modes"

for axis in 0 1 2; do
    along $axis -1 -1 1 wrap -n 2
    along $axis -1 -1 1 none --set 'block=[2, 3, 2]' --readers 1
done
passed "windows of the whole axis"

along 0 2 1 1 none --set outputs.y.layout=sharded --set outputs.n.layout=sharded --set outputs.y.shards=rank --set outputs.n.shards=rank -n 2
passed "windows into shards"

# Refused, each with one line.
refused() { # PATTERN OPTION...
    expect_status 2 "$h5swim" run along.yaml --overwrite "${@:2}"
    expect_line "$1"
}
refused 'window of 22 rows does not fit into axis 0 .* which has 21' --set params.lo=21 --set params.hi=0
refused 'window along axis 3: the inputs have 3 axes' --set params.axis=3
refused 'step 0' --set params.step=0
refused 'cannot be without an edge: the windows of kernel along are along axis 1' --set params.axis=1
refused 'follow: a kernel of the kind window' --set follow=true
expect_status 1 "$h5swim" run along.yaml --overwrite --set params.silent=yes
expect_line 'has to call swim_plan_window'
sed -i 's/kernel:.*/kernel: slope/; /params/d; s/x:/height:/; s/y:.*/slope: {file: s.h5, dataset: S}}/' along.yaml
refused '"none" is for window kernels, and slope is a stencil'
passed "windows that make no sense are refused"

# --- rolling_mean ---------------------------------------------------------------------

# rolling LENGTH OPTION...: of the field with holes.
rolling() {
    printf '%s\n' 'kernel: rolling_mean' "params: {length: $1}" \
        'inputs: {x: {file: field.nc, dataset: x}}' \
        'outputs: {mean: {file: rolling.nc, dataset: x}}' >rolling.yaml
    expect_status 0 "$h5swim" run rolling.yaml --quiet --overwrite "${@:2}"
}
for length in 1 2 5 12 31 100; do
    rolling $length -n 2
    check rolling rolling.nc $length 1 1 centred 0 none
done
rolling 7 --set params.min_count=5 --set params.window=trailing --set edges.time=constant
check rolling rolling.nc 7 1 5 trailing 0 constant
rolling 6 --set params.step=6 --set block='[4, 3, 4]'
check rolling rolling.nc 6 6 1 centred 0 none
rolling 5 --set params.axis=lon --set edges.lon=wrap --set params.step=2
check rolling rolling.nc 5 2 1 centred 2 wrap
rolling 4 --set params.axis=1 --set edges.lat=nearest
check rolling rolling.nc 4 1 1 centred 1 nearest
passed "rolling means like numpy: lengths, steps, both positions, edges, missing values"

rolling 13 -n 1 --set inputs.x.dataset=fine --set block='[1, 7, 9]'
cp rolling.nc one.nc
rolling 13 -n 3 --set inputs.x.dataset=fine --set block='[40, 3, 4]'
compare one.nc x rolling.nc x
passed "and the same bits however the dataset is cut into blocks"

cdo -s -f nc4 runmean,12 field.nc cdo.nc 2>cdo.err || fail "cdo: $(cat cdo.err)"
rolling 12
compare rolling.nc x cdo.nc x 1
check times rolling.nc cdo.nc
passed "and the same as cdo runmean"

printf '%s\n' 'kernel: rolling_mean' "params: {length: 50}" \
    'inputs: {x: {file: field.nc, dataset: steep}}' \
    'outputs: {mean: {file: steep.nc, dataset: steep}}' >steep.yaml
expect_status 0 "$h5swim" run steep.yaml --quiet
check steep steep.nc 50
passed "a mean is as exact after huge and infinite values as before them"

expect_status 2 "$h5swim" run rolling.yaml --overwrite --set params.axis=depth
expect_line 'x has no axis "depth"'
expect_status 2 "$h5swim" run rolling.yaml --overwrite --set params.min_count=13
expect_line 'min_count is 13, a window has 12'

# --- anomaly --------------------------------------------------------------------------

printf '%s\n' 'kernel: anomaly' 'inputs: {x: {file: field.nc, dataset: x}}' \
    'outputs: {anomaly: {file: anomaly.nc, dataset: x}}' >anomaly.yaml
expect_status 0 "$h5swim" run anomaly.yaml --quiet -n 2
check anomaly anomaly.nc month
expect_status 0 "$h5swim" run anomaly.yaml --quiet --overwrite --set params.mean=all --set block='[2, 2, 2]'
check anomaly anomaly.nc all
data=$(data_dir)
cdo -s -f nc4 -b F64 ymonsub -selname,UWND "$data/monthly_navy_winds.nc" \
    -ymonmean -selname,UWND "$data/monthly_navy_winds.nc" ymonsub.nc 2>cdo.err || fail "cdo: $(cat cdo.err)"
expect_status 0 "$h5swim" run anomaly.yaml --quiet --overwrite --set outputs.anomaly.dataset=UWND \
    --set "inputs.x.file=$data/monthly_navy_winds.nc" --set inputs.x.dataset=UWND
check close anomaly.nc UWND ymonsub.nc UWND 1e-6
passed "anomalies like numpy and cdo ymonsub"

[ -z "$(find . -name '*partials*' -o -name '*swim-new*')" ] || fail "something is left beside the outputs"
