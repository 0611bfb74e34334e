"""run.py - tests/bench/run runs it, in the folder of the data, with its options in
BENCH_* of the environment."""
import glob
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys

from bench_data import make_raw, make_small_file, make_winds, winds_months
from bench_measure import cache, forget, memory_of_run, remove, same_values, synced_run, timed

BUILD, SOURCE = os.environ["SWIM_BUILD"], os.environ["SWIM_SOURCE"]
H5SWIM = BUILD + "/bin/h5swim"
HANDTUNED = BUILD + "/tests/handtuned/"
KERNELS = BUILD + "/tests/bench_kernels/"
BENCH = SOURCE + "/tests/bench/"
SIZE = int(os.environ["BENCH_SIZE"])
RUNS = int(os.environ["BENCH_RUNS"])
PEER_RUNS = int(os.environ["BENCH_PEER_RUNS"])
PROCESSES = os.environ["BENCH_PROCESSES"]
ONLY = [name for name in os.environ["BENCH_ONLY"].split(",") if name]
MIB = 1 << 20
RAW_MIB = SIZE if SIZE < 1000 else 1024

rows = []
wrong = []


def say(text):
    print(text, flush=True)


# --- h5swim

def h5swim_run(job, sets, *more):
    command = [H5SWIM, "run", job, "--quiet", "-n", "1", "--readers", PROCESSES]
    for key, value in sets.items():
        command += ["--set", f"{key}={value}"]
    return [*command, *more]


def job_file(name, kernel, inputs, outputs):
    """A job file: inputs and outputs are (port, file, dataset)."""
    lines = [f"kernel: {kernel}"]
    for what, ports in (("inputs", inputs), ("outputs", outputs)):
        lines.append(f"{what}:")
        lines += [f"  {port}: {{file: {file}, dataset: {dataset}}}" for port, file, dataset in ports]
    with open(name, "w") as f:
        f.write("\n".join([*lines, ""]))
    return os.path.abspath(name)


def gzip_1(port, chunks):
    return {f"outputs.{port}.chunks": list(chunks),
            f"outputs.{port}.filters": "{shuffle: true, deflate: 1}"}


# --- a work: the same by all

class Work:
    """What h5swim, a hand-tuned program and the others do, each into a file of its own."""

    def __init__(self, name, title, goal, source, dataset):
        self.name, self.title, self.goal, self.source = name, title, goal, source
        self.dataset = dataset  # of the output
        self.before = cache  # a run: what is done with the source
        self.ways = {}  # command by who does it
        self.ulps = {}  # how far from h5swim's; 0: the same bits
        self.goals = {}  # of peers: how many times as long as h5swim they take at least

    def out(self, who):
        return os.path.abspath(f"out_{self.name}.{who.replace(' ', '_')}.nc")

    def add(self, who, command, ulps=0, goal=None):
        self.ways[who], self.ulps[who], self.goals[who] = command, ulps, goal

    def hand(self, program, ulps=0):
        self.add("hand-tuned", [HANDTUNED + program, self.source, self.out("hand-tuned"), PROCESSES],
                 ulps)

    def peer(self, who, command, ulps=1, goal=None):
        if PEER_RUNS and (shutil.which(command[0]) or os.path.exists(command[0])):
            self.add(who, command, ulps, goal)

    def python_peer(self, who, tool, module, work, goal=None):
        if subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True).returncode:
            return
        self.peer(who, [sys.executable, BENCH + "peers.py", tool, work, self.source, self.out(who),
                        PROCESSES], goal=goal)


def by(sizes):
    return "x".join(map(str, sizes))


def winds_work(name, goal, chunks, **grid):
    source, shape = make_winds(name, winds_months(SIZE, **grid), chunks, **grid)
    chunks = [min(c, n) for c, n in zip(chunks, shape)]
    w = Work(name, f"wind speed, {by(shape)}, chunks {by(chunks)}", goal, source, "WSPD")
    sets = {"inputs.u.file": source, "inputs.v.file": source,
            "outputs.speed.file": w.out("h5swim"), **gzip_1("speed", chunks)}
    w.add("h5swim", h5swim_run(SOURCE + "/jobs/wind_speed.yaml", sets))
    w.hand("wind_speed")
    w.peer("plain HDF5", [BUILD + "/tests/plain_wind_speed", source, w.out("plain HDF5")], 0)
    return w, chunks


