"""chain_check.py H5SWIM KERNELS fixed|SEED N

Run chains of kernels in one job, and the same kernels one after the other with a file
in between, in the working directory: outputs must be the same to the last bit, with the
same attributes and coordinates.  fixed: a list of chains without its first N; else N random
ones.  Exit status: 0 all the same, 1 not.
"""
import json
import random
import subprocess
import sys

import h5py
import numpy as np

H5SWIM, KERNELS = sys.argv[1:3]
MODES = ["nearest", "reflect", "wrap", "constant"]
PORTS = {  # inputs, outputs
    "step": ("x", "y"), "around": ("x", "y"), "along": ("x", ("y", "n")),
    "pair": ("a", ("twice", "positive")), "differ": (("positive", "twice"), "y"),
    "beside": (("positive", "twice"), "y"),
    "total": ("x", "sum"), "find": ("x", ("place", "pair")),
    "wind_speed": (("u", "v"), "speed"), "rolling_mean": ("x", "mean"),
    "slope": ("height", "slope"), "regrid": ("x", "mean"),
    "threshold": ("x", ("index", "coordinate", "value")),
    "minmax_mean_std": ("x", ("min", "max", "mean", "std", "count")),
    "climatology": ("x", "mean"),
}
OURS = ("step", "around", "along", "pair", "differ", "beside", "total", "find")


def make_data():
    """plain.h5 without coordinates, field.nc with them; holes, packed and whole numbers."""
    r = np.random.default_rng(5)
    with h5py.File("plain.h5", "w") as f:
        x = r.integers(-50, 50, (23, 17)).astype("f8")
        x[r.random(x.shape) < 0.1] = np.nan
        f.create_dataset("F", data=x, chunks=(5, 4))
        d = f.create_dataset("I", data=r.integers(-90, 90, (23, 17)).astype("i2"), chunks=(4, 6))
        d[3, 5:9] = d[22, 16] = d[0, 0] = -99
        d.attrs["_FillValue"] = np.int16(-99)
        d = f.create_dataset("P", data=r.integers(-90, 90, (23, 17)).astype("i2"), chunks=(23, 3))
        d[7, 2:5] = -99
        d.attrs.update(_FillValue=np.int16(-99), scale_factor=0.25, add_offset=3.0)
        f.create_dataset("CONTIGUOUS", data=r.integers(-50, 50, (23, 17)).astype("f4"))
        f.create_dataset("CUBE", data=r.integers(-50, 50, (21, 13, 11)).astype("f8"), chunks=(4, 5, 3))
        f.create_dataset("SCALAR", data=4.0)
    with h5py.File("field.nc", "w") as f:
        time = f.create_dataset("time", data=np.arange(30) * 730.5 + 1e6)
        time.attrs.update(units=np.bytes_("hours since 1900-01-01 00:00:00"),
                          calendar=np.bytes_("standard"), standard_name=np.bytes_("time"))
        lat = f.create_dataset("lat", data=np.linspace(-60, 60, 9))
        lat.attrs["units"] = np.bytes_("degrees_north")
        lon = f.create_dataset("lon", data=np.arange(12) * 30.0)
        lon.attrs["units"] = np.bytes_("degrees_east")
        for scale, name in ((time, "time"), (lat, "lat"), (lon, "lon")):
            scale.make_scale(name)
        for name in "uv":
            x = r.normal(10, 8, (30, 9, 12)).astype("f4")
            x[r.random(x.shape) < 0.1] = -99
            d = f.create_dataset(name, data=x, chunks=(7, 4, 5), compression=1, shuffle=True)
            d.attrs.update(units=np.bytes_("m s-1"), long_name=np.bytes_("wind"),
                           _FillValue=np.float32(-99), missing_value=np.float32(-99))
            for i, scale in enumerate((time, lat, lon)):
                d.dims[i].attach_scale(scale)


def ports(kernel, which):
    names = PORTS[kernel][which]
    return (names,) if isinstance(names, str) else names


