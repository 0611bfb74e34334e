"""make_winds.py IN.nc OUT.nc MONTHS [--finer N] [--points LAT,LON] [--chunks T,Y,X]
                [--gzip LEVEL] [--only NAME]

The real winds on a grid N times (4) as fine in both directions, linear between the
points, and as long as is asked for: the record is repeated, 12 months at a time.
"""
import argparse

import h5py
import numpy as np

PART = 12
CACHE = 256 << 20  # a layer of chunks stays in it until it is whole


def numbers(text):
    return tuple(int(n) for n in text.split(","))


def options():
    p = argparse.ArgumentParser()
    p.add_argument("source")
    p.add_argument("out")
    p.add_argument("months", type=int)
    p.add_argument("--finer", type=int, default=4)
    p.add_argument("--points", type=numbers, help="of the finer grid, from its first corner on")
    p.add_argument("--chunks", type=numbers, default=(12, 73, 144))
    p.add_argument("--gzip", type=int, default=1)
    p.add_argument("--only", help="one of the components, and no coordinates")
    return p.parse_args()


def finer(values, axis, n):
    """n points for each one; behind the last, it is repeated."""
    after = np.concatenate([values.take(range(1, values.shape[axis]), axis),
                            values.take([-1], axis)], axis)
    parts = [values + (after - values) * np.float32(k / n) for k in range(n)]
    shape = list(values.shape)
    shape[axis] *= n
    return np.stack(parts, axis + 1).reshape(shape)


def coordinates(out, like, values):
    scale = out.create_dataset(like.name, data=values)
    scale.attrs["units"] = like.attrs["units"]
    scale.make_scale(like.name.strip("/"))
    return scale


def scales(f, out, o, shape):
    time = f["TIME"][()]
    span = time[-1] - time[0] + (time[1] - time[0])
    records = -(-o.months // len(time))
    times = np.concatenate([time + k * span for k in range(records)])[:o.months]
    lat, lon = f["FNOCY"][()], f["FNOCX"][()]
    lats = np.linspace(lat[0], lat[-1], len(lat) * o.finer)[:shape[1]]
    lons = (lon[0] + 360 / len(lon) / o.finer * np.arange(len(lon) * o.finer))[:shape[2]]
    return [coordinates(out, f[name], values)
            for name, values in (("TIME", times), ("FNOCY", lats), ("FNOCX", lons))]


def years_part(values, shape, o):
    return finer(finer(values, 1, o.finer), 2, o.finer)[:, :shape[1], :shape[2]]


def component(f, out, name, shape, o, axes):
    source = f[name]
    fill = source.attrs["_FillValue"]
    d = out.create_dataset(name, shape, "f4", chunks=tuple(map(min, o.chunks, shape)), shuffle=True,
                           compression="gzip", compression_opts=o.gzip,
                           fillvalue=np.ravel(fill)[0])
    d.attrs["_FillValue"] = fill
    d.attrs["units"] = source.attrs["units"]
    for axis, scale in enumerate(axes):
        d.dims[axis].attach_scale(scale)
    values = source[()]
    years = [years_part(values[k:k + PART], shape, o)
             for k in range(0, PART * (len(values) // PART), PART)]
    for k, at in enumerate(range(0, shape[0], PART)):
        d[at:at + PART] = years[k % len(years)][:shape[0] - at]


def main():
    o = options()
    with h5py.File(o.source, "r") as f, h5py.File(o.out, "w", rdcc_nbytes=CACHE) as out:
        whole = f["UWND"].shape
        points = o.points or (whole[1] * o.finer, whole[2] * o.finer)
        shape = (o.months, *points)
        axes = [] if o.only else scales(f, out, o, shape)
        for name in [o.only] if o.only else ("UWND", "VWND"):
            component(f, out, name, shape, o, axes)


main()
