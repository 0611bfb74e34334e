#!/usr/bin/env bash
# A hundred processes write one file, each at any time it likes: all commit, nothing is
# lost, and nobody waits for much longer than the queue before it takes.  Every fifth is
# h5py under h5swim exec, the others are programs over h5swim/file.h.  With SWIM_LONG=1
# they have more turns, three times.
#
# Fair share: the longest queue that a writer found (others that had asked, and had not
# given the file back) times the mean of a turn (from when one has the file until the
# next one has it, where that one was waiting).  Both as they were in this run.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

writers=100 turns=3 h5py_turns=2 rounds=1
if [ "${SWIM_LONG:-}" = 1 ]; then turns=30 h5py_turns=15 rounds=3; fi
mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_SERVER_IDLE_S=20 PYTHONDONTWRITEBYTECODE=1

cat > turns.py <<'PY'
import sys, time
import h5py
name, turns = sys.argv[1], int(sys.argv[2])
for turn in range(turns):
    asked = time.monotonic_ns()
    with h5py.File("shared.h5", "r+") as f:
        had = time.monotonic_ns()
        own = f.require_dataset("own/" + name, (), "i8")
        own[()] += 1
        f["total"][()] += 1
        f[f"more/{name}/{turn}"] = [turn] * 1000
    print(asked, had, time.monotonic_ns())
PY

# is_whole: as plain HDF5 has it.
is_whole() {
    "$python" - "$writers" "$turns" "$h5py_turns" <<'PY'
import sys
import h5py
writers, turns, h5py_turns = map(int, sys.argv[1:])
with h5py.File("shared.h5", "r") as f:
    total = 0
    for w in range(writers):
        want = turns if w % 5 else h5py_turns
        got = int(f[f"own/{w}"][()]) if f"own/{w}" in f else 0
        assert got == want, f"writer {w}: {got} of {want} turns are in the file"
        total += want
        for turn in range(0 if w % 5 else h5py_turns):
            assert (f[f"more/{w}/{turn}"][:] == turn).all(), (w, turn)
    assert f["total"][()] == total, f"{f['total'][()]} of {total} turns were counted"
PY
}

# waits_are_fair: of the times that the writers printed.
waits_are_fair() {
    "$python" - times.* <<'PY'
import bisect, sys
visits = sorted(tuple(map(int, line.split())) for name in sys.argv[1:] for line in open(name))
asked = [v[0] for v in visits]
gave = sorted(v[2] for v in visits)
queue = [i - bisect.bisect(gave, a) for i, a in enumerate(asked)]
by_turn = sorted(visits, key=lambda v: v[1])
turns = [b[1] - a[1] for a, b in zip(by_turn, by_turn[1:]) if b[0] < a[1]]
turn = sum(turns) / len(turns)
share = max(queue) * turn
longest = max(had - a for a, had, _ in visits)
print(f"{len(visits)} turns of {turn / 1e6:.2f} ms, {len(turns)} of them waited for; longest queue "
      f"{max(queue)}, fair share {share / 1e6:.0f} ms; longest wait {longest / 1e6:.0f} ms: "
      f"{longest / share:.2f} x the fair share")
assert max(queue) >= 50, "the writers have hardly met: this test shows nothing"
assert longest <= 3 * share, "longer than 3 x the fair share"
PY
}

one_round() {
    local pids=() w
    rm -f shared.h5 times.*
    "$python" -c 'import h5py
h5py.File("shared.h5", "w").create_dataset("total", data=0, dtype="i8")'
    for ((w = 0; w < writers; w++)); do
        if [ $((w % 5)) = 0 ]; then
            "$h5swim" exec -- "$python" turns.py $w $h5py_turns >times.$w 2>err.$w &
        else
            "$SWIM_BUILD/tests/writer_turns" shared.h5 $w $turns >times.$w 2>err.$w &
        fi
        pids+=($!)
    done
    for ((w = 0; w < writers; w++)); do
        wait "${pids[$w]}" || fail "writer $w did not commit: status $?, $(cat err.$w)"
    done
    is_whole || fail "turns are lost"
    expect_status 0 "$h5swim" check shared.h5
    [ ! -e shared.h5.swimlog ] || fail "a journal is left"
    waits_are_fair || fail "a writer waited for too long"
}

for ((round = 1; round <= rounds; round++)); do
    one_round
    passed "$writers writers of one file: all have committed, nothing is lost"
done
"$h5swim" serve stop --force >/dev/null 2>&1 || true # it would wait for others, 20 s
