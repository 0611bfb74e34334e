#!/usr/bin/env bash
# What attributes say of numbers, in results: packed coordinates, packing that float32
# does not resolve, several missing values, flags; names of axes that have none.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"

cd "$tmp"
export SWIM_CACHE_DIR=$tmp/cache
"$python" - <<'PY'
import h5py, netCDF4, numpy as np
r = np.random.default_rng(8)
with netCDF4.Dataset("in.nc", "w") as f:
    def put(name, kind, dims, values, fill=None, **attributes):
        v = f.createVariable(name, kind, dims, fill_value=fill)
        v.set_auto_maskandscale(False)
        v.setncatts(attributes)
        v[:] = values
    for dim, n in ("time", 6), ("depth", 5), ("lat", 18), ("lon", 12):
        f.createDimension(dim, n)
    put("time", "f8", ("time",), np.arange(6.0), units="days since 2001-01-01")
    put("depth", "i2", ("depth",), np.arange(5) * 100, units="m", scale_factor=0.5, add_offset=10.0,
        positive="down", axis="Z", long_name="depth below the surface")
    put("lat", "i2", ("lat",), np.arange(-8500, 9000, 1000), units="degrees_north", scale_factor=0.01)
    put("lon", "i1", ("lon",), np.arange(0, 240, 20).astype("u1").view("i1"), units="degrees_east",
        _Unsigned="true", scale_factor=np.float32(1.5))
    dims = ("time", "depth", "lat", "lon")
    t = r.normal(size=(6, 5, 18, 12)).astype("f4")
    t.ravel()[::7] = -9999
    t.ravel()[::11] = -8888
    t.ravel()[::13] = np.float32(0.7)
    put("t", "f4", dims, t, np.float32(-1), missing_value=np.array([-9999, -8888], "f4"), units="K")
    put("h", "f4", dims[2:], 1000 * r.normal(size=(18, 12)), units="m")
    put("p", "i2", dims, r.integers(-9, 9, t.shape), scale_factor=0.001, add_offset=100000.0, units="Pa")
    put("n", "i4", dims, 2**24 + r.integers(0, 9, t.shape), np.int32(2**24 + 1), units="1")
    put("qc", "i1", dims[2:], r.integers(1, 4, (18, 12)), flag_values=np.array([1, 2, 3], "i1"),
        flag_meanings="good bad ugly")
    put("mask", "i1", dims[2:], r.integers(0, 2, (18, 12)), dtype="bool")
with h5py.File("plain.h5", "w") as f:
    f["X"] = r.normal(size=(4, 3, 5)).astype("f4")
PY

