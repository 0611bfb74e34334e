#!/usr/bin/env bash
# tests/bench/run with little data: it runs, and what it compares is the same.  Times are
# not looked at.
# shellcheck source=tests/support/testlib.sh
. "$SWIM_SOURCE/tests/support/testlib.sh"

bench=$SWIM_SOURCE/tests/bench/run
export TMPDIR=$tmp SWIM_BENCH_DIR=$tmp/bench

expect_status 0 "$bench" --help
grep -q 'Exit status' "$tmp/out" || fail "help without exit status"
for wrong in '--size 0' '--size' '--runs many' '--only nothing' '--only' '--fast'; do
    # shellcheck disable=SC2086 # two words
    expect_status 2 "$bench" $wrong
    expect_line '^bench: '
done
passed "it says what is wrong with its options"

expect_status 0 "$bench" --size 3 --runs 1 --peer-runs 1 --json "$tmp/figures.json"
"$python" - "$tmp/figures.json" <<'END' || fail "not the figures that were asked for"
import json
import sys

with open(sys.argv[1]) as f:
    said = json.load(f)
names = [w["name"] for w in said["works"]]
assert names == ["wind_speed", "wind_step", "wind_cubes", "wind_small", "raw_map",
                 "raw_map_cold", "stencil", "months", "recompress", "first_block",
                 "memory", "unsafe", "record"], names
assert not said["wrong"], said["wrong"]
for w in said["works"][:9]:
    assert w["ratio"] > 0 and w["cpu_ratio"] > 0, w
    for who in w["h5swim"], w["handtuned"]:
        assert len(who["times"]) == 1 and who["seconds"] > 0 and who["cpu_s"] > 0, w
assert "plain HDF5" in said["works"][0]["peers"]
assert said["works"][9]["first_block_ms"] > 0 and said["works"][10]["vm_hwm"] > 0
assert said["works"][11]["safe_s"] > 0 and said["works"][11]["unsafe_s"] > 0
share = said["works"][12]["share"] # None: there is no perf, or it may not look
assert share is None or 0 <= share < 100, share
END
passed "it measures each work, and all come to the same results"

# A hand-tuned program that makes something else is noticed.
mkdir "$tmp/other"
cp -r "$SWIM_BUILD/bin" "$SWIM_BUILD/lib" "$tmp/other"
mkdir "$tmp/other/tests"
cp -r "$SWIM_BUILD/tests/handtuned" "$SWIM_BUILD/tests/bench_kernels" \
    "$SWIM_BUILD/tests/data" "$tmp/other/tests"
cp "$tmp/other/tests/handtuned/raw_map" "$tmp/other/tests/handtuned/stencil"
SWIM_BUILD=$tmp/other expect_status 1 "$bench" --size 1 --runs 1 --peer-runs 0 --only stencil
grep -q '^bench: stencil: hand-tuned: .* values differ' "$tmp/err" ||
    fail "another result was not noticed"
passed "another result is noticed"
