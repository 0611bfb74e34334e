#!/usr/bin/env bash
# h5swim report: the page of a run as a browser shows it, and the trace.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
# record OPTION...: run.json of made processes; see make_run.py.
record() { "$python" "$support/make_run.py" run.json "$@"; }
# report OPTION...: run.html of it.
report() { expect_status 0 "$h5swim" report run.json "$@"; }

# --- the command -----------------------------------------------------------------------

expect_status 0 "$h5swim" report --help
expect_status 2 "$h5swim" report
expect_line 'RUN.json is missing'
expect_status 2 "$h5swim" report a.json b.json
expect_line 'more than one RUN.json: b.json'
expect_status 2 "$h5swim" report --trcae a.json
expect_line 'did you mean "--trace"'
expect_status 1 "$h5swim" report none.json
expect_line 'read none.json: No such file or directory'

# refused WHY CHANGE: a record with the change is none.
refused() {
    record --blocks 5 --change "$2"
    expect_status 2 "$h5swim" report run.json
    expect_line "read run.json: $1"
    [ ! -e run.html ] || fail "a page of what is no record: $2"
}
refused 'its schema is not "h5swim-run"' 'r["schema"] = "another"'
refused 'its schema is not' 'del r["schema"]'
refused 'it has version 2 and this h5swim knows version 1' 'r["version"] = 2'
refused 'blocks.block has 5 numbers and blocks.end_us has 4' 'r["blocks"]["end_us"].pop()'
refused 'blocks.tries is no list of numbers' 'del r["blocks"]["tries"]'
refused 'spans.us\[3\] is no number' 'r["spans"]["us"][3] = "5"'
refused 'blocks.read_us\[0\] is no number' 'r["blocks"]["read_us"][0] = -2'
refused 'blocks.process\[1\] leads nowhere' 'r["blocks"]["process"][1] = 99'
refused 'spans.activity\[0\] leads nowhere' 'r["spans"]["activity"][0] = 5'
refused 'blocks.start_us\[0\] leads nowhere' 'r["blocks"]["start_us"][0] = None'
refused 'totals.gb_per_s is missing' 'del r["totals"]["gb_per_s"]'
refused 'job.name is not text' 'r["job"]["name"] = None'
refused 'processes\[2\] is no object' 'r["processes"][2] = 7'
refused 'processes.seconds.idle is missing' 'del r["processes"][0]["seconds"]["idle"]'
refused 'inputs\[1\].shape is not a list of whole numbers' 'r["inputs"][1]["shape"] = [1, 2.5]'
refused 'lock_waits\[0\].process leads nowhere' \
    'r["lock_waits"] = [{"process": 9999, "resource": "", "mode": "", "start_us": 0, "us": 0, "holder": None}]'
printf '{"schema": "h5swim-run",\n' >run.json
expect_status 2 "$h5swim" report run.json
expect_line 'read run.json: line 2: '
printf '{"schema": "h5swim-run", "schema": "h5swim-run"}\n' >run.json
expect_status 2 "$h5swim" report run.json
expect_line 'duplicate'
passed "what is no record"

record --blocks 5
cp run.json before.json
expect_status 2 "$h5swim" report run.json -o ./run.json
expect_line 'would replace'
expect_status 2 "$h5swim" report run.json -o same --trace same
expect_line 'one file'
expect_status 1 "$h5swim" report run.json -o no/page.html
expect_line 'write no/page.html: No such file or directory'
# What is no file is written to, and stays; so does a link.
ln -s /dev/full full
expect_status 1 "$h5swim" report run.json -o full
expect_line 'write full: No space left on device'
[ -c /dev/full ] || fail "/dev/full was replaced"
rm full
touch linked.html
ln -s linked.html link.html
report -o link.html
[ -L link.html ] || fail "a link was replaced"
grep -q '</html>' linked.html || fail "where a link leads nothing was written"
rm link.html linked.html
cmp run.json before.json || fail "the record was changed"
(umask 027 && report -o other.html --trace trace.json)
[ "$(cat "$tmp/out")" = other.html ] || fail "the page is not named"
[ "$(stat -c %a other.html)" = 640 ] || fail "mode $(stat -c %a other.html)"
report -o another.html --trace -
"$python" -m json.tool "$tmp/out" >/dev/null || fail "more than a trace: $(tail -n 2 "$tmp/out")"
rm another.html
report -o -
grep -q '</html>' "$tmp/out" || fail "no page on stdout"
[ "$(echo ./*)" = './before.json ./other.html ./run.json ./trace.json' ] || fail "files: $(echo ./*)"
passed "files"

# --- the trace -------------------------------------------------------------------------

record --blocks 300 --change 'r["replaced"] = [
    {"rank": 1, "role": "reader", "index": 2, "at_us": 77000, "why": "killed by signal 9"}]'
report --trace trace.json
"$python" - <<'END' || fail "the trace"
import collections, json
run, trace = json.load(open("run.json")), json.load(open("trace.json"))
events = trace["traceEvents"]
kinds = collections.Counter((e["ph"], e.get("cat")) for e in events)
n, spans, waits = len(run["blocks"]["block"]), len(run["spans"]["us"]), len(run["lock_waits"])
assert waits > 0 and trace["otherData"]["job"] == "wind_speed"
assert kinds == {("M", None): 4 * len(run["processes"]), ("X", "block"): n, ("X", "work"): 4 * n,
                 ("X", "span"): spans, ("b", "lock"): waits, ("e", "lock"): waits, ("i", "process"): 1}, kinds
names = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
assert len(names) == len(run["processes"])
for e in events:
    assert (e["pid"], e["tid"]) in names and isinstance(e["ts"] if e["ph"] != "M" else 0, int)