# job KERNEL PARAMS IN OUT...
job() {
    local kernel=$1 params=$2 input=$3 at
    shift 3
    {
        printf 'kernel: %s\nparams: {%s}\ninputs:\n' "$kernel" "$params"
        printf '  %s: {file: %s, dataset: %s}\noutputs:\n' "${input%%=*}" "${from:-in.nc}" "${input#*=}"
        for at in "$@"; do
            printf '  %s: {file: %s, dataset: %s}\n' "${at%%=*}" "${at#*=}" "${at%%=*}"
        done
    } >job.yaml
    expect_status 0 "$h5swim" run job.yaml --quiet --overwrite --record none
}
is() { "$python" -W ignore -c "import h5py, numpy as np, xarray
i = xarray.open_dataset('in.nc', decode_times=False)
h = lambda name: h5py.File(name)
o = lambda name: xarray.open_dataset(name, decode_times=False)
assert $1" || fail "$1"; }

job regrid 'factor: "depth=2, lat=3, lon=4", weights: cos' x=t mean=coarse.nc
is "np.allclose(o('coarse.nc').lat, i.lat.coarsen(lat=3).mean(), rtol=1e-12)"
is "np.allclose(o('coarse.nc').lon, i.lon.coarsen(lon=4).mean(), rtol=1e-12)"
is "np.allclose(o('coarse.nc').depth, [35, 135, 210])"
is "o('coarse.nc').depth.attrs == {'units': 'm', 'positive': 'down', 'axis': 'Z', 'long_name': 'depth below the surface'}"
is "np.allclose(o('coarse.nc')['mean'].isel(depth=2), (lambda t, w: (t * w).coarsen(lat=3, lon=4).sum() / (w * t.notnull()).coarsen(lat=3, lon=4).sum())(i.t.isel(depth=4), np.cos(np.deg2rad(i.lat))), rtol=1e-5, atol=1e-6)"
job rolling_mean 'axis: depth, length: 3' x=t mean=rolling.nc
is "list(o('rolling.nc').depth.values) == [60, 110, 160] and o('rolling.nc').depth.attrs['positive'] == 'down'"
job slope '' height=h slope=slope.nc
is "list(o('slope.nc').lat.values) == list(i.lat.values) and o('slope.nc').slope.max() < 1"
expect_status 0 "$h5swim" view in.nc:/h --no-picture
grep -q 'lat.* -85 .* 85 ' "$tmp/out" || fail "$(cat "$tmp/out")"
passed "packed coordinates are unpacked, and what they are is still said"

for made in 'minmax_mean_std|axes: time|min max mean std count' 'anomaly||anomaly' 'rolling_mean|axis: time, length: 3|mean'; do
    IFS='|' read -r kernel params ports <<<"$made"
    # shellcheck disable=SC2046,SC2086 # words
    job "$kernel" "$params" x=p $(printf '%s=p.nc ' $ports)
    case $kernel in
    minmax*) is "(o('p.nc')['max'] == i.p.max('time')).all() and abs(o('p.nc')['std'] - i.p.std('time')).max() < 1e-9" ;;
    anomaly) is "h('p.nc')['anomaly'].dtype == 'f8'" ;;
    rolling_mean) is "abs(o('p.nc')['mean'] - i.p.rolling(time=3).mean().values[2:]).max() < 1e-9" ;;
    esac
done
job climatology '' x=p mean=p.nc
is "abs(o('p.nc')['mean'][0] - i.p.mean('time')).max() < 1e-9"
job climatology '' x=n mean=n.nc
is "abs(o('n.nc')['mean'][0] - i.n.mean('time')).max() < 1e-6"
passed "what float32 does not resolve is computed in float64, packed values too"

expect_status 0 "$h5swim" calc t t=in.nc:/t out=t.nc:/t --quiet --record none
is "np.array_equal(h('t.nc')['t'][:] == h('t.nc')['t'].fillvalue, np.isin(h('in.nc')['t'][:], [-1, -9999, -8888]))"
job threshold 'value: 0.7, inclusive: yes' x=t index=found.nc coordinate=found.nc value=found.nc
is "(h('found.nc')['value'][:] == np.float32(0.7)).sum() == (h('in.nc')['t'][:] == np.float32(0.7)).sum() > 0"
passed "several missing values are missing; 0.7 is 0.7 in float32"

expect_status 0 "$h5swim" calc 'qc == 1' qc=in.nc:/qc out=good.nc:/good --quiet --record none
is "not {'flag_values', 'flag_meanings'} & set(h('good.nc')['good'].attrs)"
job regrid 'factor: "lat=2"' x=mask mean=mask.nc
is "'dtype' not in h('mask.nc')['mean'].attrs and set(np.unique(o('mask.nc')['mean'])) == {0, 0.5, 1}"
printf 'kernel: recompress\ninputs: {x: {file: in.nc, dataset: qc}}\noutputs: {y: {file: same.nc, dataset: qc}}\n' >job.yaml
expect_status 0 "$h5swim" run job.yaml --quiet --record none
is "h('same.nc')['qc'].attrs['flag_meanings'] == h('in.nc')['qc'].attrs['flag_meanings']"
passed "flags are of the input alone"

from=plain.h5 job minmax_mean_std 'axes: dim_0' x=X min=m.nc max=m.nc mean=m.nc std=m.nc count=m.nc
is "o('m.nc')['mean'].dims == ('dim_1', 'dim_2') and o('m.nc')['mean'].attrs['cell_methods'] == 'dim_0: mean'"
passed "an axis without a name is known by its number in the input"
