"""unsigned.py make FILE | read IN DATASET OUT DATASET | copied IN DATASET OUT DATASET

"/" is between what is to be done one after the other.

make: integers whose sign _Unsigned says otherwise, by netCDF4-python in the classic
model.  read: OUT has the values of IN as netCDF4-python and xarray read them.  copied:
OUT has the same numbers and attributes.
"""
import sys
import warnings

import h5py
import netCDF4
import numpy as np
import xarray

warnings.simplefilter("ignore")  # two missing values, for xarray; byte orders, for numpy


def make(name):
    rng = np.random.default_rng(8)
    with netCDF4.Dataset(name, "w", format="NETCDF4_CLASSIC") as f:
        f.createDimension("y", 21)
        f.createDimension("x", 250)

        def put(name, kind, values, fill=None, dims=("y", "x"), **attributes):
            v = f.createVariable(name, kind, dims, fill_value=fill, zlib="zip" in name,
                                 endian="big" if "big" in name else "native",
                                 chunksizes=(4, 60) if "zip" in name else None)
            v.set_auto_maskandscale(False)
            v.setncatts(attributes)
            v.setncattr("_Unsigned", "true")
            v[:] = values

        grid = rng.integers(0, 256, (21, 250), "u1")
        put("x", "i1", np.arange(250, dtype="u1").view("i1"), dims=("x",), units="m")
        put("plain", "i1", grid.view("i1"))
        put("filled", "i1", grid.view("i1"), np.int8(-1))
        put("zip_filled", "i1", grid.view("i1"), np.int8(-1), missing_value=np.int8(-100))
        put("zip_limited", "i1", grid.view("i1"), np.int8(-1),
            valid_range=np.array([10, -56], "i1"))
        short = rng.integers(0, 65536, (21, 250), "u2")
        whole = rng.integers(0, 2**32, (21, 250), "u4")
        short[3, 40:50], whole[3, 40:50] = 65534, 2**32 - 7
        packed = {"scale_factor": 0.5, "add_offset": -100.0}
        put("big", "i2", short.view("i2"), np.int16(-2), **packed)
        put("packed", "i2", short.view("i2"), np.int16(-2), valid_max=np.int16(-5000), **packed)
        put("zip_big", "i2", short.view("i2"), np.int16(-2), **packed)
        put("zip_packed", "i2", short.view("i2"), np.int16(-2), valid_min=np.int16(300), **packed)
        put("zip_int", "i4", whole.view("i4"), np.int32(-7))
    # netCDF's classic model has no unsigned types, HDF5 has.
    with h5py.File(name, "a") as f:
        for name, chunks in ("signed", None), ("zip_signed", (4, 60)):
            d = f.create_dataset(name, data=grid, chunks=chunks)
            d.attrs["_Unsigned"] = np.bytes_("false")
            d.attrs["_FillValue"] = np.array([250], "u1")
            d.attrs["scale_factor"] = 0.25
            for i, dim in enumerate(("y", "x")):
                d.dims[i].attach_scale(f[dim])


def masked(name, dataset):
    with netCDF4.Dataset(name) as f:
        v = f[dataset][:]
        return np.ma.filled(v.astype("f8"), np.nan)


def unmasked(name, dataset):
    with xarray.open_dataset(name) as f:
        return f[dataset].values.astype("f8")


def read(name, dataset, out, out_dataset):
    got = masked(out, out_dataset)
    with h5py.File(out) as f:
        assert "_Unsigned" not in f[out_dataset].attrs
    with h5py.File(name) as f:
        limited = [key for key in f[dataset].attrs if key.startswith("valid_")]
    assert dataset == "plain" or np.isnan(got).any(), "nothing is missing"
    assert "signed" not in dataset or np.nanmin(got) < 0
    # netCDF4-python does not know "false", nor fill values of the other byte order.
    if "signed" not in dataset and "big" not in dataset:
        np.testing.assert_array_equal(got, masked(name, dataset), "netCDF4")
    if not limited and dataset != "zip_filled":  # xarray has no valid ranges, and one missing value
        np.testing.assert_array_equal(got, unmasked(name, dataset), "xarray")


def copied(name, dataset, out, out_dataset):
    with h5py.File(name) as f, h5py.File(out) as g:
        a, b = f[dataset], g[out_dataset]
        assert a.dtype.newbyteorder("=") == b.dtype.newbyteorder("=")
        np.testing.assert_array_equal(a[()], b[()])
        for key in "_Unsigned", "_FillValue", "valid_range", "scale_factor":
            assert np.array_equal(a.attrs.get(key), b.attrs.get(key)), key
    np.testing.assert_array_equal(unmasked(name, dataset), unmasked(out, out_dataset))


rest = sys.argv[1:]
while rest:
    end = rest.index("/") if "/" in rest else len(rest)
    try:
        {"make": make, "read": read, "copied": copied}[rest[0]](*rest[1:end])
    except (AssertionError, KeyError, ValueError) as why:
        sys.exit(f"{' '.join(rest[:end])}: {why or repr(why)}")
    rest = rest[end + 1:]
