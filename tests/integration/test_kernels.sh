#!/usr/bin/env bash
# The bundled kernels against numpy, CDO and h5repack: values, missing ones, coordinates
# and attributes, in other blocks and processes.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"

cd "$tmp"
made=$tmp/made.nc
"$python" "$support/reference_kernels.py" make "$made"

# job KERNEL OUT.nc "PARAMS" INPUTS OUTPUTS OPTION...: INPUTS is "PORT=DATASET ..." of
# $from, OUTPUTS are ports, which give the datasets their names.
from=$made
job() {
    local kernel=$1 out=$2 params=$3 inputs=$4 outputs=$5 port
    shift 5
    {
        printf 'kernel: %s\nparams: {%s}\ninputs:\n' "$kernel" "$params"
        for port in $inputs; do
            printf '  %s: {file: %s, dataset: %s}\n' "${port%=*}" "$from" "${port#*=}"
        done
        printf 'outputs:\n'
        for port in $outputs; do
            printf '  %s: {file: %s, dataset: %s}\n' "$port" "$out" "$port"
        done
    } >job.yaml
    rm -f "$out"
    expect_status "${expected:-0}" "$h5swim" run job.yaml --quiet -n 2 "$@"
}

# check CASE OUT ARGUMENT...: what numpy makes of $from.
check() {
    local case=$1 out=$2
    shift 2
    "$python" "$support/reference_kernels.py" "$case" "$from" "$out" "$@"
}

statistics="min max mean std count"
statistics_like_numpy() {
    local axes
    for axes in all time 'lat, lon' lat 'lon, time'; do
        job minmax_mean_std stats.nc "axes: '$axes', ddof: 1" x=D "$statistics" "$@"
        check minmax stats.nc D axes="$axes" ddof=1
    done
    for x in F I P L V; do
        job minmax_mean_std stats.nc "axes: time" "x=$x" "$statistics" "$@"
        check minmax stats.nc "$x" axes=time
    done
    for axes in 'lat, lon' 'lon, time'; do # with infinite values
        job minmax_mean_std stats.nc "axes: '$axes'" x=V "$statistics" "$@"
        check minmax stats.nc V axes="$axes"
    done
}
# One block; then many, of which the partial results are merged.
statistics_like_numpy
statistics_like_numpy --set 'block=[5, 11, 13]'
passed "statistics like numpy's, with missing values, however they are cut"

for axes in all time 'lat, lon' 'lon, time'; do
    for block in auto '[5, 11, 13]'; do
        job correlate r.nc "axes: '$axes'" 'x=D y=E' 'r n' --set "block=$block"
        check correlate r.nc D E axes="$axes"
    done
done
job correlate r.nc 'axes: time, min_pairs: 25' 'x=F y=P' 'r n'
check correlate r.nc F P axes=time min_pairs=25
job correlate r.nc 'axes: time' 'x=C y=D' 'r n'
check correlate r.nc C D axes=time
for axes in all time 'lat, lon'; do
    for block in auto '[5, 11, 13]'; do
        job correlate r.nc "axes: '$axes'" 'x=E y=C1' 'r n' --set "block=$block"
        check correlate r.nc E C1 axes="$axes"
    done
done
passed "correlation like numpy's; of a constant it is missing"

for axes in all time 'lat, lon' 'lon, time'; do
    for outside in ignore ends bins; do
        job histogram h.nc "axes: '$axes', low: -2, high: 1, bins: 7, outside: $outside" \
            x=F counts --set 'block=[5, 11, 13]'
        check histogram h.nc F -2 1 bins=7 outside=$outside axes="$axes"
    done
done
# Values that lie on edges, and edges that are no binary fractions.
job histogram h.nc 'low: -300, high: 300, bins: 600' x=I counts
check histogram h.nc I -300 300 bins=600
job histogram h.nc 'low: 0.1, high: 0.7, bins: 600, outside: bins' x=G counts
check histogram h.nc G 0.1 0.7 bins=600 outside=bins
job histogram h.nc 'low: 0.1, high: 0.9, bins: 8' x=S counts # 0.7 is none in float32
check histogram h.nc S 0.1 0.9 bins=8
job histogram h.nc 'low: 0.1, high: 350.1, bins: 1000' x=P counts
check histogram h.nc P 0.1 350.1 bins=1000
passed "histograms like numpy's, to the last count"