def wind_speed():
    w, chunks = winds_work("wind_speed", 1.05, (12, 73, 144))
    w.python_peer("h5py+mp", "h5py", "h5py", "wind_speed", goal=3.2)
    w.python_peer("xarray+dask", "dask", "xarray, dask, netCDF4", "wind_speed")
    speed = "WSPD=sqrt(UWND*UWND+VWND*VWND)"
    w.peer("CDO", ["cdo", "-s", "-O", "-P", PROCESSES, "-f", "nc4", "-z", "zip_1", f"expr,{speed}",
                   w.source, w.out("CDO")], goal=6.5)
    sizes = [a for d, n in zip(("TIME", "FNOCY", "FNOCX"), chunks) for a in ("--cnk_dmn", f"{d},{n}")]
    w.peer("NCO", ["ncap2", "-O", "-4", "-L", "1", "-t", PROCESSES, *sizes, "-v", "-s", speed,
                   w.source, w.out("NCO")], goal=6.5)
    return w


def wind_step():
    return winds_work("wind_step", 1.1, (1, 721, 1440), finer=10, points=(721, 1440))[0]


def wind_cubes():
    return winds_work("wind_cubes", 1.1, (64, 64, 64))[0]


def wind_small():
    return winds_work("wind_small", 1.3, (1, 8, 16))[0]


def raw_work(name, kernel, program, goal, mib):
    source = make_raw(mib)
    w = Work(name, f"{kernel}, contiguous, {mib} MiB", goal, source, "Y")
    job = job_file(f"{name}.yaml", f"{KERNELS}{kernel}.so", [("x", source, "X")],
                   [("y", w.out("h5swim"), "Y")])
    w.add("h5swim", h5swim_run(job, {"outputs.y.filters": "{}"}))
    w.hand(program)
    return w


def raw_map(mib=RAW_MIB, goal=1.5, name="raw_map"):
    w = raw_work(name, "linear", "raw_map", goal, mib)
    w.python_peer("h5py+mp", "h5py", "h5py", "linear")
    return w


def raw_map_cold():
    w = raw_work("raw_map_cold", "linear", "raw_map", None, RAW_MIB)
    w.title += ", cold cache"
    w.before = forget
    return w


def stencil(mib=RAW_MIB, goal=1.5, name="stencil"):
    return raw_work(name, "mean3x3", "stencil", goal, mib)


def months():
    source, shape = make_winds("wind_speed", winds_months(SIZE), (12, 73, 144))
    w = Work("months", f"months, {by(shape)} to 12", 1.05, source, "UWND")
    sets = {"inputs.x.file": source, "outputs.mean.file": w.out("h5swim"),
            **gzip_1("mean", (12, 73, 144))}
    w.add("h5swim", h5swim_run(SOURCE + "/jobs/wind_climatology.yaml", sets))
    w.hand("months", 1)  # sums of float64 in another order
    w.peer("CDO", ["cdo", "-s", "-O", "-f", "nc4", "-z", "zip_1", "ymonmean", "-selname,UWND", source,
                   w.out("CDO")], None)  # its sums are of float32
    return w


def recompress():
    source, shape = make_winds("recompress", winds_months(2 * SIZE), (12, 73, 144), gzip=4,
                               only="UWND")
    w = Work("recompress", f"gzip 4 to 1, {by(shape)}", None, source, "UWND")
    own = subprocess.run([H5SWIM, "kernel", "info", "recompress"], capture_output=True).returncode == 0
    job = job_file("recompress.yaml", "recompress" if own else KERNELS + "copy.so",
                   [("x", source, "UWND")], [("y", w.out("h5swim"), "UWND")])
    w.add("h5swim", h5swim_run(job, gzip_1("y", (12, 73, 144))))
    w.hand("recompress")
    w.peer("h5repack", ["h5repack", "-f", "UWND:SHUF", "-f", "UWND:GZIP=1", source,
                        w.out("h5repack")], 0, goal=8)
    return w


# --- measuring a work

class Seen:
    """What was seen of one who does a work."""

    def __init__(self):
        self.times, self.cpu, self.others = [], [], []

    def take(self, seconds, cpu, others):
        self.times.append(seconds)
        self.cpu.append(cpu)
        self.others.append(others)

    def json(self):
        return {"seconds": statistics.median(self.times), "times": self.times,
                "cpu_s": statistics.median(self.cpu), "others_s": sum(self.others)}


def is_peer(who):
    return who not in ("h5swim", "hand-tuned")


def run_one(work, who, turn, seen):
    """The first turn warms; other tools need none, and take long.  One that fails is left
    out from there on."""
    if is_peer(who) and (turn == 0 or turn > PEER_RUNS):
        return
    try:
        took = synced_run(work.ways[who], work.out(who), work.source, work.before)
    except (SystemExit, OSError) as why:
        if not is_peer(who):
            raise
        wrong.append(f"{work.name}: {who}: {why}")
        for everything in work.ways, seen:
            del everything[who]
        return
    if turn:
        seen[who].take(*took)


