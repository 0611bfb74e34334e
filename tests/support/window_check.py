"""window_check.py WHAT OUTPUT ARGUMENT...

What a job of test_windows.sh made, against numpy.  Exit status: 0 as it should be, 1 not.
"""
import sys

import h5py
import numpy as np

CONSTANT = -5.0


def pad(x, axis, lo, hi, mode, constant=CONSTANT):
    """As numpy.pad, whose wrap before 1.25 repeats wrongly what is wider than the data."""
    n = x.shape[axis]
    period = {"wrap": np.arange(n), "reflect": np.r_[np.arange(n), np.arange(n)[::-1]]}
    if mode in period:
        at = period[mode][np.arange(-lo, n + hi) % len(period[mode])]
    else:
        at = np.clip(np.arange(-lo, n + hi), 0, n - 1)
    padded = np.take(x, at, axis=axis)
    if mode == "constant":
        sides = np.moveaxis(padded, axis, 0)
        sides[:lo] = sides[lo + n:] = constant
    if max(lo, hi) <= n:
        widths = [(lo, hi) if a == axis else (0, 0) for a in range(x.ndim)]
        name = {"nearest": "edge", "reflect": "symmetric"}.get(mode, mode)
        options = {"constant_values": constant} if mode == "constant" else {}
        assert np.array_equal(padded, np.pad(x, widths, mode=name, **options), equal_nan=True)
    return padded


def windows(x, axis, lo, hi, step, mode, constant=CONSTANT):
    """The windows of an axis, as a new last axis."""
    if mode != "none":
        x = pad(x, axis, lo, hi, mode, constant)
    views = np.lib.stride_tricks.sliding_window_view(x, lo + hi + 1, axis=axis)
    return views[(slice(None),) * axis + (slice(None, None, step),)]


def weights(n):
    return 1.0 + np.arange(n) % 97


def read(name, dataset):
    with h5py.File(name, "r") as f:
        d = f[dataset]
        values = d[()].astype("f8")
        if "_FillValue" in d.attrs:
            values[d[()] == np.ravel(d.attrs["_FillValue"])[0]] = np.nan
    return values


def is_same(got, want, what):
    if got.shape != want.shape:
        sys.exit(f"{what}: shape {got.shape}, not {want.shape}")
    if not np.array_equal(got, want, equal_nan=True):
        bad = np.argwhere(~((got == want) | (np.isnan(got) & np.isnan(want))))
        at = tuple(bad[0])
        sys.exit(f"{what}: {len(bad)} of {got.size} differ, at {at} {got[at]}, not {want[at]}")


def is_close(got, want, ulps, what):
    """want in double precision; got is float32, or double."""
    if got.shape != want.shape:
        sys.exit(f"{what}: shape {got.shape}, not {want.shape}")
    if not np.array_equal(np.isnan(got), np.isnan(want)):
        sys.exit(f"{what}: missing in other places")
    ok = ~np.isnan(want)
    apart = np.abs(got[ok] - want[ok]) / np.spacing(np.abs(want[ok]).astype("f4")).astype("f8")
    print(f"{what}: {ok.sum()} values, {(~ok).sum()} missing, at most {apart.max():.3g} ulp")
    if apart.max() > ulps:
        sys.exit(f"{what}: more than {ulps} ulp apart")


def around(output, halo, edges):
    lo0, hi0, lo1, hi1 = (int(n) for n in halo.split(","))
    e0, e1 = edges.split(",")
    x = pad(pad(read("plain.h5", "X"), 0, lo0, hi0, e0), 1, lo1, hi1, e1)
    views = np.lib.stride_tricks.sliding_window_view(x, (lo0 + hi0 + 1, lo1 + hi1 + 1))
    w = weights((lo0 + hi0 + 1) * (lo1 + hi1 + 1)).reshape(views.shape[2:])
    is_same(read(output, "Y"), (views * w).sum((2, 3)), f"{halo} {edges}")