# Counts are no values of the input: what is missing there is a count like any other.
"$python" -c 'import h5py, numpy as np
with h5py.File("few.h5", "w") as f:
    f["X"] = np.array([[0, 7, 8], [5, 0, 9]], dtype="i2")
    f["X"].attrs["_FillValue"] = np.int16(0)'
from=few.h5
job histogram h.nc "axes: dim_0, low: 0, high: 10, bins: 2" x=X counts
job minmax_mean_std stats.nc "axes: dim_0" x=X "$statistics"
"$python" -c 'import h5py
h, s = h5py.File("h.nc")["counts"], h5py.File("stats.nc")
assert (h[:] == 0).any() and h.attrs["_FillValue"] < -1e18 and h.fillvalue < -1e18
assert list(s["count"][:]) == [1, 1, 2] and s["count"].attrs["_FillValue"] < -1e18
assert list(s["max"][:]) == [5, 7, 9] and s["max"].attrs["_FillValue"] == 0'
from=$made
passed "counts that are equal to the missing value of the input"

for block in auto '[4, 6, 8]'; do
    job regrid g.nc 'factor: 4' x=F mean --set "block=$block"
    check regrid g.nc F factors=1,4,4
    job regrid g.nc "factor: 'time=7, lon=5', min_valid: 0.7" x=D mean --set "block=$block"
    check regrid g.nc D factors=7,1,5 min_valid=0.7
    job regrid g.nc "factor: 'lat=3, longitude=100', weights: cos, min_valid: 0.9" x=P \
        mean --set "block=$block"
    check regrid g.nc P factors=1,3,100 weights=cos min_valid=0.9
done
job regrid g.nc "factor: 'lat=2'" x=I mean --set 'outputs.mean.chunks=[3, 2, 7]'
check regrid g.nc I factors=1,2,1
job regrid g.nc "factor: 'y=7, x=3'" x=Z mean
check regrid g.nc Z factors=7,3
passed "block means like numpy's, with their coordinates"

job hillshade s.nc '' height=Z shade
check hillshade s.nc Z edges=plane
job hillshade s.nc 'altitude: 20, azimuth: 100, z_factor: 3' height=Z shade \
    --set 'block=[20, 40]' --set 'outputs.shade.chunks=[20, 40]'
check hillshade s.nc Z edges=plane altitude=20 azimuth=100 z_factor=3
job hillshade s.nc '' height=Z shade --set 'edges={x: wrap}'
check hillshade s.nc Z edges=wrap
passed "shades of a plane like numpy's"

for type in int8 uint8 int16 uint32 int32 float32; do
    for outside in clamp missing; do
        job cast c.nc "type: $type, outside: $outside" x=X y
        check cast c.nc X type=$type outside=$outside
    done
done
for rounding in nearest zero down up; do
    job cast c.nc "type: int16, outside: clamp, rounding: $rounding" x=X y
    check cast c.nc X type=int16 outside=clamp rounding=$rounding
done
for type in uint8 int64 uint64 float32 float64 int32; do
    job cast c.nc "type: $type, outside: missing" x=L y
    check cast c.nc L type=$type outside=missing
    job cast c.nc "type: $type, outside: clamp" x=I y
    check cast c.nc I type=$type outside=clamp
done
job cast c.nc "type: int64, outside: clamp" x=X y
check cast c.nc X type=int64 outside=clamp
expected=1 job cast c.nc 'type: uint8' x=I y
grep -qE 'I\[[0-9]+, [0-9]+, [0-9]+\] is -?[0-9]+, which is no uint8: give' err ||
    fail "no line says where: $(cat err)"
passed "casts like numpy's, at the edges of ranges too"

