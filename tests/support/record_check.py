"""A record of a run (framework/batch/RUN.md): what must be so in each of them.

record_check.py FILE [EXPRESSION...]: looks at it, then at Python expressions that must be
true, in which r is the record and b its blocks by column."""
import json
import sys

COLUMNS = ["block", "phase", "process", "start_us", "read_us", "decode_us", "kernel_us", "encode_us", "end_us",
           "written_us", "committed_us", "bytes_in", "bytes_out", "tries"]
MEMBERS = ["schema", "version", "h5swim", "command", "run_id", "began", "seconds", "status", "exit_status", "error",
           "job", "kernels", "environment", "plan", "inputs", "outputs", "totals", "processes", "blocks", "spans",
           "activities", "dropped", "lock_waits", "failed_blocks", "replaced", "missing_ranks",
           "lost_ranks", "joined"]
SECONDS = ["read", "decode", "kernel", "encode", "write", "commit", "lock", "wait", "idle"]
SLACK_US = 3  # each number is cut to whole ones


def check_processes(r):
    for p in r["processes"]:
        assert p["role"] in ("rank", "reader", "writer"), p
        assert list(p["seconds"]) == SECONDS and min(p["seconds"].values()) >= 0, p
        life = (p["ended_us"] - p["began_us"]) / 1e6
        assert abs(sum(p["seconds"].values()) - life) < 2e-5, ("seconds are not its life", life, p)
        assert p["began_us"] >= 0 and p["ended_us"] <= r["seconds"] * 1e6 + 1e5, p
    assert r["processes"][0]["role"] == "rank" and r["processes"][0]["rank"] == 0
    lost = {(p["rank"], p["role"], p["index"]) for p in r["processes"]}
    entries = len(r["processes"]) - len(lost)
    assert entries == len(r["replaced"]), "one entry more for each that was replaced"
    for p in r["replaced"]:
        assert (p["rank"], p["role"], p["index"]) in lost and p["why"], p


def check_blocks(r):
    b = r["blocks"]
    assert list(b) == COLUMNS and len({len(column) for column in b.values()}) == 1
    rows = [dict(zip(b, row)) for row in zip(*b.values())]
    for row in rows:
        p = r["processes"][row["process"]]
        parts = sum(row[name] for name in ("read_us", "decode_us", "kernel_us", "encode_us"))
        assert p["role"] == "reader", row
        assert 0 <= row["end_us"] - row["start_us"] - parts + SLACK_US, row
        assert row["end_us"] - row["start_us"] - parts < 5 + SLACK_US, ("time that nobody has", row)
        assert p["began_us"] <= row["start_us"] <= row["end_us"] <= p["ended_us"] + SLACK_US, (row, p)
        assert row["end_us"] <= row["written_us"] <= row["committed_us"], row
        assert row["tries"] >= 1 and row["phase"] in (0, 1), row
    for number, p in enumerate(r["processes"]):
        if p["role"] == "reader":
            mine = [row for row in rows if row["process"] == number]
            assert p["blocks"] == len(mine), p
            for name in ("kernel", "encode"):
                assert p["seconds"][name] * 1e6 + 1 >= sum(row[name + "_us"] for row in mine), p
    assert sum(p["blocks"] for p in r["processes"] if p["role"] == "writer") == len(rows)
    assert r["totals"]["blocks"] <= len(rows) + r["dropped"], (r["totals"], len(rows), r["dropped"])


def check_spans(r):
    s = r["spans"]
    assert r["activities"] == ["write", "commit", "lock", "begin", "finish"]
    assert list(s) == ["process", "activity", "start_us", "us"] and len({len(c) for c in s.values()}) == 1
    sums = {}
    for number, activity, start, us in zip(*s.values()):
        p, name = r["processes"][number], r["activities"][activity]
        assert p["role"] == "rank" if name in ("begin", "finish") else p["role"] != "reader", (p, name)
        assert us >= 0 and p["began_us"] <= start + SLACK_US and start + us <= p["ended_us"] + SLACK_US, (p, start, us)
        sums[number, name] = sums.get((number, name), 0) + us + SLACK_US
    for (number, name), us in sums.items():
        if name == "lock" and not r["dropped"]:
            assert abs(r["processes"][number]["seconds"]["lock"] * 1e6 - us) < 1000 + us / 10, (number, us)
    for w in r["lock_waits"]:
        assert w["mode"] in ("READ", "UPDATE", "WRITE") and w["us"] >= 0 and w["resource"], w
        assert w["holder"] is None or list(w["holder"]) == ["session", "host", "pid", "job"], w


def check_ranks(r):
    own = 1 + max(p["rank"] for p in r["processes"])
    for lost in r["lost_ranks"]:
        assert list(lost) == ["rank", "pid", "at_us", "why"] and lost["pid"] > 0 and lost["why"], lost
        assert 0 <= lost["at_us"] <= r["seconds"] * 1e6, lost
        assert lost["rank"] < own or r["joined"]["ranks"] > 0, lost
    assert list(r["joined"]) == ["ranks", "readers", "blocks"] and min(r["joined"].values()) >= 0
    assert r["joined"]["blocks"] <= r["dropped"]


def check(name):
    with open(name, encoding="utf-8") as f:
        r = json.load(f)
    assert list(r) == MEMBERS, list(r)
    assert (r["schema"], r["version"]) == ("h5swim-run", 1)
    check_processes(r)
    check_blocks(r)
    check_spans(r)
    check_ranks(r)
    return r


def main():
    r = check(sys.argv[1])
    blocks = sorted(zip(r["blocks"]["phase"], r["blocks"]["block"]))
    for expression in sys.argv[2:]:
        if not eval(expression, {"r": r, "b": r["blocks"], "blocks": blocks}):  # of the tests alone
            sys.exit("not so in %s: %s\n%s" % (sys.argv[1], expression, {k: v for k, v in r.items() if k not in (
                "blocks", "spans")}))


main()
