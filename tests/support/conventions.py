"""conventions.py make FILE | open FILE DATASET [NAME=VALUE ...] [/ FILE DATASET ...]

make: a netCDF-4 file as models write them, by netCDF4-python: an unlimited time with
bounds, latitudes and longitudes, a grid mapping, coordinates of two dimensions, cell
methods, a history.

open: see that a result is netCDF-4 for h5py, netCDF4-python and xarray: each dimension
of the dataset has a scale of its name, _FillValue is the fill value of HDF5, what
attributes name is there.  NAME=VALUE: the dataset has this attribute; NAME=: it has not.
"""
import sys

import h5py
import netCDF4
import numpy as np
import xarray


def put(f, name, dims, values, kind="f8", fill=None, **attributes):
    v = f.createVariable(name, kind, dims, zlib=len(dims) > 2, fill_value=fill,
                         chunksizes=(4, 6, 8) if len(dims) == 3 else None)
    v.set_auto_maskandscale(False)
    v.setncatts(attributes)
    v[:] = values
    return v


def make(name):
    rng = np.random.default_rng(4)
    with netCDF4.Dataset(name, "w") as f:
        f.Conventions = "CF-1.8"
        f.title = "made winds"
        f.history = "Thu Jan 01 00:00:00 2026: make winds\nearlier: none"
        for dim, length in ("time", None), ("lat", 12), ("lon", 16), ("bnds", 2):
            f.createDimension(dim, length)
        days = np.arange(24) * 15.0 + 7.5
        put(f, "time", ("time",), days, units="days since 2000-01-01", calendar="standard",
            standard_name="time", axis="T", bounds="time_bnds")
        put(f, "time_bnds", ("time", "bnds"), np.stack([days - 7.5, days + 7.5], 1))
        lat, lon = np.linspace(-82.5, 82.5, 12), np.arange(16) * 22.5
        put(f, "lat", ("lat",), lat, units="degrees_north", standard_name="latitude", axis="Y")
        put(f, "lon", ("lon",), lon, units="degrees_east", standard_name="longitude", axis="X")
        put(f, "xlat", ("lat", "lon"), np.repeat(lat[:, None], 16, 1), units="degrees_north",
            standard_name="latitude")
        put(f, "xlon", ("lat", "lon"), np.repeat(lon[None], 12, 0), units="degrees_east",
            standard_name="longitude")
        put(f, "crs", (), 0, "i4", grid_mapping_name="latitude_longitude")
        for which in "u", "v":
            values = rng.normal(size=(24, 12, 16)) * 10
            values[rng.random(values.shape) < 0.05] = -999
            put(f, which, ("time", "lat", "lon"), values, "f4", np.float32(-999),
                units="m s-1", long_name=f"{which} of the wind", cell_methods="time: mean",
                coordinates="xlat xlon", grid_mapping="crs")


def text(value):
    return value.decode() if isinstance(value, bytes) else str(np.ravel(value)[0])


def see(name, dataset, wanted):
    with h5py.File(name) as f:
        d = f[dataset]
        attrs = dict(d.attrs)
        fill = np.ravel(attrs["_FillValue"])[0]
        assert fill == d.fillvalue or (np.isnan(fill) and np.isnan(d.fillvalue)), fill
        assert fill.dtype == d.dtype, fill.dtype
        for dim in d.dims:
            assert len(dim) == 1, f"{len(dim)} scales"
            assert dim[0].shape[0] == d.shape[dim._dimension]
        for key in "coordinates", "grid_mapping", "bounds":
            for word in text(attrs.get(key, "")).split():
                assert word in f, f"{key} names {word}, which is not there"
    for key, value in wanted:
        got = text(attrs[key]) if key in attrs else ""
        assert got == value, f"{key} is {got!r}, not {value!r}"
    with netCDF4.Dataset(name) as f:
        v = f[dataset]
        shape = tuple(f.dimensions[dim].size for dim in v.dimensions)
        assert shape == v.shape, shape
        masked = np.ma.filled(v[:].astype("f8"), np.nan)
    with xarray.open_dataset(name) as f:
        np.testing.assert_array_equal(f[dataset].values.astype("f8"), masked)
        for dim in f[dataset].dims:
            if dim in f.coords and dim == "time":
                assert f[dim].dtype.kind == "M", "xarray does not take it for a time"


if sys.argv[1] == "make":
    make(sys.argv[2])
else:
    rest = sys.argv[2:]
    while rest:
        end = rest.index("/") if "/" in rest else len(rest)
        name, dataset, *wanted = rest[:end]
        try:
            see(name, dataset, [pair.split("=", 1) for pair in wanted])
        except (AssertionError, KeyError, ValueError) as why:
            sys.exit(f"{name}: {dataset}: {why or repr(why)}")
        rest = rest[end + 1:]
