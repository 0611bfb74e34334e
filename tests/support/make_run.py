#!/usr/bin/env python3
"""make_run.py - a RUN.json as h5swim run writes it, of made processes and blocks.

usage: make_run.py OUT.json [--blocks N] [--ranks R] [--readers K] [--output FILE:DATASET]...
                   [--text FILE] [--change PYTHON]

What it has is made from a seed, so that a test knows what a page of it has to say.
--change: statements over the record, in r, before it is written.
"""
import argparse
import json
import random

ACTIVITIES = ["write", "commit", "lock", "begin", "finish"]
BLOCK_COLUMNS = ["block", "phase", "process", "start_us", "read_us", "decode_us", "kernel_us", "encode_us",
                 "end_us", "written_us", "committed_us", "bytes_in", "bytes_out", "tries"]


def seconds(**given):
    names = ["read", "decode", "kernel", "encode", "write", "commit", "lock", "wait", "idle"]
    return {name: round(given.get(name, 0) / 1e6, 6) for name in names}


def make_processes(ranks, readers):
    found = []
    for rank in range(ranks):
        roles = [("rank", 0)] + [("reader", i) for i in range(readers)] + [("writer", 0)]
        for role, index in roles:
            found.append({"rank": rank, "role": role, "index": index, "host": "node%d" % (rank // 2 + 1),
                          "pid": 4000 + len(found), "began_us": 1000, "ended_us": None, "blocks": 0})
    return found


def make_blocks(n, processes, rng):
    """Blocks go to the reader that is free first; its writer writes and commits them."""
    columns = {name: [] for name in BLOCK_COLUMNS}
    readers = [i for i, p in enumerate(processes) if p["role"] == "reader"]
    free = {i: 40000 + rng.randrange(4000) for i in readers}
    sums = {i: dict.fromkeys(["read", "decode", "kernel", "encode", "idle"], 0) for i in readers}
    for block in range(n):
        who = min(readers, key=free.get)
        slow = 12 if block == n // 3 else 1
        parts = [rng.randrange(300, 900), rng.randrange(400, 700), slow * rng.randrange(2000, 3000),
                 rng.randrange(500, 1500)]
        start = free[who] + rng.randrange(20, 200)
        end = start + sum(parts)
        written = end + rng.randrange(200, 1500)
        row = [block, 0, who, start, *parts, end, written, written + 5000 + rng.randrange(20000),
               1 << 20, 1 << 19, 1]
        for name, value in zip(BLOCK_COLUMNS, row):
            columns[name].append(value)
        for name, value in zip(["read", "decode", "kernel", "encode", "idle"], parts + [start - free[who]]):
            sums[who][name] += value
        processes[who]["blocks"] += 1
        free[who] = end
    for who in readers:
        processes[who]["seconds"] = seconds(**sums[who])
    return columns


def make_spans(blocks, processes, rng):
    """A writer writes 2 ms for some blocks and then commits; ranks begin and finish."""
    spans = {"process": [], "activity": [], "start_us": [], "us": []}
    end = max(blocks["end_us"], default=0) + 1000

    def add(process, name, start, us):
        for key, value in zip(spans, [process, ACTIVITIES.index(name), start, us]):
            spans[key].append(value)

    waits = []
    for i, process in enumerate(processes):
        if process["role"] == "rank":
            add(i, "begin", 1000, 38000)
            add(i, "finish", end, 20000)
            process["seconds"] = seconds(write=58000, idle=end - 39000)
        if process["role"] == "writer":
            at, wrote, committed, locked, turns = 45000, 0, 0, 0, 0
            while at < end:
                turns += 1
                if turns % 40 == 4 + process["rank"]:
                    locked += 30000
                    waits.append({"process": i, "resource": "/data/speed.nc", "mode": "UPDATE", "start_us": at,
                                  "us": 30000, "holder": {"session": "node9:77:1", "host": "node9", "pid": 77,
                                                          "job": "other_job"}})
                    add(i, "lock", at, 30000)
                    at += 30000
                us = rng.randrange(1500, 9000)
                add(i, "write", at, us)
                add(i, "commit", at + us, 4000)
                wrote, committed = wrote + us, committed + 4000
                at += us + 4000 + rng.randrange(10000)
            process["seconds"] = seconds(write=wrote, commit=committed, lock=locked,
                                         idle=max(0, end - wrote - committed - locked))
    return spans, waits, end + 20000


def port(name, file, dataset):
    return {"port": name, "file": file, "dataset": dataset, "shape": [132, 73, 144], "type": "float32",
            "chunks": [1, 73, 144], "filters": "shuffle, deflate 1"}


def make(options):
    rng = random.Random(7)
    processes = make_processes(options.ranks, options.readers)
    blocks = make_blocks(options.blocks, processes, rng)
    spans, waits, end = make_spans(blocks, processes, rng)
    n_bytes = options.blocks * 3 << 19
    outputs = [port("y%d" % i if i else "speed", *output.rsplit(":", 1)) for i, output in enumerate(options.output)]
    return {
        "schema": "h5swim-run", "version": 1, "h5swim": "0.1.0",
        "command": "h5swim run jobs/wind_speed.yaml -n %d --overwrite" % options.ranks,
        "run_id": "5eed0007", "began": "2026-11-27T08:00:00.123Z", "seconds": end / 1e6,
        "status": "done", "exit_status": 0, "error": None,
        "job": {"name": "wind_speed", "file": "/data/jobs/wind_speed.yaml",
                "text": open(options.text, encoding="utf-8").read() if options.text else None, "sets": []},
        "kernels": [{"name": "wind_speed", "kind": "map", "path": "/opt/h5swim/kernels/wind_speed.so",
                     "summary": "wind speed from two wind components"}],
        "environment": {"host": "node1", "system": "Linux 6.1.0", "processors": 64, "memory_bytes": 256 << 30,
                        "launcher": "mpi" if options.ranks > 1 else "fork", "slurm_job": None, "hdf5": "1.10.8",
                        "mpi": "Open MPI 4.1.4" if options.ranks > 1 else None,
                        "lock_server": "redis://node1:6379"},
        "plan": {"extent": [132, 73, 144], "block": [1, 73, 144], "blocks": options.blocks,
                 "memory_per_rank": 96 << 20},
        "inputs": [port("u", "/data/monthly_navy_winds.nc", "/UWND"),
                   port("v", "/data/monthly_navy_winds.nc", "/VWND")],
        "outputs": outputs,
        "totals": {"blocks": options.blocks, "failed": 0, "bytes_read": options.blocks << 20,
                   "bytes_written": options.blocks << 19, "bytes_stored": options.blocks << 18,
                   "gb_per_s": n_bytes / end / 1e3, "locks": 3 * len(processes), "locks_waited": len(waits),
                   "lock_wait_s": sum(wait["us"] for wait in waits) / 1e6},
        "processes": processes, "blocks": blocks, "spans": spans, "activities": ACTIVITIES, "dropped": 0,
        "lock_waits": waits, "failed_blocks": [], "replaced": [], "missing_ranks": [],
        "lost_ranks": [], "joined": {"ranks": 0, "readers": 0, "blocks": 0}}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--blocks", type=int, default=400)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--readers", type=int, default=3)
    parser.add_argument("--output", action="append", default=[])
    parser.add_argument("--text")
    parser.add_argument("--change", default="")
    options = parser.parse_args()
    r = make(options)
    exec(options.change)
    with open(options.out, "w", encoding="utf-8") as file:
        json.dump(r, file, separators=(",", ":"))


main()