blocks = [e for e in events if e.get("cat") == "block"]
for i, e in enumerate(blocks):
    process = run["processes"][run["blocks"]["process"][i]]
    assert e["name"] == "block %d" % i and e["ts"] == run["blocks"]["start_us"][i]
    assert e["dur"] == run["blocks"]["end_us"][i] - e["ts"] and e["args"]["bytes_in"] == 1 << 20
    assert e["pid"] == process["rank"] and names[e["pid"], e["tid"]] == "reader %d (pid %d)" % (
        process["index"], process["pid"])
work, b = [e for e in events if e.get("cat") == "work"], run["blocks"]
for i in range(n):
    at = b["start_us"][i]
    for e, part in zip(work[4 * i:], ("read", "decode", "kernel", "encode")):
        assert (e["name"], e["ts"], e["dur"]) == (part, at, b[part + "_us"][i]), (i, e)
        at += e["dur"]
# What is on one track lies beside each other or inside.
tracks = collections.defaultdict(list)
for e in events:
    if e["ph"] == "X":
        tracks[e["tid"]].append((e["ts"], -e["dur"]))
for track in tracks.values():
    ends = []
    for start, length in sorted(track):
        while ends and ends[-1] <= start:
            ends.pop()
        assert not ends or start - length <= ends[-1]
        ends.append(start - length)
replaced = [e for e in events if e["ph"] == "i"][0]
assert names[1, replaced["tid"]].startswith("reader 2 ") and replaced["args"]["why"] == "killed by signal 9"
END
# Spans that overlap become one thing after the other.
record --blocks 5 --change 'r["lock_waits"] = []
w = [i for i, p in enumerate(r["processes"]) if p["role"] == "writer"][0]
r["spans"] = {"process": [w] * 5, "activity": [0, 1, 2, 0, 1], "start_us": [10, 40, 45, 90, 95],
              "us": [50, 30, 5, 10, 30]}'
report --trace trace.json
"$python" - <<'END' || fail "spans that overlap"
import json
spans = [(e["name"], e["ts"], e["ts"] + e["dur"]) for e in json.load(open("trace.json"))["traceEvents"]
         if e.get("cat") == "span"]
assert spans == [("write", 10, 40), ("commit", 40, 45), ("lock", 45, 50), ("commit", 50, 70),
                 ("write", 90, 95), ("commit", 95, 125)], spans
END
passed "the trace"

# --- the page --------------------------------------------------------------------------

"$python" "$support/make_outputs.py" .
outputs=()
for dataset in plane.h5:/T forms.h5:/line forms.h5:/number forms.h5:/none forms.h5:/text forms.h5:/bare \
    forms.h5:/far forms.h5:/reach; do
    outputs+=(--output "/moved/$dataset")
done
record --blocks 400 --text "$SWIM_SOURCE/jobs/wind_speed.yaml" "${outputs[@]}" --output /gone/gone.nc:/x --change '
r["status"], r["exit_status"], r["totals"]["failed"] = "done but for failed blocks", 3, 2
r["failed_blocks"] = [{"block": n, "phase": 0, "tries": 3, "error": "the kernel was killed by signal 11",
                       "start": [n, 0, 0], "count": [1, 73, 144]} for n in (17, 203)]
r["replaced"] = [{"rank": 0, "role": "reader", "index": 1, "at_us": 777000, "why": "killed by signal 11"}]
r["dropped"], r["missing_ranks"] = 1234, [5]'
report
cp run.html run.json "$tmp"
! grep -qE 'https?:|src=|href=|url\(|@import' run.html || fail "the page asks for something else"

# In a folder whose name is not UTF-8, as the names in a page are.
folder=$'d\xe9'
mkdir "$folder"
cp run.json plane.h5 "$folder"
expect_status 0 "$h5swim" report "$folder/run.json" -o "$tmp/latin.html"

# Without a lock server there is a page, which says so.
report --redis "unix://$tmp/none.sock" -o without.html
grep -q 'none.sock' without.html || fail "the page does not say that there is no lock server"

# --- names that want to be more ----------------------------------------------------------

record --blocks 5 --change 'bad = "</script><script>broken = 1</script><!--<script><img src=x onerror=alert(1)>&amp;"
r["job"].update(name=bad, text=bad, file=bad, sets=[bad])
r["status"] = r["command"] = r["error"] = r["environment"]["host"] = bad
for p in r["processes"]: p["host"] = bad
r["failed_blocks"] = [{"block": 1, "phase": 0, "tries": 1, "error": bad, "start": [], "count": []}]
r["activities"][2] = r["kernels"][0]["summary"] = r["inputs"][0]["file"] = bad
r["lock_waits"] = [{"process": 0, "resource": bad, "mode": bad, "start_us": 1, "us": 1, "holder": None}]
r["replaced"] = [{"rank": 0, "role": bad, "index": 0, "at_us": 1, "why": bad}]'
report --trace trace.json -o "$tmp/hostile.html"
"$python" -c 'import json; assert "</script>" in json.load(open("trace.json"))["otherData"]["job"]'

# --- many blocks -------------------------------------------------------------------------

record --blocks 100000 --ranks 4 --readers 8
report -o "$tmp/many.html"
bytes=$(stat -c %s "$tmp/many.html")
[ "$bytes" -lt 5000000 ] || fail "a page of $bytes bytes"
passed "100,000 blocks in $((bytes / 1000)) kB"

# --- as a browser shows them -------------------------------------------------------------

command -v chromium >/dev/null || fail "there is no chromium: tests/run installs it"
PYTHONDONTWRITEBYTECODE=1 "$python" "$support/report_pages.py" "$tmp" || fail "in the browser"
