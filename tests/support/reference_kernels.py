"""reference_kernels.py make FILE | CASE IN OUT [KEY=VALUE ...]

Made data for the bundled kernels, and what numpy makes of them.  Each CASE reads the
input IN and what the kernel made of it, OUT, computes the same with whole arrays of
float64 and exits with status 1 and a line that says what differs.
"""
import sys

import h5py
import numpy as np

FILL = -999.0


def scale(f, name, values, **attributes):
    d = f.create_dataset(name, data=values)
    for key, value in attributes.items():
        d.attrs[key] = np.bytes_(value)
    d.make_scale(name)
    return d


def put(f, name, values, axes, chunks, fill=None, **attributes):
    d = f.create_dataset(name, data=values, chunks=chunks, compression="gzip",
                         shuffle=True, fillvalue=fill)
    if fill is not None:
        d.attrs["_FillValue"] = np.array([fill], dtype=values.dtype)
    for key, value in attributes.items():
        d.attrs[key] = np.bytes_(value) if isinstance(value, str) else value
    for i, axis in enumerate(axes):
        d.dims[i].attach_scale(axis)
    return d


def make(name):
    rng = np.random.default_rng(6)
    shape = (41, 37, 72)
    with h5py.File(name, "w") as f:
        axes = [
            scale(f, "time", np.arange(41.0) * 6, units="hours since 1980-01-01"),
            scale(f, "lat", np.linspace(-90, 90, 37), units="degrees_north"),
            scale(f, "lon", np.arange(72) * 5.0, units="degrees_east"),
        ]
        chunks = (8, 10, 30)
        # A small spread around a large mean: a sum of squares would lose it.
        t = 1e6 + rng.normal(size=shape)
        u = 0.3 * (t - 1e6) + rng.normal(size=shape) * 1e-3 - 5e5
        for v in (t, u):
            v[rng.random(shape) < 0.1] = FILL
        t[:, 3, 5] = FILL
        t[1:, 4, 6] = FILL
        t[:20] = np.where(rng.random((20, 37, 72)) < 0.5, FILL, t[:20])
        put(f, "D", t, axes, chunks, FILL, units="K", long_name="made")
        put(f, "E", u, axes, chunks, FILL, units="Pa")
        f32 = np.where(t == FILL, FILL, t - 1e6).astype(np.float32)
        f32.ravel()[::101] = np.nan
        put(f, "F", f32, axes, chunks, FILL, units="K")
        put(f, "C", np.full(shape, 7.0, np.float32), axes, chunks, units="K")
        put(f, "C1", np.full(shape, 0.1), axes, chunks)  # sums of it are rounded
        v = rng.normal(size=shape)
        v[0, 0, 0] = v[-1, 5, 5] = v[20, 20, :3] = v[3:5, 7, 7] = np.inf
        v[12:15, 9, 9] = -np.inf
        v[7, 8, 2] = -np.inf
        v[30, 8, 2] = np.inf
        put(f, "V", v, axes, chunks)
        put(f, "S", (np.arange(3000) % 1000 / 1000).astype(np.float32), [], (1000,))
        i = rng.integers(-300, 301, size=shape).astype(np.int32)
        i[rng.random(shape) < 0.1] = -1000
        put(f, "I", i, axes, chunks, np.int32(-1000), units="m")
        big = rng.integers(2**60, 2**62, size=shape)
        big.ravel()[:4] = [2**53 + 1, -(2**63), 2**63 - 1,
                           2**60 + 2**36 + 1]  # by way of double half as far
        put(f, "L", big, axes, chunks, np.int64(-2**62 - 1))
        p = rng.integers(-1000, 1000, size=shape).astype(np.int16)
        p[rng.random(shape) < 0.1] = -32768
        put(f, "P", p, axes, chunks, np.int16(-32768), units="K",
            scale_factor=np.float32(0.25), add_offset=np.float32(100),
            valid_range=np.array([-1000, 1000], np.int16))
        x = rng.normal(size=shape) * 100
        x.ravel()[:16] = [0.5, 1.5, 2.5, -0.5, -1.5, 127.4, 127.5, 254.5, 255.5, -128.5,
                          -128.6, 1e300, -1e300, np.inf, -np.inf, np.nan]
        put(f, "X", x, axes, chunks)
        # Edges of bins, and the numbers next to them.
        edges = np.linspace(0.1, 0.7, 601)
        put(f, "G", np.concatenate([edges, np.nextafter(edges, 0), np.nextafter(edges, 1)]),
            [], (100,))
        # A raster in metres, row by row from north to south.
        y = scale(f, "y", 5000.0 - 30 * np.arange(90), units="m")
        e = scale(f, "x", 1000.0 + 25 * np.arange(130), units="m")
        z = 300 * np.sin(np.arange(90)[:, None] / 9) * np.cos(np.arange(130) / 7)
        z[40, 50] = FILL
        put(f, "Z", z.astype(np.float32), [y, e], (20, 33), np.float32(FILL), units="m")


