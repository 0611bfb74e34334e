"""bench_measure.py - how tests/bench/run measures a process and compares what it made."""
import os
import re
import resource
import subprocess
import time

import h5py
import numpy as np

SLAB_BYTES = 256 << 20
READ_BYTES = 16 << 20


def timed(command):
    """When it began, and how long it took."""
    begin = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - begin
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(command)}: status {done.returncode}: {done.stderr}")
    return begin, seconds


def cache(name):
    with open(name, "rb", buffering=0) as f:
        while f.read(READ_BYTES):
            pass


def forget(name):
    """None of it is in memory; what is not on the disk yet would stay there."""
    fd = os.open(name, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def remove(name):
    if os.path.exists(name):
        os.remove(name)


class Usage:
    """Of processor time: what processes of ours that have ended took, and all others."""

    def __init__(self):
        with open("/proc/stat") as f:
            user, nice, system, _, _, irq, softirq, steal = map(int, f.readline().split()[1:9])
        busy = user + nice + system + irq + softirq + steal
        self.busy = busy / os.sysconf("SC_CLK_TCK")
        ours = resource.getrusage(resource.RUSAGE_CHILDREN)
        own = resource.getrusage(resource.RUSAGE_SELF)
        self.cpu = ours.ru_utime + ours.ru_stime
        self.all_ours = self.cpu + own.ru_utime + own.ru_stime


def synced_run(command, out, source, before=cache):
    """Seconds from start to end, its output synced: those that have not done it find work
    to do, for the others it is nothing.  Nothing else waits to be written meanwhile.
    before(source) comes first: cache or forget.  Then the seconds of processor time that
    it took, and that others took beside it."""
    remove(out)
    before(source)
    os.sync()
    was = Usage()
    begin, _ = timed(command)
    fd = os.open(out, os.O_RDWR)
    os.fsync(fd)
    seconds = time.monotonic() - begin
    os.close(fd)
    after = Usage()
    others = after.busy - was.busy - (after.all_ours - was.all_ours)
    return seconds, after.cpu - was.cpu, max(0.0, others)


# --- memory

def children(pid):
    """It and all that descend from it."""
    found = []
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{p}/stat") as f:
                found.append((int(f.read().rsplit(")", 1)[1].split()[1]), int(p)))
        except OSError:
            pass  # it has ended
    tree = [pid]
    for p in tree:
        tree += [child for parent, child in found if parent == p]
    return tree


def kib_of(pid, file):
    try:
        with open(f"/proc/{pid}/{file}") as f:
            return {k: int(v) for k, v in re.findall(r"^(\w+):\s+(\d+) kB", f.read(), re.M)}
    except OSError:
        return {}


def memory_of_run(command, out):
    """Bytes at most, what processes share counted once: their own memory, what they share
    without a file, the program.  And the sum of what each had at most, VmHWM."""
    remove(out)
    p = subprocess.Popen(command)
    most, high = 0, {}
    while p.poll() is None:
        tree = children(p.pid)[1:]  # without the command itself: launchers need none
        seen = [kib_of(pid, "smaps_rollup") for pid in tree]
        status = {pid: kib_of(pid, "status") for pid in tree}
        own = sum(s.get("Pss_Anon", 0) + s.get("Pss_Shmem", 0) for s in seen)
        most = max(most, own)
        high.update({pid: s["VmHWM"] for pid, s in status.items() if "VmHWM" in s})
        time.sleep(0.01)
    if p.returncode:
        raise SystemExit(f"bench: {' '.join(command)}: status {p.returncode}")
    return most * 1024, sum(high.values()) * 1024


# --- results

def missing(values, dataset):
    gone = np.isnan(values)
    if dataset.fillvalue != 0:
        gone |= values == dataset.fillvalue
    for attribute in ("_FillValue", "missing_value"):
        if attribute in dataset.attrs:
            gone |= values == np.ravel(dataset.attrs[attribute])[0].astype(values.dtype)
    return gone


def ordered(values):
    """float32 as integers in which neighbours differ by 1."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def slab_differs(a, b, one, other, ulps):
    """ulps 0: the bits.  Else missing values, of which each file has its own, are in the
    same places, and others as far apart at most."""
    if ulps == 0:
        n = np.count_nonzero(a.view(np.uint32) != b.view(np.uint32))
        return f"{n} values differ" if n else ""
    gone = missing(a, one)
    n = np.count_nonzero(gone != missing(b, other))
    if n:
        return f"{n} values are missing in one alone"
    apart = np.abs(ordered(a) - ordered(b))[~gone]
    if apart.size and apart.max() > ulps:
        return f"{np.count_nonzero(apart > ulps)} values are more than {ulps} ulp apart"
    return ""


def same_values(one_name, other_name, name, ulps):
    """"" or what differs between two files' datasets of that name."""
    with h5py.File(one_name, "r") as f, h5py.File(other_name, "r") as g:
        one, other = f[name], g[name]
        if one.shape != other.shape or one.dtype != np.float32 or other.dtype != np.float32:
            return f"{one.shape} {one.dtype} and {other.shape} {other.dtype}"
        row = 4 * int(np.prod(one.shape[1:]))
        step = max(1, SLAB_BYTES // row)
        if one.chunks:
            step = -(-step // one.chunks[0]) * one.chunks[0]
        for first in range(0, one.shape[0], step):
            why = slab_differs(one[first:first + step], other[first:first + step], one, other, ulps)
            if why:
                return f"{why} in the rows from {first} on"
    return ""