def run_all(work):
    """By who, in turn."""
    seen = {who: Seen() for who in work.ways}
    for turn in range(RUNS + 1):
        for who in list(work.ways):
            run_one(work, who, turn, seen)
    return {who: s.json() for who, s in seen.items() if s.times}


def check_all(work):
    """What is not as h5swim has it."""
    for who in work.ways:
        ulps = work.ulps[who]
        if who == "h5swim" or ulps is None:
            continue
        why = same_values(work.out("h5swim"), work.out(who), work.dataset, ulps)
        if why:
            wrong.append(f"{work.name}: {who}: {why}")


def record_of(output):
    return os.path.splitext(output)[0] + ".run.json"


def check_record(work):
    """Nothing happened to the workers of the run that was measured last."""
    with open(record_of(work.out("h5swim"))) as f:
        replaced = json.load(f)["replaced"]
    for worker in replaced:
        wrong.append(f"{work.name}: h5swim: {worker['role']} {worker['index']} was replaced: {worker['why']}")


def forget_outputs(work):
    for who in work.ulps:
        # With a journal, where a job was ended, and the record of h5swim.
        for file in glob.glob(work.out(who) + "*") + glob.glob(record_of(work.out(who))):
            os.remove(file)


def verdict(met):
    return "" if met is None else "met" if met else "NOT MET"


def busy_note(seen):
    """Whether others had more than 3 % of the processors meanwhile."""
    share = sum(s["others_s"] for s in seen) / sum(sum(s["times"]) for s in seen) / os.cpu_count()
    return f" (busy: others had {100 * share:.0f} % of the processors)" if share > 0.03 else ""


def show(title, swim, hand, ratio, cpu, goal, met, note=""):
    say(f"{title:<50} {swim:>8} {hand:>10} {ratio:>6.2f} {cpu:>6} {goal:<8} {verdict(met)}{note}".rstrip())


def show_peer(who, peer, swim):
    goal = peer["goal"]
    peer["ratio"] = peer["seconds"] / swim["seconds"]
    peer["met"] = None if goal is None else peer["ratio"] >= goal
    show("    " + who, f"{peer['seconds']:.2f}", "", peer["ratio"], "", f">= {goal}" if goal else "",
         peer["met"], busy_note([peer]))


def measure(work):
    try:
        seen = run_all(work)
        check_all(work)
        check_record(work)
    finally:
        forget_outputs(work)
    swim, hand = seen.pop("h5swim"), seen.pop("hand-tuned")
    ratio, cpu = (swim[k] / hand[k] for k in ("seconds", "cpu_s"))
    met = None if work.goal is None else ratio <= work.goal
    for who, peer in seen.items():
        peer["goal"] = work.goals[who]
    rows.append({"name": work.name, "work": work.title, "h5swim": swim, "handtuned": hand,
                 "ratio": ratio, "cpu_ratio": cpu, "goal": work.goal, "met": met, "peers": seen})
    show(work.title, f"{swim['seconds']:.2f}", f"{hand['seconds']:.2f}", ratio, f"{cpu:.2f}",
         f"<= {work.goal}" if work.goal else "", met, busy_note([swim, hand]))
    for who, peer in seen.items():
        show_peer(who, peer, swim)


# --- figures without a hand-tuned program

def figure(name, title, seen, goal="", met=None, **more):
    rows.append({"name": name, "work": title, "seen": seen, "goal": goal, "met": met, **more})
    say(f"{title:<50} {seen:<33} {goal:<8} {verdict(met)}".rstrip())


def first_block():
    source = make_small_file()
    job = job_file("first_block.yaml", KERNELS + "first_block.so", [("x", source, "X")],
                   [("y", os.path.abspath("out_first_block.h5"), "Y")])
    mark = os.path.abspath("first_block.time")
    command = h5swim_run(job, {"params.file": mark})
    blocks, wholes = [], []
    for turn in range(max(3 * RUNS, 5) + 1):
        remove(mark)
        remove("out_first_block.h5")
        begin, seconds = timed(command)
        if turn:
            with open(mark) as f:
                blocks.append((float(f.read()) - begin) * 1000)
            wholes.append(seconds * 1000)
    remove(mark)
    remove("out_first_block.h5")
    block, whole = statistics.median(blocks), statistics.median(wholes)
    figure("first_block", "start to first block, server runs",
           f"{block:.0f} ms, all of the job {whole:.0f} ms", "<= 60 ms", block <= 60,
           first_block_ms=block, job_ms=whole)