# --- reading ---------------------------------------------------------------------------


def values(name, dataset):
    """As float64, unpacked, missing ones NaN."""
    with h5py.File(name, "r") as f:
        d = f[dataset]
        raw = d[()]
        v = raw.astype(np.float64)
        v = v * np.ravel(d.attrs.get("scale_factor", 1))[0] \
            + np.ravel(d.attrs.get("add_offset", 0))[0]
        if "_FillValue" in d.attrs:
            v = np.where(raw == np.ravel(d.attrs["_FillValue"])[0], np.nan, v)
    return v


def stored(name, dataset):
    with h5py.File(name, "r") as f:
        return f[dataset][()]


def fail(what):
    sys.exit(f"{' '.join(sys.argv[1:])}: {what}")


def same(what, got, want, relative=0.0, absolute=0.0):
    """Missing in the same places, elsewhere within the limits.  Says how near."""
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    if got.shape != want.shape:
        fail(f"{what}: shape {got.shape}, not {want.shape}")
    if not np.array_equal(np.isnan(got), np.isnan(want)):
        fail(f"{what}: {np.count_nonzero(np.isnan(got) != np.isnan(want))} values are "
             "missing in one alone")
    there = ~np.isnan(want)
    if not there.any():
        fail(f"{what}: nothing to compare")
    endless = np.isinf(got) | np.isinf(want)
    if not np.array_equal(got[endless], want[endless]):
        fail(f"{what}: infinite in one alone")
    there &= ~endless
    if not there.any():
        return
    with np.errstate(invalid="ignore"):
        apart = np.where(got[there] == want[there], 0, np.abs(got[there] - want[there]))
        limit = absolute + relative * np.abs(want[there])
        worst = np.max(apart / np.maximum(np.abs(want[there]), 1e-300))
    print(f"{what}: {there.sum()} values, {np.count_nonzero(~there)} missing, relative "
          f"{worst:.3g}, absolute {apart.max():.3g}")
    if not np.all(apart <= limit):
        fail(f"{what}: {np.count_nonzero(~(apart <= limit))} of {there.sum()} differ, "
             f"by up to {apart.max():.17g}")


# --- the cases -------------------------------------------------------------------------


def axes_of(key):
    return {"all": None, "time": 0, "lat, lon": (1, 2), "lat": 1, "lon, time": (0, 2)}[key]