# Partial results are no more than the input: an accumulator here has ten times the bytes
# of an element, and 128 elements are one.  The dataset has no data.
"$python" - "$tmp/empty.h5" <<'PY'
import sys
import h5py
with h5py.File(sys.argv[1], "w") as f:
    f.create_dataset("A", shape=(128, 721, 1440), dtype="f4", chunks=(1, 721, 1440))
PY
from=$tmp/empty.h5 job minmax_mean_std none.nc 'axes: dim_0' x=A "$statistics" --dry-run
segments=$(sed -nE 's/.* in ([0-9]+) segments.*/\1/p' out)
if [ "${segments:-0}" -lt 2 ] || [ "$segments" -gt 13 ]; then
    fail "partial results of $segments segments, not 2 to 13: $(cat out)"
fi
passed "partial results are not larger than the input"

# --- the bits go through -----------------------------------------------------------------

# NaN with bits of their own, two missing values, a big-endian one, one without a fill.
"$python" - "$made" <<'PY'
import sys
import h5py
import numpy as np
with h5py.File(sys.argv[1], "r+") as f:
    bits = (np.arange(6000).reshape(60, 100) * 715827 % 2**32).astype(np.uint32)
    bits[0, :4] = [0x7FC00001, 0xFFC12345, 0x80000000, 0x7F800001]
    d = f.create_dataset("N", data=bits.view(np.float32), chunks=(7, 9), fillvalue=5)
    d.attrs["_FillValue"] = np.float32(5)
    d.attrs["missing_value"] = np.float32(6)
    f.create_dataset("B", data=np.arange(600, dtype=">i8").reshape(20, 30) - 2**62)
    d = f.create_dataset("U", data=np.arange(2**64 - 600, 2**64, dtype=np.uint64),
                         fillvalue=np.uint64(2**64 - 3))
    d.attrs["_FillValue"] = np.uint64(2**64 - 3)
PY
for x in D F I L P X Z N B U; do
    job recompress "copy_$x.nc" '' "x=$x" y --set "outputs.y.dataset=$x" \
        --set 'outputs.y.filters={shuffle: false, deflate: 3}'
    check recompress "copy_$x.nc" "$x" deflate=3 shuffle=no
done
job recompress copy.nc '' x=P y --set outputs.y.dataset=P --set 'outputs.y.chunks=[1, 37, 72]' \
    --set 'outputs.y.filters={shuffle: true, deflate: 9}'
check recompress copy.nc P chunks=1,37,72 deflate=9 shuffle=yes
job recompress copy.nc '' x=P y --set outputs.y.dataset=P --set outputs.y.layout=sharded
check recompress copy.nc P
for setting in outputs.y.type=float32 outputs.y.fill=3; do
    expected=2 job recompress no.nc '' x=P y --set "$setting"
    expect_line "output \"y\" has the numbers of the raw input x as they are stored.*leave out"
done
# As h5repack has it.
h5repack -l P:CHUNK=5x10x20 -f P:GZIP=2 "$made" repacked.nc
from=$tmp/repacked.nc check recompress copy_P.nc P
passed "recompressed, packed and missing values keep their bits and attributes"

# The same for any kernel, by the job file: numbers as they are stored.
job minmax_mean_std raw.nc 'axes: all' x=P "$statistics" --set inputs.x.raw=true
"$python" - "$made" raw.nc <<'PY'
import sys
import h5py
with h5py.File(sys.argv[1]) as f, h5py.File(sys.argv[2]) as g:
    if g["min"][()] != f["P"][()].min() or g["count"][()] != f["P"].size:
        sys.exit(f"raw: min {g['min'][()]}, count {g['count'][()]}")
PY
passed "raw: true gives any kernel the stored numbers"

# --- real data ---------------------------------------------------------------------------

data=$(data_dir)

