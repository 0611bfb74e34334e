"""bench_data.py - the inputs of tests/bench/run, each made once, in the current folder."""
import os
import shutil
import subprocess
import sys

import h5py
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
SPARE = 1 << 30


def need(what, n_bytes):
    free = shutil.disk_usage(".").free
    if free < n_bytes + SPARE:
        raise SystemExit(f"bench: {what} needs {n_bytes / 1e9:.0f} GB in {os.getcwd()}, of which "
                         f"{free / 1e9:.0f} GB are free: make room, or take a smaller --size")


def made(name, n_bytes, make):
    """n_bytes: of the input and of all outputs that are there at a time, at most."""
    need(name, n_bytes)
    if not os.path.exists(name):
        print(f"making {name}", file=sys.stderr, flush=True)
        part = f"{name}.{os.getpid()}"
        try:
            make(part)
            os.rename(part, name)
        finally:
            if os.path.exists(part):
                os.remove(part)
    return os.path.abspath(name)


def winds_points(finer=4, points=None):
    return points or (73 * finer, 144 * finer)


def winds_months(mb, **grid):
    """So many of both components as have mb megabytes."""
    lat, lon = winds_points(**grid)
    return max(1, round(mb * 1e6 / (2 * 4 * lat * lon)))


def make_winds(name, months, chunks, gzip=1, only=None, **grid):
    """The name of the file, and the shape of a component."""
    shape = (months, *winds_points(**grid))
    command = [sys.executable, HERE + "/make_winds.py", os.environ["BENCH_WINDS"]]
    more = ["--chunks", ",".join(map(str, chunks)), "--gzip", str(gzip)]
    if only:
        more += ["--only", only]
    if "finer" in grid:
        more += ["--finer", str(grid["finer"]), "--points", ",".join(map(str, grid["points"]))]

    def make(part):
        subprocess.run([*command, part, str(months), *more], check=True)

    return made(f"{name}_{months}.nc", 5 * 4 * int(np.prod(shape)), make), shape


RAW_COLUMNS = 16384


def make_raw(mib):
    """A contiguous dataset X, of noise, in rows of 64 KiB."""
    rows = mib * 16

    def make(part):
        noise = np.random.default_rng(1).standard_normal((1024, RAW_COLUMNS), "f4")
        with h5py.File(part, "w") as f:
            x = f.create_dataset("X", (rows, RAW_COLUMNS), "f4")
            for first in range(0, rows, len(noise)):
                x[first:first + len(noise)] = noise[:rows - first] + np.float32(first)

    return made(f"raw_{mib}.h5", 4 * (mib << 20), make)


def make_small_file():
    """One block of a job."""
    def make(part):
        with h5py.File(part, "w") as f:
            f["X"] = np.zeros((1, 64), "f4")

    return made("one_block.h5", 0, make)