def minmax(source, result, dataset, axes="all", ddof="0"):
    x, over, single = values(source, dataset), axes_of(axes), 0.0
    count = np.sum(~np.isnan(x), axis=over)
    with np.errstate(all="ignore"):
        mean = np.sum(np.where(np.isnan(x), 0, x), axis=over, keepdims=True) \
            / np.sum(~np.isnan(x), axis=over, keepdims=True)
        d = x - mean
        mean2 = np.squeeze(mean) + np.nansum(d, axis=over) / count
        std = np.sqrt(np.nansum(d * d, axis=over) / np.where(count > int(ddof),
                                                             count - int(ddof), np.nan))
        low = np.min(np.where(np.isnan(x), np.inf, x), axis=over)
        high = np.max(np.where(np.isnan(x), -np.inf, x), axis=over)
        endless = np.isinf(x).any(axis=over)
        mean2 = np.where(endless, np.squeeze(mean), mean2)
        std = np.where(endless, np.nan, std)
    none = count == 0
    if stored(result, "mean").dtype == np.float32:
        single = 2.0**-24
    same("count", stored(result, "count"), count)
    same("min", values(result, "min"), np.where(none, np.nan, low), single)
    same("max", values(result, "max"), np.where(none, np.nan, high), single)
    same("mean", values(result, "mean"), np.where(none, np.nan, mean2), single + 1e-14,
         single * 1e-3 + 1e-14 * np.max(np.abs(x[np.isfinite(x)])))
    same("std", values(result, "std"), np.where(none, np.nan, std), single + 1e-9)


def correlate(source, result, a, b, axes="all", min_pairs="2"):
    x, y, over = values(source, a), values(source, b), axes_of(axes)
    both = ~np.isnan(x) & ~np.isnan(y)
    n = both.sum(axis=over)
    x, y = np.where(both, x, np.nan), np.where(both, y, np.nan)
    with np.errstate(all="ignore"):
        dx = x - np.nansum(x, axis=over, keepdims=True) / both.sum(axis=over, keepdims=True)
        dy = y - np.nansum(y, axis=over, keepdims=True) / both.sum(axis=over, keepdims=True)
        r = np.nansum(dx * dy, axis=over) / np.sqrt(
            np.nansum(dx * dx, axis=over) * np.nansum(dy * dy, axis=over))
    r = np.where(n >= int(min_pairs), r, np.nan)
    same("n", stored(result, "n"), n)
    if {a, b} & {"C", "C1"}:
        if not np.isnan(values(result, "r")).all():
            fail("r of a constant is not missing")
        return
    same("r", values(result, "r"), r, 1e-9, 1e-9)


def histogram(source, result, dataset, low, high, bins="10", outside="ignore",
              axes="all"):
    x, low, high, bins = values(source, dataset), float(low), float(high), int(bins)
    edges = np.linspace(low, high, bins + 1)
    over = axes_of(axes)
    raw = stored(source, dataset).dtype  # numpy's edges are of the type of the values
    if raw in (np.float32, np.int16):
        x, low, high = x.astype(np.float32), np.float32(low), np.float32(high)

    def count(row):
        row = row[~np.isnan(row)]
        c = np.histogram(row, bins=bins, range=(float(low), float(high)))[0]
        under, beyond = np.sum(row < low), np.sum(row > high)
        if outside == "ends":
            c[0] += under
            c[-1] += beyond
        return np.concatenate([[under], c, [beyond]]) if outside == "bins" else c

    if over is None:
        want = count(x.ravel())
    else:
        gone = (over,) if isinstance(over, int) else over
        kept = [i for i in range(3) if i not in gone]
        rows = np.transpose(x, kept + list(gone)).reshape(
            [x.shape[i] for i in kept] + [-1])
        want = np.apply_along_axis(count, -1, rows)
    same("counts", stored(result, "counts"), want)
    centres = (edges[1:] + edges[:-1]) / 2
    if outside == "bins":
        width = (high - low) / bins
        centres = np.concatenate([[low - width / 2], centres, [high + width / 2]])
    same("bin", stored(result, "bin"), centres, 1e-12, 1e-12)