# The jobs that come with them, on data without holes.
shipped() {
    local name=$1 file=$2 input=$3 port settings=()
    shift 3
    for port in "$@"; do settings+=(--set "outputs.$port.file=$tmp/$name.nc"); done
    expect_status 0 "$h5swim" run "$SWIM_SOURCE/jobs/$name.yaml" --quiet -n 2 \
        --set "inputs.$input.file=$file" "${settings[@]}"
}
shipped wind_statistics "$data/monthly_navy_winds.nc" x min max mean std count
cdo -s --reduce_dim -f nc4 timstd1 -selname,UWND "$data/monthly_navy_winds.nc" cdo.nc
compare wind_statistics.nc UWND_std cdo.nc UWND 1
ncdump -h wind_statistics.nc >header
for line in 'float UWND_min(FNOCY, FNOCX) ;' 'UWND_min:cell_methods = "TIME: minimum" ;' \
    'UWND_std:units = "M/S" ;' 'int64 UWND_count(FNOCY, FNOCX) ;' \
    'UWND_count:units = "1" ;'; do
    grep -qF "$line" header || fail "ncdump does not show: $line: $(cat header)"
done
shipped relief_hillshade "$data/etopo5.nc" height shade
from=$data/etopo5.nc job hillshade s.nc 'z_factor: 10' height=ROSE shade
"$python" - s.nc relief_hillshade.nc <<'PY'
import sys
import h5py
import numpy as np
with h5py.File(sys.argv[1]) as f, h5py.File(sys.argv[2]) as g:
    a, b = f["shade"][()], g["SHADE"][()]
    if b.dtype != np.uint8 or not np.array_equal(np.floor(a), b):
        sys.exit("the bytes are not the shades")
    print(f"shades from {b.min()} to {b.max()}")
PY
shipped recompress "$data/monthly_navy_winds.nc" x y
from=$data/monthly_navy_winds.nc check recompress recompress.nc UWND chunks=1,73,144 \
    deflate=4 shuffle=yes
passed "the jobs that come with the kernels run as they say"

cp "$data"/*.nc .
"$python" "$support/make_holes.py" monthly_navy_winds.nc UWND VWND
"$python" "$support/make_holes.py" etopo5.nc ROSE
from=$tmp/monthly_navy_winds.nc
job minmax_mean_std stats.nc 'axes: time, ddof: 1' x=UWND "$statistics"
for pair in timmin:min timmax:max timmean:mean timstd1:std; do
    cdo -s --reduce_dim -f nc4 "${pair%:*}" -selname,UWND "$from" cdo.nc
    compare stats.nc "${pair#*:}" cdo.nc UWND 16
done
job correlate r.nc 'axes: time' 'x=UWND y=VWND' 'r n' --set outputs.r.type=float32
# Two open files make its library print what is no error.
cdo -s -f nc4 timcor -selname,UWND "$from" -selname,VWND "$from" cdo.nc 2>cdo.err ||
    fail "cdo timcor: $(cat cdo.err)"
ncwa -a TIME cdo.nc -O cdo.nc
compare r.nc r cdo.nc UWND 64
passed "statistics of winds like CDO's"

from=$tmp/etopo5.nc
job hillshade s.nc '' height=ROSE shade
check hillshade s.nc ROSE
job regrid g.nc 'factor: 12, weights: cos, min_valid: 0.5' x=ROSE mean
check regrid g.nc ROSE factors=12,12 weights=cos min_valid=0.5
cdo -s sinfo g.nc >sinfo.out 2>&1 || fail "cdo cannot read g.nc: $(cat sinfo.out)"
grep -q degrees_north sinfo.out || fail "cdo sees no latitudes in g.nc"
passed "the relief, shaded and coarse, like numpy's"

# The same bits however many processes there are.
for n in 1 3; do
    job regrid "g$n.nc" 'factor: 10' x=ROSE mean -n $n
    job histogram "h$n.nc" 'low: -8000, high: 8000, bins: 100' x=ROSE counts -n $n
    job minmax_mean_std "m$n.nc" '' x=ROSE "$statistics" -n $n
    job recompress "c$n.nc" '' x=ROSE y -n $n
done
for what in g:mean h:counts m:mean m:std m:count c:y; do
    compare "${what%:*}1.nc" "${what#*:}" "${what%:*}3.nc" "${what#*:}"
done
passed "the same bits for every number of processes"
