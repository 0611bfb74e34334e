#!/usr/bin/env bash
# A job's writer, reader, rank or driver killed at random moments while another program
# keeps datasets in its output file: the file is whole afterwards, with those, and each
# block is there or not, in both outputs.  SWIM_SEED repeats a run.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/jobstore.sh
. "$(dirname "$0")/../support/jobstore.sh"

rounds=${SWIM_ROUNDS:-12}
seed=${SWIM_SEED:-$((EPOCHSECONDS % 32768))}
RANDOM=$seed
echo "SWIM_SEED=$seed"
mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_SERVER_IDLE_S=20 NAP_MS=50
job_store_files

# victim DRIVER ROLE: the driver, its first rank, that one's reader or writer.
victim() {
    local rank
    rank=$(below "$1" | head -n 1)
    case $2 in
    driver) echo "$1" ;;
    rank) echo "$rank" ;;
    *) of_rank "$rank" "$2" ;;
    esac
}
another_file() { [ "$(stat -c %i out.h5)" != "$1" ]; }
# look HOW: the datasets of round $kept, and blocks that are whole.  HOW: what runs python.
look() {
    "$@" "$python" - "$kept" <<'PY' || fail "round $round, seed $seed: out.h5 after a kill ($*)"
import h5py, sys
f = h5py.File("out.h5", "r")
kept = int(sys.argv[1])
if kept:
    old = f["old"]
    assert old.attrs["round"] == kept
    assert (old["plain"][:] == kept).all() and (old["packed"][:] == kept).all()
y, z = f["Y"][:], f["Z"][:]
assert set((y != -1).sum(1)) <= {0, 64}
assert ((y != -1) == (z != -1)).all(), "one output of a block without the other"
assert (y[y != -1] == 0).all() and (z[z != -1] == 1).all()
PY
}
# keep ROUND: another program adds its datasets to the output of the job that runs.
keep() {
    "$h5swim" exec -- "$python" - "$1" <<'PY'
import h5py, sys
n = int(sys.argv[1])
with h5py.File("out.h5", "r+") as f:
    g = f.create_group("old")
    g.attrs["round"] = n
    g["plain"] = [n] * 5000
    g.create_dataset("packed", data=[n] * 100000, chunks=(1000,), compression=1)
PY
}

expect_status 0 "$h5swim" run pair.yaml --quiet
kept=0 journals=0
keep 1
kept=1
for ((round = 2; round <= rounds + 1; round++)); do
    roles=(writer rank driver reader)
    role=${roles[$((round % 4))]}
    before=$(stat -c %i out.h5)
    "$h5swim" run pair.yaml -n 2 --readers 1 --quiet --overwrite 2>err &
    job=$!
    if [ $((RANDOM % 4)) = 0 ]; then
        sleep "0.0$((RANDOM % 10))" # also before the new file has the name
    else
        await another_file "$before"
        keep $round || fail "round $round: the other program could not write: $(cat err)"
        kept=$round
        sleep "0.$((RANDOM % 7))"
    fi
    pid=$(victim $job "$role") || true # it is over already
    kill -KILL "${pid:-$job}" 2>/dev/null || true
    wait $job 2>/dev/null || true
    await no_process
    if [ "$(stat -c %i out.h5)" != "$before" ] && [ $kept != $round ]; then
        kept=0 # the new file came before it could be kept
    fi
    expect_status 0 "$h5swim" check out.h5
    journals=$((journals + $(find . -name out.h5.swimlog | wc -l)))
    if [ $((RANDOM % 2)) = 0 ]; then
        "$h5swim" recover out.h5 --apply >recovered 2>&1 || fail "recover: $(cat recovered)"
    else
        look "$h5swim" exec -- # the session that ends last copies the journal
    fi
    [ ! -e out.h5.swimlog ] || fail "round $round: the journal is still there"
    h5dump out.h5 >dump 2>&1 || fail "h5dump: $(tail -n 3 dump)"
    look
    echo "round $round: $role, kept $kept, $("$python" -c 'import h5py
print((h5py.File("out.h5")["Y"][:, 0] != -1).sum(), "blocks")')"
done
passed "the file was whole after each of $rounds kills, $journals of which left a journal"

# One that is only told to go leaves nothing beside, four times.  Its writer has 400 ms for
# that: one that gets no time on a busy host leaves the journal, and does not count.
tidy=0
for ((round = 1; tidy < 4; round++)); do
    rm -f out.h5
    NAP_MS=200 "$h5swim" run pair.yaml --quiet 2>err &
    job=$!
    await test -e out.h5.swimlog
    began=$(date +%s%3N)
    kill -TERM $job
    status=0
    wait $job || status=$?
    took=$(($(date +%s%3N) - began))
    [ $status = 143 ] || fail "status $status after SIGTERM: $(cat err)"
    if [ "$(echo out.h5.*)" = 'out.h5.*' ]; then
        tidy=$((tidy + 1))
    elif [ $took -lt 400 ] || [ $round -ge 20 ]; then
        fail "beside it $took ms after SIGTERM, round $round: $(echo out.h5.*)"
    else
        await no_process
        expect_status 0 "$h5swim" recover out.h5 --apply
        [ "$(echo out.h5.*)" = 'out.h5.*' ] || fail "beside it, recovered: $(echo out.h5.*)"
    fi
    kept=0
    look
done
passed "what was committed before SIGTERM is in the file itself"

# Ranks that wait for another job to be done with the output, for hours perhaps.
waits() { grep -qs 'another job is at the output' err; }
for n in 1 2; do
    rm -f err go
    NAP_MS=500 "$h5swim" run pair.yaml -n 1 --readers 1 --quiet --overwrite 2>first.err &
    first=$!
    await test -e out.h5.swimlog
    "$h5swim" run pair.yaml -n $n --readers 1 --overwrite >out 2>err &
    job=$!
    await waits
    kill -KILL $job
    touch go
    wait $job 2>/dev/null || true
    wait $first || fail "the job that is first: $(cat first.err)"
    await no_process
    if grep -q 'have died' err; then fail "-n $n: a rank that lives is said dead: $(cat err)"; fi
    grep -q 'blocks *120' out || fail "-n $n, its driver killed: $(cat out err)"
    one_state out.h5
done
passed "a job that waits for another one goes on when its driver is killed"

expect_status 0 "$h5swim" run pair.yaml -n 2 --quiet --overwrite
one_state out.h5
passed "the job run again gives the right result"
"$h5swim" serve stop >/dev/null # nobody uses it any more