def regrid(source, result, dataset, factors, weights="none", min_valid="0"):
    x = values(source, dataset)
    factors = [int(n) for n in factors.split(",")]
    with h5py.File(source, "r") as f:
        axes = [d[0][()].astype(np.float64) for d in f[dataset].dims]
        names = [d[0].name for d in f[dataset].dims]
        units = [d[0].attrs.get("units", b"") for d in f[dataset].dims]
    w = np.ones(x.shape)
    if weights == "cos":
        (lat,) = [i for i, unit in enumerate(units) if b"north" in unit.lower()
                  or b"_n" in unit.lower()]
        form = [1] * x.ndim
        form[lat] = -1
        w = w * np.maximum(np.cos(np.deg2rad(axes[lat])), 0).reshape(form)
    there = ~np.isnan(x)
    total, valid, sums = w, w * there, w * np.where(there, x, 0)
    for i, factor in enumerate(factors):
        starts = np.arange(0, x.shape[i], factor)
        total, valid, sums = (np.add.reduceat(v, starts, axis=i)
                              for v in (total, valid, sums))
        length = np.diff(np.append(starts, x.shape[i]))
        same(names[i], stored(result, names[i]),
             np.add.reduceat(axes[i], starts) / length, 1e-12, 1e-9)
    with np.errstate(all="ignore"):
        mean = np.where((valid > 0) & (valid >= float(min_valid) * total * (1 - 1e-12)),
                        sums / valid, np.nan)
    single = 2.0**-24 if stored(result, "mean").dtype == np.float32 else 0
    same("mean", values(result, "mean"), mean, single + 1e-12, single * 1e-2)


def hillshade(source, result, dataset, altitude="45", azimuth="315", z_factor="1",
              edges="lat"):
    """By normal vectors and angles between them, not by the kernel's formula."""
    z = values(source, dataset) * float(z_factor)
    sphere = edges == "lat"
    with h5py.File(source, "r") as f:
        y, x = [d[0][()].astype(np.float64) for d in f[dataset].dims][-2:]
    padded = np.pad(z, 1, mode="edge")
    if sphere:  # a circle of longitudes
        padded[:, 0], padded[:, -1] = padded[:, -2], padded[:, 1]
        x = np.concatenate([x[-1:] - 360, x, x[:1] + 360])
        radius = 6371000 * np.pi / 180
        cosine = np.cos(np.deg2rad(y))
    else:
        radius, cosine = 1, np.ones(y.size)
        if edges == "wrap":  # the last column has the first one as its neighbour
            padded[:, 0], padded[:, -1] = padded[:, -2], padded[:, 1]
            step = x[1] - x[0]
            x = np.concatenate([x[:1] - step, x, x[-1:] + step])
        else:
            x = np.pad(x, 1, mode="edge")
    y = np.pad(y, 1, mode="edge")
    dx = radius * (x[2:] - x[:-2])[None, :] * cosine[:, None]
    dy = radius * (y[2:] - y[:-2])[:, None]
    smooth = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    with np.errstate(all="ignore"):
        p = (smooth[:, 2:] - smooth[:, :-2]) / 4 / dx
    smooth = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    q = (smooth[2:] - smooth[:-2]) / 4 / dy
    pole = np.abs(np.abs(y[1:-1]) - 90) < 1e-4 if sphere else np.zeros(y.size - 2, bool)
    p = np.where(pole[:, None], 0 * smooth[1:-1], p)
    zenith, azimuth = np.deg2rad(90 - float(altitude)), np.deg2rad(float(azimuth))
    slope = np.arctan(np.hypot(p, q))
    aspect = np.arctan2(-p, -q)  # where it goes down, clockwise from north
    shade = 255 * (np.cos(zenith) * np.cos(slope)
                   + np.sin(zenith) * np.sin(slope) * np.cos(azimuth - aspect))
    shade = np.where(np.isnan(z), np.nan, np.maximum(shade, 0))
    same("shade", values(result, "shade"), shade, 2.0**-22, 1e-5)


ROUND = {"nearest": np.rint, "zero": np.trunc, "down": np.floor, "up": np.ceil}


