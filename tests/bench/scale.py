"""scale.py SESSIONS BLOCKS JSON [PART...] - tests/bench/scale runs it, in an empty folder."""
import json
import os
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

BUILD, SOURCE = os.environ["SWIM_BUILD"], os.environ["SWIM_SOURCE"]
H5SWIM = BUILD + "/bin/h5swim"
BENCH = BUILD + "/tests/bench_scale"
KERNELS = SOURCE + "/tests/support/kernels"
MPIRUN = ["mpirun", "--oversubscribe", "-n"]
TURNS = 5
MIB = 1 << 20

rows = []


def row(figure, seen, goal, value=None, limit=None):
    """value and limit: the same as numbers, for --json; at most limit is the goal."""
    met = None if limit is None else value <= limit
    rows.append({"figure": figure, "seen": seen, "goal": goal, "value": value,
                 "limit": limit, "met": met})
    print(f"{figure:<46} {seen:<38} {goal}", flush=True)


def run(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(command)}: status {done.returncode}: {done.stderr}")
    return done.stdout


def timed(command):
    begin = time.monotonic()
    run(command)
    return time.monotonic() - begin


def job(name, kernel, inputs, outputs, more=""):
    """A job file: inputs and outputs by port, as text of YAML."""
    ports = [f"{what}: {{{', '.join(f'{p}: {{{t}}}' for p, t in side.items())}}}"
             for what, side in (("inputs", inputs), ("outputs", outputs))]
    with open(name + ".yaml", "w") as f:
        f.write("\n".join([f"kernel: {kernel}", *ports, more, ""]))
    return name + ".yaml"


# --- sessions

def sessions(count):
    out = run([BENCH, "sessions", str(count), "20"])
    seen = {k: float(v) for k, v in (line.split() for line in out.splitlines())}
    name = f"{count:,} sessions"
    if seen["simulated"]:
        name += f" ({seen['simulated']:.0f} by the heartbeat alone)"
    row(name, f"{seen['beats_per_s']:.0f} heartbeats/s", "")
    row("heartbeats: server", f"{seen['server_percent']:.1f} % of a core", "<= 10 % of a core",
        seen["server_percent"], 10)
    row("heartbeats: all clients together", f"{seen['clients_percent']:.1f} %", "")
    row("acquire meanwhile: median", f"{seen['acquire_p50_ms']:.2f} ms", "")
    row("acquire meanwhile: p99, longest",
        f"{seen['acquire_p99_ms']:.2f} ms, {seen['acquire_longest_ms']:.2f} ms", "p99 <= 10 ms",
        seen["acquire_p99_ms"], 10)


# --- blocks

ELEMENTS = 16  # in a block, which is a chunk of the output


def block_job(n):
    with h5py.File(f"in_{n}.h5", "w") as f:
        f.create_dataset("U", (n * ELEMENTS,), "f4", chunks=(min(n, 1000) * ELEMENTS,))
    return job(f"blocks_{n}", SOURCE + "/tests/bench/empty.c", {"u": f"file: in_{n}.h5, dataset: U"},
               {"y": f"file: out_{n}.h5, dataset: Y, chunks: [{ELEMENTS}], filters: {{}}"},
               f"block: [{ELEMENTS}]")


def blocks(n):
    few = 1000
    jobs = {k: block_job(k) for k in (few, n)}
    times = {k: [] for k in jobs}
    plain = []
    for _ in range(3):
        for k, file in jobs.items():
            times[k].append(timed([H5SWIM, "run", file, "--readers", "2", "--quiet", "--overwrite"]))
        plain.append(float(run([BENCH, "chunks", str(n), "plain.h5"]).split()[1]))
    each = (statistics.median(times[n]) - statistics.median(times[few])) / (n - few) * 1e6
    row(f"runtime per block, {n:,} blocks, 2 readers", f"{each:.1f} us", "<= 20 us", each, 20)
    row("the same chunks, H5Dwrite_chunk alone", f"{statistics.median(plain) / n * 1e6:.1f} us", "")


# --- plan

# The most memory of a child counts what its parent had when it was forked: a small one.
PEAK = """import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(pid, 0)
print(used.ru_maxrss)
sys.exit(status != 0)"""


def plan():
    n = 10_000_000
    plan_it = [H5SWIM, "run", block_job(n), "--dry-run", "--json"]
    if json.loads(run(plan_it))["blocks"] != n:
        raise SystemExit(f"bench: {' '.join(plan_it)}: not {n} blocks")
    seconds = statistics.median(timed(plan_it) for _ in range(TURNS))
    peak = max(int(run([sys.executable, "-I", "-S", "-c", PEAK, *plan_it]).split()[-1]) / 1024
               for _ in range(TURNS))
    row(f"plan of {n:,} blocks: time", f"{seconds:.2f} s", "<= 2 s", seconds, 2)
    row(f"plan of {n:,} blocks: memory", f"{peak:.0f} MiB", "<= 64 MiB", peak, 64)


