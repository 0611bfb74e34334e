"""window_data.py FOLDER

Make the data of test_windows.sh: plain.h5 with whole numbers, whose sums are exact, and
field.nc with coordinates and holes.
"""
import sys

import h5py
import numpy as np

folder = sys.argv[1]
r = np.random.default_rng(11)
with h5py.File(f"{folder}/plain.h5", "w") as f:
    f.create_dataset("X", data=r.integers(-1000, 1000, (23, 17)).astype("f8"), chunks=(5, 4))
    f.create_dataset("CUBE", data=r.integers(-1000, 1000, (21, 13, 11)).astype("f8"), chunks=(4, 5, 3))

N = 120
with h5py.File(f"{folder}/field.nc", "w") as f:
    time = f.create_dataset("time", data=np.arange(N) * 730.5 + 1e6)
    time.attrs["units"] = np.bytes_("hours since 1900-01-01 00:00:00")
    time.attrs["calendar"] = np.bytes_("standard")
    time.attrs["standard_name"] = np.bytes_("time")
    lat = f.create_dataset("lat", data=np.linspace(-60, 60, 7))
    lat.attrs["units"] = np.bytes_("degrees_north")
    lon = f.create_dataset("lon", data=np.arange(9) * 40.0)
    lon.attrs["units"] = np.bytes_("degrees_east")
    x = r.normal(280, 20, (N, 7, 9)).astype("f4")
    x[r.random(x.shape) < 0.1] = -99
    x[:, 3, 4] = -99
    x[20:60, 2, 2] = -99
    steep = np.where(np.arange(N) == 30, 1e300, np.arange(N) * 0.1)[:, None, None] + np.zeros((N, 7, 9))
    steep[50, 0, 0] = np.inf
    fine = r.normal(280, 20, (N, 7, 9))
    scales = (time, lat, lon)
    for scale, name in zip(scales, ("time", "lat", "lon")):
        scale.make_scale(name)
    for name, values, missing in (("x", x, np.float32(-99)), ("steep", steep, None),
                                  ("fine", fine, None)):
        d = f.create_dataset(name, data=values, chunks=(9, 3, 4), compression=1, shuffle=True)
        d.attrs["units"] = np.bytes_("K")
        if missing is not None:
            d.attrs["_FillValue"] = missing
        for i, scale in enumerate(scales):
            d.dims[i].attach_scale(scale)
