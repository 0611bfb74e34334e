#!/usr/bin/env bash
# A job beside h5py programs under h5swim exec, all at once: one writes its input, one
# reads it, two write datasets of their own into its output, one reads that.  The job
# reads one state and ends; what others were told is committed is in the output beside
# it; who reads sees whole commits of all.  Several rounds, each with other ranks; more
# with SWIM_LONG=1.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"
# shellcheck source=tests/support/jobstore.sh
. "$(dirname "$0")/../support/jobstore.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_SERVER_IDLE_S=20 NAP_MS=50 PYTHONDONTWRITEBYTECODE=1
# shellcheck disable=SC2016 # it is known when the test ends
on_exit 'touch "$tmp/work/enough"' # for the programs beside
job_store_files

# Reads the input again and again: each time all of U is of one commit.
cat > input_reader.py <<'PY'
import h5py, os
open("ready.input_reader", "w")
seen = set()
while not os.path.exists("enough"):
    with h5py.File("in.h5", "r") as f:
        u = f["U"][:]
        whole = all((d[:] == d[0]).all() for d in f.get("more", {}).values())
    assert (u == u[0, 0]).all() and whole, "the input is not of one commit"
    seen.add(int(u[0, 0]))
with open("seen", "w") as f:
    print(len(seen), file=f)
PY
# Counts in datasets of its own in the output, as long as that is unfinished; how far it
# came in which output goes to a file.
cat > output_writer.py <<'PY'
import h5py, os, sys, time
name = sys.argv[1]
open("ready.output_writer" + name, "w")
mark, n = "", 0
while not os.path.exists("enough"):
    with h5py.File("out.h5", "r+") as f:
        now = f["Y"].attrs.get("h5swim_unfinished", b"")
        if now:
            n = n + 1 if now == mark else 1
            mark = now
            own = f.require_group("by/" + name)
            own.attrs["mark"] = mark
            own.require_dataset("count", (4000,), "i4")[:] = n
            own.create_dataset(str(n), data=[n] * 100)
    if now:
        with open("wrote." + name, "w") as f:
            print(mark.decode() if isinstance(mark, bytes) else mark, n, file=f)
    time.sleep(0.02)
PY
# Reads the output again and again: blocks are whole, counts are, and never go back.
cat > output_reader.py <<'PY'
import h5py, os
open("ready.output_reader", "w")
states, last = set(), {}
while not os.path.exists("enough"):
    with h5py.File("out.h5", "r") as f:
        mark = f["Y"].attrs.get("h5swim_unfinished", b"")
        y, z = f["Y"][:], f["Z"][:]
        counts = {w: g["count"][:] for w, g in f.get("by", {}).items()}
        parts = {w: len(g) - 1 for w, g in f.get("by", {}).items()}
    assert ((y != -1) == (z != -1)).all(), "one output of a block without the other"
    assert set((y != -1).sum(1)) <= {0, 64}, "a part of a block"
    for w, c in counts.items():
        assert (c == c[0]).all() and parts[w] == c[0], f"a part of a commit of {w}"
    if mark:
        done = int((y != -1).sum()) // 64
        for key, value in [("done", done), *((w, int(c[0])) for w, c in counts.items())]:
            assert value >= last.get((mark, key), 0), f"{key} went back"
            last[mark, key] = value
        states.add((done, *sorted(int(c[0]) for c in counts.values())))
with open("states", "w") as f:
    print(len(states), file=f)
PY

# is_whole: what plain HDF5 finds in the output when all have ended.
is_whole() {
    "$python" - <<'PY'
import h5py
with h5py.File("out.h5", "r") as f:
    for name in ("one", "two"):
        mark, n = open("wrote." + name).read().split()
        own = f["by/" + name]
        got = own.attrs["mark"]
        assert (got.decode() if isinstance(got, bytes) else got) == mark
        assert (own["count"][:] == int(n)).all(), f"{name}: {own['count'][0]} of {n} commits"
        assert all((own[str(i)][:] == i).all() for i in range(1, int(n) + 1))
        assert int(n) >= 3, f"{name} has written {n} times only: this shows nothing"
PY
}

beside() { # PROGRAM [NAME]: starts it, and waits until it runs
    "$h5swim" exec -- "$python" "$@" &
    pids+=($!)
    for _ in $(seq 1000); do
        if [ -e "ready.${1%.py}${2:-}" ]; then return; fi
        sleep 0.02
    done
    fail "it did not start: $*"
}
one_round() { # LAUNCHER... -- OPTION...
    local launch=() pids=() pid
    while [ "$1" != -- ]; do
        launch+=("$1")
        shift
    done
    shift
    rm -f enough wrote.* ready.* seen states
    input_writer &
    pids+=($!)
    beside input_reader.py
    beside output_writer.py one
    beside output_writer.py two
    beside output_reader.py
    expect_status 0 "${launch[@]}" "$h5swim" run pair.yaml --quiet --overwrite "$@"
    one_state out.h5
    touch enough
    for pid in "${pids[@]}"; do
        wait "$pid" || fail "a program beside the job: status $?"
    done
    is_whole || fail "commits of others are lost"
    expect_status 0 "$h5swim" check out.h5
    if [ -e in.h5.swimlog ] || [ -e out.h5.swimlog ]; then fail "a journal is left"; fi
    if [ "$(cat seen)" -lt 3 ] || [ "$(cat states)" -lt 5 ]; then
        fail "readers saw $(cat seen) and $(cat states) states only: this shows nothing"
    fi
    passed "${launch[*]:-fork} $*: $(cat seen) states of the input and $(cat states) of the output were seen"
}

"$h5swim" run pair.yaml --quiet # there is an output, so that all find one
rounds=1
if [ "${SWIM_LONG:-}" = 1 ]; then rounds=8; fi
for ((round = 0; round < rounds; round++)); do
    one_round -- -n 1 --readers 2
    one_round -- -n 3 --readers 1
    if command -v mpirun >/dev/null; then
        one_round mpirun --oversubscribe -n 2 -- --readers 1
    fi
done
"$h5swim" serve stop >/dev/null # nobody uses it any more
