"""make_winds.py IN.nc OUT.nc TIMES

The real winds on a grid four times as fine in both directions (linear between the
points), the whole record repeated TIMES times; 177 MB of values each time.
"""
import sys

import h5py
import numpy as np

FINER = 4


def finer(values, axis):
    """FINER points for each one; behind the last, it is repeated."""
    after = np.concatenate([values.take(range(1, values.shape[axis]), axis),
                            values.take([-1], axis)], axis)
    parts = [values + (after - values) * np.float32(k / FINER) for k in range(FINER)]
    shape = list(values.shape)
    shape[axis] *= FINER
    return np.stack(parts, axis + 1).reshape(shape)


def coordinates(out, like, values):
    scale = out.create_dataset(like.name, data=values)
    scale.attrs["units"] = like.attrs["units"]
    scale.make_scale(like.name.strip("/"))
    return scale


def main():
    times = int(sys.argv[3])
    with h5py.File(sys.argv[1], "r") as f, h5py.File(sys.argv[2], "w") as out:
        time = f["TIME"][()]
        span = time[-1] - time[0] + (time[1] - time[0])
        scales = [coordinates(out, f["TIME"],
                              np.concatenate([time + k * span for k in range(times)]))]
        lat, lon = f["FNOCY"][()], f["FNOCX"][()]
        scales.append(coordinates(out, f["FNOCY"],
                                  np.linspace(lat[0], lat[-1], len(lat) * FINER)))
        scales.append(coordinates(out, f["FNOCX"],
                                  lon[0] + 360 / len(lon) / FINER * np.arange(len(lon) * FINER)))
        shape = tuple(len(s) for s in scales)
        for name in ("UWND", "VWND"):
            fill = f[name].attrs["_FillValue"]
            d = out.create_dataset(name, shape, "f4", chunks=(12, 73, 144), shuffle=True,
                                   compression="gzip", compression_opts=1,
                                   fillvalue=np.ravel(fill)[0])
            d.attrs["_FillValue"] = fill
            d.attrs["units"] = f[name].attrs["units"]
            for axis, scale in enumerate(scales):
                d.dims[axis].attach_scale(scale)
            for first in range(0, len(time), 12):
                part = finer(finer(f[name][first:first + 12], 1), 2)
                for k in range(times):
                    at = k * len(time) + first
                    d[at:at + part.shape[0]] = part


main()
