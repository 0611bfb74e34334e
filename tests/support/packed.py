"""packed.py make FILE | read IN DATASET OUT DATASET | pack IN DATASET OUT DATASET SCALE OFFSET FILL

"/" is between what is to be done one after the other.

make: packed and limited data.  read: OUT has the values of IN as netCDF4-python masks and
unpacks them.  pack: OUT has those of IN packed, to the last bit as numpy does it, and
xarray and netCDF4-python get them back.
"""
import sys

import h5py
import netCDF4
import numpy as np
import xarray


def put(f, name, values, fill=None, **attributes):
    values = np.asarray(values)
    d = f.create_dataset(name, data=values, chunks=tuple(min(n, 7) for n in values.shape))
    if fill is not None:
        d.attrs["_FillValue"] = np.array([fill], values.dtype)
    for key, value in attributes.items():
        d.attrs[key] = value


def make(name):
    rng = np.random.default_rng(3)
    with h5py.File(name, "w") as f:
        raw = rng.integers(-1000, 1001, size=(20, 30)).astype("i2")
        raw[rng.random(raw.shape) < 0.1] = -32768
        quarter = {"scale_factor": np.float32(0.25), "add_offset": np.float32(100)}
        put(f, "plain", raw, -32768, **quarter)
        put(f, "limited", raw, -32768, valid_range=np.array([-900, 800], "i2"), **quarter)
        put(f, "big", raw.astype(">i2"), -32768, valid_min=np.int16(-500), **quarter)
        put(f, "bytes", rng.integers(0, 256, size=(9, 40)).astype("u1"),
            valid_range=np.array([1, 200], "u1"))
        real = rng.normal(size=(20, 30)).astype("f4")
        real[0, :3] = np.float32(0.1), np.nextafter(np.float32(0.1), np.float32(1)), np.nan
        put(f, "real", real, np.float32(-999), valid_max=np.float32(0.1))
        put(f, "double", real.astype("f8"), valid_range=np.array([-1.0, 0.5]))
        # Limits of what the numbers mean: 26.9 / 0.1 is less than 269, which is one of them.
        tenths = np.arange(-400, 400, dtype="i4").reshape(20, 40)
        put(f, "means", tenths, scale_factor=0.1, valid_min=-25.2, valid_max=26.9)
        put(f, "down", tenths, scale_factor=-0.5, add_offset=3.0,
            valid_range=np.array([-30.0, 30.0]))
        # To be packed: ties, the ends of int16 with 0.01 and 20, and beyond.
        x = rng.normal(size=(40, 50)) * 100
        x.ravel()[:12] = [20.005, 20.015, 20.025, 347.67, 347.68, -307.66, -307.67, 1e300,
                          np.inf, -np.inf, np.nan, 347.674]
        x.ravel()[100:200] = 20 + 0.005 * np.arange(-50, 50)
        put(f, "x", x, -1.0, long_name="made", units="K", missing_value=np.array([-1.0]))
        i = rng.integers(-3000, 3000, size=(40, 50)).astype("i4")
        i[rng.random(i.shape) < 0.1] = -99
        i[:, 7] = -99
        put(f, "i", i, -99, units="m")


def decoded(name, dataset):
    with netCDF4.Dataset(name) as f:
        return np.ma.filled(f[dataset][:].astype("f8"), np.nan)


def meant(name, dataset):
    """Where limits are those of unpacked values, which netCDF4-python does not know."""
    with h5py.File(name) as f:
        d = f[dataset]
        a = {key: np.ravel(value) for key, value in d.attrs.items()}
        v = d[()] * a["scale_factor"][0] + a.get("add_offset", [0.0])[0]
        low, high = a.get("valid_range", [a.get("valid_min", [0])[0], a.get("valid_max", [0])[0]])
    return np.where((v >= low - 1e-9) & (v <= high + 1e-9), v, np.nan)


def same(what, got, want):
    if got.shape != want.shape or not np.array_equal(got, want, equal_nan=True):
        bad = np.argwhere(~((got == want) | (np.isnan(got) & np.isnan(want))))[:3]
        raise ValueError(f"{what}: {len(bad)} and more differ: "
                         f"{[(tuple(at), got[tuple(at)], want[tuple(at)]) for at in bad]}")


def read(name, dataset, out, out_dataset):
    want = meant(name, dataset) if dataset in ("means", "down") else decoded(name, dataset)
    got = decoded(out, out_dataset)
    if h5py.File(out)[out_dataset].dtype == "f4":
        want = want.astype("f4").astype("f8")
    assert 0 < np.isnan(want).sum() < want.size
    same(dataset, got, want)


def pack(name, dataset, out, out_dataset, scale, offset, fill):
    scale, offset = float(scale), float(offset)
    values = decoded(name, dataset)
    with h5py.File(out) as f:
        d = f[out_dataset]
        raw, a = d[()], dict(d.attrs)
        limits = np.iinfo(d.dtype)
        assert d.fillvalue == int(fill) == np.ravel(a["_FillValue"])[0], a
        assert a["_FillValue"].dtype == d.dtype
        assert np.ravel(a["scale_factor"])[0] == scale and np.ravel(a["add_offset"])[0] == offset
        assert "valid_range" not in a
    want = np.rint((values - offset) / scale)
    kept = (want >= limits.min) & (want <= limits.max)
    want = np.where(kept, want, int(fill))
    same("stored", raw.astype("f8"), want)
    back = np.where(want == int(fill), np.nan, want * scale + offset)
    assert np.isnan(back).any() or out_dataset == "n"
    same("netCDF4", decoded(out, out_dataset), back)
    with xarray.open_dataset(out) as f:
        # It computes with float32 where that holds the numbers.
        np.testing.assert_allclose(f[out_dataset].values.astype("f8"), back, rtol=1e-6, atol=1e-4)


rest = sys.argv[1:]
while rest:
    end = rest.index("/") if "/" in rest else len(rest)
    try:
        {"make": make, "read": read, "pack": pack}[rest[0]](*rest[1:end])
    except (AssertionError, KeyError, ValueError) as why:
        sys.exit(f"{' '.join(rest[:end])}: {why or repr(why)}")
    rest = rest[end + 1:]