# --- memory

def children(pid):
    """All that descend from it."""
    found = []
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{p}/stat") as f:
                found.append((int(f.read().rsplit(")", 1)[1].split()[1]), int(p)))
        except OSError:
            pass
    tree = [pid]
    for p in tree:
        tree += [child for parent, child in found if parent == p]
    return tree[1:]


def of_files(pid):
    """The program and its libraries, as far as a process has touched them, in KiB."""
    try:
        with open(f"/proc/{pid}/status") as f:
            return int(re.search(r"^RssFile:\s+(\d+)", f.read(), re.M)[1])
    except (OSError, TypeError):
        return 0  # it has ended


def memory_of(pids):
    """Memory of processes in bytes, what they share counted once: their own, that of the
    region of the rank, the program."""
    own, region, program = 0, 0, 0
    for p in pids:
        try:
            with open(f"/proc/{p}/smaps_rollup") as f:
                seen = dict(re.findall(r"^(\w+): +(\d+) kB", f.read(), re.M))
        except OSError:
            continue  # it has ended
        if "Pss_Anon" in seen:
            own += int(seen["Pss_Anon"])
            region += int(seen["Pss_Shmem"])
            program = max(program, of_files(p))
    return own * 1024, region * 1024, program * 1024


def rank_memory(options):
    """What a rank is said to take, and the most that it took, in bytes.  Its writer is
    stopped for a while, so that the readers fill all that they may."""
    said = json.loads(run([H5SWIM, "run", *options, "-n", "1", "--dry-run", "--json"]))
    if os.path.exists("out.h5"):
        os.remove("out.h5")
    p = subprocess.Popen([H5SWIM, "run", *options, "-n", "1", "--quiet"])
    workers = said["readers"] + 3  # with rank, spawner and writer
    while len(children(p.pid)) < workers and p.poll() is None:
        time.sleep(0.01)
    time.sleep(0.5)  # all have opened what they work on
    writer = max(children(p.pid))
    os.kill(writer, signal.SIGSTOP)
    stopped, until = True, time.monotonic() + 4
    own, region, program = 0, 0, 0
    while p.poll() is None:
        seen = memory_of(children(p.pid))  # without the driver: launchers need none
        own, program = max(own, seen[0]), max(program, seen[2])
        if stopped:  # pages on their way from one process to the next count twice
            region = max(region, seen[1])
        if stopped and time.monotonic() > until:
            os.kill(writer, signal.SIGCONT)
            stopped = False
        time.sleep(0.05)
    if p.wait():
        raise SystemExit(f"bench: h5swim run {options}: status {p.returncode}")
    return said["memory_per_rank"], own + region + program


def winds(name, months):
    """Two components of noise, which does not compress, on a grid of months."""
    rng = np.random.default_rng(1)
    axes = {"TIME": (np.arange(months) * 730.0, "hours since 1980-01-01"),
            "LAT": (np.linspace(-89, 89, 292), "degrees_north"),
            "LON": (np.arange(576) * 0.625, "degrees_east")}
    with h5py.File(name, "w") as f:
        for axis, (values, units) in axes.items():
            f.create_dataset(axis, data=values).attrs["units"] = units
            f[axis].make_scale(axis)
        for d in ("UWND", "VWND"):
            s = f.create_dataset(d, (months, 292, 576), "f4", chunks=(12, 73, 144), shuffle=True,
                                 compression="gzip", compression_opts=1)
            for k, axis in enumerate(axes):
                s.dims[k].attach_scale(f[axis])
            part = rng.standard_normal((12, 292, 576), "f4")
            for first in range(0, months, 12):
                s[first:first + 12] = part[:min(12, months - first)]


MEMORY_JOBS = {
    "map": ("wind_speed", {"u": "UWND", "v": "VWND"}, {"speed": "WSPD"}),
    "stencil": ("slope", {"height": "UWND"}, {"slope": "SLOPE"}),
    "reduce": ("climatology", {"x": "UWND"}, {"mean": "UWND"}),
}

MEMORY_BUDGETS = {  # MiB, readers
    "map": ((32, 1), (256, 2), (1024, 8)),
    "stencil": ((64, 2), (512, 4)),
    "reduce": ((64, 2), (1024, 2)),
}