def along(output, axis, lo, hi, step, edge):
    axis, lo, hi, step = int(axis), int(lo), int(hi), int(step)
    x = read("plain.h5", "CUBE")
    if lo < 0:
        n = x.shape[axis]
        total = np.tensordot(np.moveaxis(x, axis, -1), weights(n), 1)
        want = np.moveaxis(total[..., None] + np.arange(n), -1, axis)
        length = n
    else:
        want = (windows(x, axis, lo, hi, step, edge) * weights(lo + hi + 1)).sum(-1)
        length = lo + hi + 1
    what = f"axis {axis}, {lo} {hi} step {step}, {edge}"
    is_same(read(output, "Y"), want, what)
    is_same(read(output, "N"), np.full(want.shape, float(length)), what + ", lengths")


def rolling(output, length, step, least, position, axis, edge):
    length, step, least, axis = int(length), int(step), int(least), int(axis)
    lo = length - 1 if position == "trailing" else length // 2
    hi = length - 1 - lo
    x = read("field.nc", "x")
    views = windows(x, axis, lo, hi, step, edge, np.nan)
    count = (~np.isnan(views)).sum(-1)
    want = np.where(count >= least, np.nansum(views, -1) / np.maximum(count, 1), np.nan)
    is_close(read(output, "x"), want, 0.501, f"mean of {length} step {step} {position} {edge}")
    name = ("time", "lat", "lon")[axis]
    with h5py.File("field.nc") as f:
        c = f[name][:]
    if want.shape[axis] != len(c):
        first = lo if edge == "none" else 0
        rows = first + step * np.arange(want.shape[axis])
        c = np.array([c[max(i - lo, 0):i + hi + 1].mean() for i in rows])
    with h5py.File(output) as f:
        got = f["x"].dims[axis][0]
        assert np.allclose(got[:], c, rtol=1e-14, atol=1e-9), (got[:], c)
        assert got.attrs["units"], name
        methods = f["x"].attrs["cell_methods"]
        assert (methods.decode() if isinstance(methods, bytes) else methods) == f"{name}: mean", methods


def times(output, other):
    with h5py.File(output) as f, h5py.File(other) as g:
        a, b = f["time"][:], g["time"][:]
        assert f["time"].attrs["units"] == g["time"].attrs["units"]
        assert np.abs(a - b).max() <= 730.5 / 2, (a - b)


def steep(output, length):
    length = int(length)
    x = read("field.nc", "steep")
    want = windows(x, 0, length // 2, length - 1 - length // 2, 1, "none").mean(-1)
    got = read(output, "steep")
    assert np.array_equal(np.isinf(got), np.isinf(want))
    ok = np.isfinite(want)
    worst = (np.abs(got[ok] - want[ok]) / np.abs(want[ok])).max()
    print(f"relative {worst:.3g} beside huge values")
    assert worst < 1e-14


def anomaly(output, kind):
    x = read("field.nc", "x")
    with h5py.File("field.nc") as f:
        stamps = np.datetime64("1900-01-01T00", "s") + (f["time"][:] * 3600).astype("timedelta64[s]")
    month = stamps.astype("datetime64[M]").astype(int) % 12 if kind == "month" else np.zeros(len(stamps), int)
    want = np.empty_like(x)
    for m in range(12):
        if (month == m).any():
            rows = x[month == m]
            n = (~np.isnan(rows)).sum(0)
            want[month == m] = rows - np.nansum(rows, 0) / np.maximum(n, 1)
    got = read(output, "x")
    assert np.array_equal(np.isnan(got), np.isnan(want))
    ok = ~np.isnan(want)
    worst = np.abs(got[ok] - want[ok]).max()
    print(f"anomaly of {kind}: at most {worst:.3g} K apart")
    assert worst < 4e-6 # half the spacing of float32 at 64


def close(a, set_a, b, set_b, most):
    a, b = read(a, set_a), read(b, set_b)
    assert np.array_equal(np.isnan(a), np.isnan(b))
    worst = np.nanmax(np.abs(a - b))
    print(f"{set_a}: {a.size} values, at most {worst:.3g} apart")
    assert worst <= float(most), worst


globals()[sys.argv[1]](*sys.argv[2:])