def path(kernel):
    return f"{KERNELS}/{kernel}.c" if kernel in OURS else kernel


def run(job, *options):
    with open("job.yaml", "w") as f:
        json.dump(job, f)
    done = subprocess.run([H5SWIM, "run", "job.yaml", "--quiet", "--overwrite", *options],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{json.dumps(job)}: status {done.returncode}: {done.stdout}")


def outputs(kernel, file, more):
    return {p: {"file": file, "dataset": p, **more} for p in ports(kernel, 1)}


def names(before, kernel):
    """Which output of the kernel before each input is."""
    given, wanted = ports(before, 1), ports(kernel, 0)
    return dict(zip(wanted, wanted if set(given) == set(wanted) else given))


def hides(job, file):
    """Whether a number in the file is, by chance, the one that stands for none in it."""
    with h5py.File(file) as f:
        small = {p: f[p][()] == f[p].attrs["_FillValue"] for p in job["outputs"]
                 if f[p].dtype.kind == "f" and abs(f[p].attrs["_FillValue"]) < 1e30}
    if not small:
        return False
    run({**job, "outputs": {p: {**o, "file": "probe.h5", "fill": 1e35} for p, o in job["outputs"].items()}})
    with h5py.File("probe.h5") as f:
        return any(np.any(small[p] & (f[p][()] < 1e34)) for p in small)


def one_by_one(case):
    """Each kernel in a job of its own; False: a file in between could not hold it."""
    inputs = case["inputs"]
    for i, stage in enumerate(case["kernels"]):
        last = i == len(case["kernels"]) - 1
        file = "two.h5" if last else f"between{i}.h5"
        job = {**stage, "kernel": path(stage["kernel"]), "inputs": inputs,
               "outputs": outputs(stage["kernel"], file, case.get("output", {}) if last else {})}
        if last and "block" in case:
            job["block"] = case["block"]
        run(job)
        if not last and hides(job, file):
            return False
        if not last:
            pairs = names(stage["kernel"], case["kernels"][i + 1]["kernel"])
            inputs = {p: {"file": file, "dataset": d} for p, d in pairs.items()}
    return True


def chain(case):
    kernels = [{**s, "kernel": path(s["kernel"])} for s in case["kernels"]]
    job = {"kernels": kernels, "inputs": case["inputs"],
           "outputs": outputs(case["kernels"][-1]["kernel"], "one.h5", case.get("output", {}))}
    if "block" in case:
        job["block"] = case["block"]
    run(job, *case.get("options", []))


def attributes(d):
    return {k: (v.tobytes() if hasattr(v, "tobytes") else v) for k, v in d.attrs.items()
            if k not in ("DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Dimid", "_Netcdf4Coordinates", "h5swim_job")}


def compare(case):
    with h5py.File("one.h5") as a, h5py.File("two.h5") as b:
        for name in ports(case["kernels"][-1]["kernel"], 1):
            x, y = a[name], b[name]
            if x.dtype != y.dtype or x.shape != y.shape or x[()].tobytes() != y[()].tobytes():
                n = np.count_nonzero(x[()] != y[()]) if x.shape == y.shape else "all"
                sys.exit(f"{json.dumps(case)}: {name}: {n} of {x.size} differ, {x.dtype} {y.dtype}, "
                         f"{np.argwhere(x[()] != y[()])[:3].tolist() if x.shape == y.shape else x.shape}")
            if attributes(x) != attributes(y):
                sys.exit(f"{json.dumps(case)}: {name}: attributes {attributes(x)} and {attributes(y)}")
            for i in range(x.ndim):
                s, t = [[(k, v[()].tobytes(), attributes(v)) for k, v in d.dims[i].items()] for d in (x, y)]
                if s != t:
                    sys.exit(f"{json.dumps(case)}: {name}: axis {i} is {s} and {t}")
        if np.isfinite(x[()]).sum() == 0:
            sys.exit(f"{json.dumps(case)}: nothing to compare")


def step(type, **params):
    return {"kernel": "step", "params": {"type": type, **params}}


def around(lo0, hi0, lo1, hi1, e0, e1):
    return {"kernel": "around", "params": {"lo0": lo0, "hi0": hi0, "lo1": lo1, "hi1": hi1},
            "edges": {"dim_0": e0, "dim_1": e1}}


def field(*kernels, ports="x", dataset="u", **more):
    return {"kernels": list(kernels), **more,
            "inputs": {p: {"file": "field.nc", "dataset": q} for p, q in zip(ports, dataset)}}


def plain(*kernels, dataset="F", port="x", **more):
    return {"kernels": list(kernels), **more, "inputs": {port: {"file": "plain.h5", "dataset": dataset}}}


def fixed():
    two = ["-n", "2"]
    wind = {"kernel": "wind_speed"}
    mean = {"kernel": "rolling_mean", "params": {"length": 5}, "edges": {"time": "reflect"}}
    # Each edge mode of one kernel with each of the other, on one axis or the other.
    for i, a in enumerate(MODES):
        for k, b in enumerate(MODES[i:] + MODES[:i]):
            if k < 2:
                yield plain(around(2, 1, 1, 2, a, b), around(1, 3, 2, 1, b, a), block=[10 - i, 8 + k],
                            options=two if k else [])
        yield plain(step("float64"), around(3, 2, 5, 1, a, MODES[i - 1]), around(1, 1, 1, 1, MODES[i - 2], a),
                    block=[5, 4])
    # Wider than chunks and than the dataset.
    yield plain(around(30, 0, 0, 2, "wrap", "reflect"), around(0, 30, 41, 2, "reflect", "wrap"), block=[10, 8], options=two)
    yield plain(step("float32"), around(24, 70, 18, 0, "reflect", "constant"), around(2, 0, 9, 20, "wrap", "nearest"),
                block=[3, 17])
    # Types: missing values of integers and floats, both ways.
    for a, b in ("float32", "int32"), ("int16", "float32"), ("uint8", "float64"), ("int64", "int32"):
        yield plain(step(a, place=0.37), step(b, place=0.37), around(1, 1, 1, 1, "wrap", "constant"), dataset="I")
        yield plain(step(a, scale=0.2, place=0), {"kernel": "pair"}, {"kernel": "differ"}, step(b), dataset="F")
        yield plain(step(a, place=0.37), step(b, scale=-1), dataset="P", output={"fill": -1} if b != "uint8" else {})
    yield plain(step("int16", units="furlong"), step("float64"), dataset="I")
    yield plain(step("int64", place=0.37), step("float32"), around(1, 1, 1, 1, "wrap", "nearest"), dataset="P")
    yield plain({"kernel": "pair"}, {"kernel": "differ"}, dataset="I", port="a", options=two)
    yield plain({"kernel": "pair"}, wind, dataset="I", port="a")
    for a, b in ("reflect", "wrap"), ("constant", "reflect"):
        yield plain({"kernel": "pair"}, {"kernel": "beside", "edges": {"dim_0": a, "dim_1": b}}, dataset="I", port="a",
                    block=[4, 5])
    yield plain(step("float64"), step("float64"), dataset="CONTIGUOUS", block=[7, 5])
    yield plain(*[step("float64", scale=0.5) for _ in range(16)], block=[10, 10])
    # All kinds behind maps and stencils, from one file and from two.
    near = {"kernel": "slope", "edges": {"lat": "nearest", "lon": "wrap"}}
    yield field(wind, mean, ports="uv", dataset="uv", options=two, block=[6, 4, 5])
    yield field(step("float32", units="K"), {**mean, "params": {"length": 4, "step": 3}, "edges": {"time": "none"}})
    yield field(wind, {"kernel": "regrid", "params": {"factor": "lat=2, lon=3"}}, ports="uv", dataset="uv", options=two)
    yield field(wind, near, {"kernel": "regrid", "params": {"factor": "2"}}, ports="uv", dataset="uv")
    yield field(near, {"kernel": "minmax_mean_std", "params": {"axes": "lon, time"}}, ports=["height"], block=[5, 4, 12])
    yield field(wind, near, {"kernel": "threshold", "params": {"value": 1e-6}}, ports="uv", dataset="uv",
                block=[7, 4, 5], options=two)
    yield plain(step("float64"), {"kernel": "find"}, dataset="CUBE", block=[4, 13, 11])
    for axis in 0, 1, 2:
        yield plain(step("int32"), {"kernel": "along", "params": {"axis": axis, "lo": 2, "hi": 3, "step": 2},
                                    "edges": {f"dim_{axis}": (MODES + ["none"])[2 * axis]}},
                    dataset="CUBE", options=two, block=[2, 3, 4])
        yield plain(step("float32"), {"kernel": "along", "params": {"axis": axis, "lo": -1, "hi": -1, "step": 1}},
                    dataset="CUBE", block=[4, 5, 6])
        yield plain(step("float64"), {"kernel": "total", "params": {"keep": axis}}, dataset="CUBE")
    yield plain(around(1, 1, 2, 2, "wrap", "reflect"),
                {"kernel": "along", "params": {"axis": 1, "lo": 20, "hi": 3, "step": 5}, "edges": {"dim_1": "wrap"}})
    yield plain(around(4, 1, 2, 20, "wrap", "reflect"), {"kernel": "total"}, block=[6, 17])
    yield plain(step("float64"), step("float32"), dataset="SCALAR")


def random_case(r):
    def one(kind):
        if kind == "step":
            return step(r.choice(["float32", "float64", "int32", "int16", "int8", "uint8", "int64"]),
                        scale=r.choice([1, -0.5, 0.25, 3]), place=r.choice([0, 1, 0.5]))
        if kind == "around":
            most = r.choice([1, 3, 3, 30])
            halo = [r.choice([0, r.randint(0, most)]) for _ in range(4)]
            return around(*halo, r.choice(MODES), r.choice(MODES))
        if kind == "along":
            axis = r.randrange(2)
            whole = r.random() < 0.2
            lo, hi = (-1, -1) if whole else (r.randint(0, 8), r.randint(0, 8))
            return {"kernel": "along", "edges": {f"dim_{axis}": r.choice(MODES + ["none"])},
                    "params": {"axis": axis, "lo": lo, "hi": hi, "step": 1 if whole else r.randint(1, 6)}}
        return {"kernel": "total", "params": {"keep": r.choice([-1, 0, 1])}}

    kernels = [one(r.choice(["step", "around"])) for _ in range(r.randint(1, 3))]
    kernels.append(one(r.choice(["step", "around", "around", "along", "along", "total"])))
    case = plain(*kernels, dataset=r.choice(["F", "I", "P", "CONTIGUOUS"]))
    if kernels[-1]["kernel"] == "total" or r.random() < 0.7:
        case["block"] = [r.randint(1, 23), r.randint(1, 17)]
    case["options"] = r.choice([[], ["-n", "2"], ["--readers", "3"]])
    if r.random() < 0.3 and kernels[-1]["kernel"] in ("step", "around"):
        case["output"] = {"chunks": [r.randint(1, 23), r.randint(1, 17)]}
    return case


def main():
    make_data()
    r = random.Random(sys.argv[3])
    fix = sys.argv[3] == "fixed"
    cases = list(fixed())[int(sys.argv[4]):] if fix else (random_case(r) for _ in range(int(sys.argv[4])))
    n = 0
    for case in cases:
        if not one_by_one(case):
            if fix:
                sys.exit(f"{json.dumps(case)}: a number is a fill value")
            continue
        chain(case)
        compare(case)
        n += 1
    print(f"{n} chains, each like one job after the other")


main()