def memory():
    winds("winds.h5", 1200)
    for kind, (kernel, inputs, outputs) in MEMORY_JOBS.items():
        file = job(kind, kernel, {p: f"file: winds.h5, dataset: {d}" for p, d in inputs.items()},
                   {p: f"file: out.h5, dataset: {d}, filters: {{}}" for p, d in outputs.items()})
        for budget, readers in MEMORY_BUDGETS[kind]:
            said, took = rank_memory([file, "--readers", str(readers), "--set", f"memory={budget}M"])
            off = took / said - 1
            row(f"memory of a rank, {kind}, {budget} MiB, {readers} reader{'s'[:readers > 1]}",
                f"{took / MIB:.0f} of {said / MIB:.0f} MiB said: {100 * off:+.0f} %", "within 10 %",
                abs(off), 0.1)


# --- mpirun and idle ranks

def mpirun():
    """In memory where there is room: disks vary by more than what is measured."""
    room = os.statvfs("/dev/shm") if os.path.isdir("/dev/shm") else None
    in_memory = room is not None and room.f_bavail * room.f_frsize > 4 << 30
    with tempfile.TemporaryDirectory(dir="/dev/shm" if in_memory else ".") as folder:
        winds(folder + "/in.h5", 960)
        file = job("mpi", "wind_speed", {p: f"file: {folder}/in.h5, dataset: {d}"
                                         for p, d in (("u", "UWND"), ("v", "VWND"))},
                   {"speed": f"file: {folder}/out.h5, dataset: WSPD"})
        run_it = [H5SWIM, "run", file, "--quiet", "--overwrite", "--readers", "1"]
        ways = {"fork": run_it + ["-n", "2"], "mpi": MPIRUN + ["2"] + run_it}
        times, used = {way: [] for way in ways}, {way: [] for way in ways}
        for turn in range(TURNS + 1):  # the first one makes all warm
            for way, command in ways.items():
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                seconds = timed(command)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                if turn:
                    times[way].append(seconds)
                    used[way].append(sum(after[:2]) - sum(before[:2]))
    fork, mpi = (statistics.median(times[way]) for way in ("fork", "mpi"))
    cpu = [statistics.median(used[way]) for way in ("mpi", "fork")]
    row("mpirun -n 2 beside -n 2 by fork", f"{mpi / fork:.3f} ({mpi:.2f} and {fork:.2f} s)", "<= 1.05",
        mpi / fork, 1.05)
    row("the same, processor time of all", f"{cpu[0] / cpu[1]:.3f} ({cpu[0]:.2f} and {cpu[1]:.2f} s)", "")


def ticks(pids):
    total = 0
    for p in pids:
        try:
            with open(f"/proc/{p}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
                total += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return total


def of_h5swim(pids):
    return [p for p in pids if os.path.basename(os.readlink(f"/proc/{p}/exe")) == "h5swim"]


def idle():
    """One block that naps: one rank has it, seven wait for the end of the job."""
    with h5py.File("idle.h5", "w") as f:
        f.create_dataset("U", (1, 64), "f4")
    seconds = 10
    file = job("idle", KERNELS + "/slow.c", {"u": "file: idle.h5, dataset: U"},
               {"y": "file: idle_out.h5, dataset: Y"}, "params: {ms: 16000}\nblock: [1, 64]")
    run_it = [H5SWIM, "run", file, "--readers", "1", "--quiet", "--overwrite"]
    run([H5SWIM, "run", file, "--dry-run"])
    for way, command in (("fork", run_it + ["-n", "8"]), ("mpirun", MPIRUN + ["8"] + run_it)):
        p = subprocess.Popen(command)
        time.sleep(3)
        pids = of_h5swim(children(p.pid) + [p.pid])
        before, begin = ticks(pids), time.monotonic()
        time.sleep(seconds)
        burnt = (ticks(pids) - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - begin)
        if p.wait():
            raise SystemExit(f"bench: {' '.join(command)}: status {p.returncode}")
        row(f"8 idle ranks by {way}, each ({len(pids)} processes)", f"{100 * burnt / 8:.2f} % of a core",
            "<= 2 % of a core", 100 * burnt / 8, 2)


def main():
    count, n, file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    parts = {"sessions": lambda: sessions(count), "blocks": lambda: blocks(n), "plan": plan,
             "memory": memory, "mpirun": mpirun, "idle": idle}
    wanted = sys.argv[4:] or list(parts)
    if not shutil.which("mpirun"):
        MPIRUN[0] = ""
    print(f"{'figure':<46} {'seen':<38} goal")
    for part in wanted:
        if part == "mpirun" and not MPIRUN[0]:
            row("mpirun -n 2 beside -n 2 by fork", "not measured: there is no mpirun", "<= 1.05")
            continue
        parts[part]()
    if file:
        with open(file, "w") as f:
            json.dump({"figures": rows}, f, indent=1)


main()
