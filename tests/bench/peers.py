"""peers.py TOOL WORK IN OUT PROCESSES - a job as users of Python's tools write it.

TOOL: h5py (with multiprocessing: workers read and compute, their parent writes) or dask
(xarray over it).  WORK: wind_speed, or linear (2 x + 1 of a contiguous dataset).
"""
import multiprocessing
import sys

import h5py
import numpy as np

ROWS = 12  # at once, and as many as a chunk has
ROWS_RAW = 256


def read_speed(task):
    name, first, last = task
    with h5py.File(name, "r") as f:
        u, v = f["UWND"][first:last], f["VWND"][first:last]
        fill = np.float32(f["UWND"].fillvalue)
    return first, np.where((u == fill) | (v == fill), fill, np.sqrt(u * u + v * v))


def read_linear(task):
    name, first, last = task
    with h5py.File(name, "r") as f:
        return first, np.float32(2) * f["X"][first:last] + np.float32(1)


WORKS = {"wind_speed": (read_speed, "UWND", "WSPD", ROWS), "linear": (read_linear, "X", "Y", ROWS_RAW)}


def by_h5py(work, source, out, processes):
    compute, name, made, rows = WORKS[work]
    with multiprocessing.Pool(processes) as pool, h5py.File(out, "w") as to:
        with h5py.File(source, "r") as f:
            like = f[name]
            n = like.shape[0]
            more = {"chunks": like.chunks, "shuffle": True, "compression": "gzip",
                    "compression_opts": 1, "fillvalue": like.fillvalue} if like.chunks else {}
            d = to.create_dataset(made, like.shape, "f4", **more)
        tasks = [(source, k, min(k + rows, n)) for k in range(0, n, rows)]
        for first, part in pool.imap_unordered(compute, tasks):
            d[first:first + len(part)] = part


def by_dask(work, source, out, processes):
    import dask
    import xarray

    if work != "wind_speed":
        sys.exit(f"peers.py: dask does no {work}")
    with dask.config.set(scheduler="threads", num_workers=processes), \
            xarray.open_dataset(source, chunks={"TIME": ROWS}, decode_times=False) as f:
        encoding = {k: f["UWND"].encoding[k] for k in ("chunksizes", "_FillValue")}
        encoding.update(zlib=True, complevel=1, shuffle=True, dtype="float32")
        speed = np.sqrt(f["UWND"] ** 2 + f["VWND"] ** 2).astype("float32")
        speed.to_dataset(name="WSPD").to_netcdf(out, encoding={"WSPD": encoding})


def main():
    tool, work, source, out, processes = sys.argv[1:]
    {"h5py": by_h5py, "dask": by_dask}[tool](work, source, out, int(processes))


if __name__ == "__main__":
    main()