def memory():
    """File pages are the kernel's, and given back; they are not counted beyond the
    program itself.  The sum of VmHWM counts what processes share once for each."""
    work = wind_speed()
    command = work.ways["h5swim"]
    said = json.loads(timed_output([*command, "--dry-run", "--json"]))["memory_per_rank"]
    took, high = memory_of_run(command, work.out("h5swim"))
    forget_outputs(work)
    figure("memory", "peak memory, wind_speed",
           f"{took / MIB:.0f} of {said / MIB:.0f} MiB said (VmHWM {high / MIB:.0f})", "<= said",
           took <= said, took=took, said=said, vm_hwm=high)


def timed_output(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def unsafe():
    work = wind_speed()
    bare = [part.replace(work.out("h5swim"), work.out("unsafe")) for part in work.ways["h5swim"]]
    work.add("unsafe", [H5SWIM + "_unsafe", *bare[1:]])
    times = {"h5swim": [], "unsafe": []}
    for turn in range(RUNS + 1):
        for who, taken in times.items():
            took = synced_run(work.ways[who], work.out(who), work.source)
            if turn:
                taken.append(took[0])
    why = same_values(work.out("h5swim"), work.out("unsafe"), work.dataset, 0)
    if why:
        wrong.append(f"{work.name}: without locks and transactions: {why}")
    forget_outputs(work)
    safe, bare = (statistics.median(taken) for taken in times.values())
    figure("unsafe", "wind_speed, beside no locks and transactions",
           f"{safe / bare:.3f} ({safe:.2f} and {bare:.2f} s)", "<= 1.03", safe / bare <= 1.03,
           safe_s=safe, unsafe_s=bare)


def functions_of_record():
    """By the objects that they were compiled to."""
    found = set()
    for name in ("record*", "events", "meter", "json_out"):
        for file in glob.glob(f"{BUILD}/framework/*/CMakeFiles/*/{name}.c.o"):
            symbols = timed_output(["nm", "--defined-only", file]).split("\n")
            found |= {line.split()[2] for line in symbols if line.split()[1:2] in (["t"], ["T"])}
    return found


def record():
    """The share of processor time in what keeps the time and makes the record.  Beside a
    run without a record the difference is lost in what two runs of the same job differ
    by.  The clock's own calls, of the kernel, are not in it."""
    work = wind_small()
    samples, title = os.path.abspath("record.perf"), "wind_small, the share of the record"
    remove(samples)
    try:
        timed(["perf", "record", "-F", "1999", "-o", samples, *work.ways["h5swim"], "--set", "block=[1,73,144]"])
        lines = timed_output(["perf", "report", "-i", samples, "--sort", "symbol", "--stdio"]).split("\n")
    except (OSError, SystemExit, subprocess.CalledProcessError):
        figure("record", title, "not measured: perf cannot be had", share=None)
        return
    finally:
        forget_outputs(work)
        remove(samples)
    seen = [re.match(r"\s*([\d.]+)%\s+\[\.\]\s+(\w+)", line) for line in lines]
    names = functions_of_record()
    share = sum(float(one[1]) for one in seen if one and one[2] in names)
    figure("record", title, f"{share:.2f} % of the processor time", "<= 1 %", share <= 1, share=share)


# --- all of it

WORKS = (wind_speed, wind_step, wind_cubes, wind_small, raw_map, raw_map_cold, stencil, months,
         recompress)
FIGURES = (first_block, memory, unsafe, record)


def main():
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # outputs go
    say(f"{SIZE} MB, {PROCESSES} processes, {RUNS} runs, {os.cpu_count()} processors, "
        f"{platform.machine()}")
    say(f"{'work':<50} {'h5swim s':>8} {'hand-tuned':>10} {'ratio':>6} {'cpu':>6} goal")
    for make in WORKS:
        if not ONLY or make.__name__ in ONLY:
            measure(make())
            if os.environ["BENCH_LARGE"] and make in (raw_map, stencil):
                measure(make(8192, 1.15, make.__name__ + "_8"))
    for make in FIGURES:
        if not ONLY or make.__name__ in ONLY:
            make()
    for why in wrong:
        print(f"bench: {why}", file=sys.stderr)
    if os.environ["BENCH_JSON"]:
        with open(os.environ["BENCH_JSON"], "w") as f:
            json.dump({"size_mb": SIZE, "processes": int(PROCESSES), "runs": RUNS,
                       "processors": os.cpu_count(), "works": rows, "wrong": wrong}, f, indent=1)
    sys.exit(1 if wrong else 0)


main()
