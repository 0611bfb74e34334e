"""make_outputs.py FOLDER - outputs as a run may leave them, for pictures of them.

plane.h5: T, three months of lat and lon with coordinates, of which the middle one is
shown; a part of it is missing.  forms.h5: line, number, none (no rows), text (no
numbers), bare (no coordinates, large chunks), far and reach (a plane and a line whose
range is more than a number holds).
"""
import sys

import h5py
import numpy as np

folder = sys.argv[1]
with h5py.File(f"{folder}/plane.h5", "w") as f:
    lat, lon = np.arange(-80, 80.1, 2.5), np.arange(0, 360, 2.5)
    axes = {"time": (np.array([0., 31, 59]), "days since 2001-01-01"), "lat": (lat, "degrees_north"),
            "lon": (lon, "degrees_east")}
    for name, (values, units) in axes.items():
        f[name] = values
        f[name].attrs["units"] = np.bytes_(units)
        f[name].make_scale(name)
    month = 25 * np.cos(np.radians(lat))[:, None] + 5 * np.sin(np.radians(2 * lon))[None, :]
    values = np.stack([month - 100, month, month + 100]).astype("f4")
    values[:, 10:20, 30:60] = -999
    d = f.create_dataset("T", data=values, chunks=(1, 16, 36), compression=1, shuffle=True,
                         fillvalue=np.float32(-999))
    d.attrs["_FillValue"] = np.float32(-999)
    d.attrs["units"] = np.bytes_("degC")
    d.attrs["long_name"] = np.bytes_("air temperature <b>&")
    for i, name in enumerate(axes):
        d.dims[i].attach_scale(f[name])
with h5py.File(f"{folder}/forms.h5", "w") as f:
    f["line"] = np.sin(np.arange(5000) / 300.)
    f["number"] = np.int32(42)
    f.create_dataset("none", (0, 4), "f4", maxshape=(None, 4))
    f["text"] = np.array([b"a", b"bc"])
    y, x = np.ogrid[0:1500, 0:2000]
    f.create_dataset("bare", data=((y - 700.) * (x - 900) / 1e4).astype("f4"), chunks=(500, 500))
    f["far"] = [[-1.7e308, 3e307], [0, 1]]
    f["reach"] = [-1.7e308, 0, 1.7e308]
