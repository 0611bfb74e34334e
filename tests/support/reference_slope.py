"""reference_slope.py IN.nc DATASET LAT LON OUT.nc [RADIUS]

The slope of a relief that spans the globe, computed with whole arrays of float64 and
written as float32 dataset SLOPE (missing: NaN).  Independent of the kernel: neighbours
come from padded arrays, distances from padded coordinates, angles in radians.
"""
import sys

import h5py
import numpy as np


def main():
    name, dataset, lat_name, lon_name, out = sys.argv[1:6]
    radius = float(sys.argv[6]) if len(sys.argv) > 6 else 6371000.0
    with h5py.File(name, "r") as f:
        z = f[dataset][()].astype(np.float64)
        fill = f[dataset].attrs.get("_FillValue")
        if fill is not None:
            z[f[dataset][()] == np.ravel(fill)[0]] = np.nan
        lat = f[lat_name][()].astype(np.float64)
        lon = f[lon_name][()].astype(np.float64)

    # Longitude is a circle: one more point on either side, a turn away.
    lon_rad = np.deg2rad(np.concatenate([lon[-1:] - 360.0, lon, lon[:1] + 360.0]))
    z_lon = np.concatenate([z[:, -1:], z, z[:, :1]], axis=1)
    arc = radius * (lon_rad[2:] - lon_rad[:-2])
    east = (z_lon[:, 2:] - z_lon[:, :-2]) / arc[None, :]
    cosine = np.cos(np.deg2rad(lat))
    pole = np.abs(np.abs(lat) - 90.0) < 1e-4
    with np.errstate(divide="ignore", invalid="ignore"):
        east = np.where(pole[:, None], 0.0 * east, east / cosine[:, None])

    # Latitude ends: one-sided differences there.
    north = np.empty_like(z)
    y = radius * np.deg2rad(lat)
    north[1:-1] = (z[2:] - z[:-2]) / (y[2:] - y[:-2])[:, None]
    north[0] = (z[1] - z[0]) / (y[1] - y[0])
    north[-1] = (z[-1] - z[-2]) / (y[-1] - y[-2])

    slope = np.hypot(east, north)
    slope[np.isnan(z)] = np.nan
    with h5py.File(out, "w") as f:
        f["SLOPE"] = slope.astype(np.float32)


main()