def cast(source, result, dataset, type, outside, rounding="nearest"):
    """In whole Python numbers and float64: exact for all that are compared, which are
    the first ones and some of the others."""
    with h5py.File(source, "r") as f:
        fill = f[dataset].attrs.get("_FillValue")
    x, y = stored(source, dataset), stored(result, "y")
    if y.dtype != np.dtype(type):
        fail(f"type {y.dtype}")
    with h5py.File(result, "r") as f:
        missing_value = np.ravel(f["y"].attrs["_FillValue"])[0]
    missing = np.zeros(x.shape, bool) if fill is None else x == fill[0]
    if x.dtype.kind == "f":
        missing |= np.isnan(x)
    n_beyond = 0
    some = np.unique(np.concatenate([np.arange(2000), np.arange(0, x.size, 29)]))
    for a, gone, b in zip(x.ravel()[some], missing.ravel()[some], y.ravel()[some]):
        if gone:
            if not (b == missing_value or np.isnan(b)):
                fail(f"missing became {b!r}")
            continue
        if np.dtype(type).kind == "f":
            with np.errstate(all="ignore"):
                want = np.dtype(type).type(a)
            beyond = np.isfinite(float(a)) and not np.isfinite(want)
            limit = np.sign(float(a)) * np.finfo(type).max
        else:
            low, high = np.iinfo(type).min, np.iinfo(type).max
            a = int(a) if x.dtype.kind in "iu" else float(ROUND[rounding](a))
            beyond = not low <= a <= high
            limit = low if a < low else high
            want = a if beyond else int(a)
        if beyond:
            n_beyond += 1
            want = limit if outside == "clamp" else missing_value
        if not b == want:
            fail(f"{a!r} became {b!r}, not {want!r}")
    print(f"{type}: {some.size} of {x.size} values, {n_beyond} out of range")


def recompress(source, result, *names, chunks="", deflate="", shuffle=""):
    """The bits, the type, the fill value and all attributes of a dataset."""
    for name in names:
        with h5py.File(source, "r") as f, h5py.File(result, "r") as g:
            a, b = f[name], g[name]
            if a[()].astype(a.dtype.newbyteorder("<")).tobytes() != b[()].tobytes():
                fail(f"{name}: other bits")
            if a.dtype.newbyteorder("=") != b.dtype.newbyteorder("="):
                fail(f"{name}: type {b.dtype}, not {a.dtype}")
            if not np.array_equal(a.fillvalue, b.fillvalue, equal_nan=True):
                fail(f"{name}: fill value {b.fillvalue}, not {a.fillvalue}")
            skipped = {"DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME",
                       "_Netcdf4Dimid", "_Netcdf4Coordinates", "h5swim_job"}
            for key in sorted((set(a.attrs) | set(b.attrs)) - skipped):
                if key not in b.attrs or key not in a.attrs:
                    fail(f"{name}: attribute {key} is in one alone")
                x, y = a.attrs[key], b.attrs[key]
                if np.ravel(x).tobytes() != np.ravel(y).tobytes() and x != y:
                    fail(f"{name}: attribute {key} is {y!r}, not {x!r}")
            if chunks and b.chunks != tuple(int(n) for n in chunks.split(",")):
                fail(f"{name}: chunks {b.chunks}")
            if deflate and b.compression_opts != int(deflate):
                fail(f"{name}: deflate {b.compression_opts}")
            if shuffle and b.shuffle != (shuffle == "yes"):
                fail(f"{name}: shuffle {b.shuffle}")
            print(f"{name}: {a.size} values, the same bits, {b.chunks}, "
                  f"{b.compression_opts}")


def main():
    if sys.argv[1] == "make":
        make(sys.argv[2])
        return
    case, source, result = sys.argv[1:4]
    plain = [a for a in sys.argv[4:] if "=" not in a]
    keys = dict(a.split("=", 1) for a in sys.argv[4:] if "=" in a)
    globals()[case](source, result, *plain, **keys)


main()
