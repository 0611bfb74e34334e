#!/usr/bin/env bash
# layout: sharded by run.sbatch: each node, or each rank, has the shard of its number, the
# master is read with HDF5 alone; cancelled and continued on other nodes, the same bits.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$support/locklib.sh"
# shellcheck source=tests/support/slurm.sh
. "$support/slurm.sh"
# shellcheck source=tests/support/slurmlib.sh
. "$support/slurmlib.sh"

slurm_or_skip
slurm_up 4 4
mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_LEASE_MS=4000
slow_job_under_slurm 400 where # /HOST of its output tells which node was at it
"$h5swim" run slow.yaml --quiet --set params.ms=0 --set outputs.y.file=one.h5 \
    --set outputs.host.file=one.h5
sharded=(--set outputs.y.layout=sharded --set outputs.host.layout=sharded)
by_rank=("${sharded[@]}" --set outputs.y.shards=rank --set outputs.host.shards=rank)

# on NODE,NODE... OPTION...: slow.yaml there, with that many ranks on each that $ranks says.
ranks=1
on() {
    local nodes=$1
    shift
    submit run --nodelist="$nodes" --nodes="$(tr , '\n' <<<"$nodes" | wc -l)" \
        --ntasks-per-node=$ranks --cpus-per-task=1 --time=10 -- slow.yaml "$@"
}
shards() { find . -name 'out.shard-*.h5' -printf '%f\n' | sort | tr -cd '0-9\n' | cut -c 1-4; }
expect_shards() { # NUMBER...
    [ "$(shards | xargs)" = "$*" ] || fail "shards: $(shards | xargs), not $*: $(cat "$job_out")"
}
# by_whom SHARD: on which nodes its blocks were done; every one of them in one shard alone.
by_whom() {
    "$python" - "$1" <<'PY'
import glob, h5py, sys
f = h5py.File(*glob.glob("out.shard-%s-*.h5" % sys.argv[1]))
print(*sorted({int(h) for h in f["HOST"][:, 0] if h != f["HOST"].fillvalue}))
PY
}
expect_nodes() { # SHARD NODE...
    local shard=$1
    shift
    [ "$(by_whom "$shard")" = "$*" ] || fail "shard $shard has blocks of $(by_whom "$shard"), not $*"
}
# master: how many blocks are in it, as one reads it who knows HDF5 alone.
master() {
    "$python" - <<'PY'
import h5py, sys
f, u = h5py.File("out.h5"), h5py.File("in.h5")["U"][:]
assert f["Y"].is_virtual and f["HOST"].is_virtual
y, h = f["Y"][:], f["HOST"][:]
done = (y == 2 * u).all(axis=1)
assert ((y == f["Y"].fillvalue).all(axis=1) | done).all(), "torn blocks"
assert ((h != f["HOST"].fillvalue).all(axis=1) == done).all(), "one output without the other"
print(done.sum())
PY
}
finished() { # it is whole, and so is each of its shards
    compare one.h5 Y out.h5 Y || fail "another result: $(cat "$job_out")"
    "$python" - <<'PY' || fail "the output is not finished: $(cat "$job_out")"
import glob, h5py
for name in ["out.h5", *glob.glob("out.shard-*")]:
    with h5py.File(name) as f:
        assert "h5swim_unfinished" not in f["Y"].attrs and "h5swim_progress" not in f, name
PY
    [ -z "$(find . -name '*.swimlog')" ] || fail "journals are left: $(ls)"
    slurm_until 20 nobody_left || slurm_fail "processes are left: $(run_pids)"
}
# Each has something to show: its blocks are found in the master, or in the shards.
all_there() {
    "$h5swim" exec -- "$python" - "$@" <<'PY' 2>/dev/null
import h5py, sys
h = h5py.File("out.h5")["HOST"][:, 0]
sys.exit(any((h == float(node)).sum() < 2 for node in sys.argv[1:]))
PY
}

# --- a shard of each node; other nodes go on ---------------------------------------------
on n1,n2 "${sharded[@]}"
slurm_until 60 all_there 1 2 || slurm_fail "n1 and n2 are not both at work: $(cat "$job_out")"
on_hub scancel "$job"
await_end CANCELLED
slurm_until 20 nobody_left || slurm_fail "processes are left: $(run_pids)"
expect_shards 0000 0001
expect_nodes 0000 1
expect_nodes 0001 2
kept=$(master)
[ "$kept" -ge 4 ] || fail "only $kept blocks are in the master"

on n2,n3,n4 "${sharded[@]}"
slurm_until 60 all_there 1 3 4 || slurm_fail "n3 and n4 are not both at work: $(cat "$job_out")"
touch enough
await_end COMPLETED
expect_shards 0000 0001 0002
expect_nodes 0000 1 2
expect_nodes 0001 2 3
expect_nodes 0002 4
finished
passed "n1 and n2, cancelled at $kept blocks, then n2, n3 and n4: three shards, the same bits"

# --- two ranks on each node ----------------------------------------------------------------
rm -f enough out*.h5
ranks=2
on n3,n4 "${sharded[@]}"
slurm_until 60 all_there 3 4 || slurm_fail "n3 and n4 are not both at work: $(cat "$job_out")"
touch enough
await_end COMPLETED
expect_shards 0000 0001
expect_nodes 0000 3
expect_nodes 0001 4
finished
rm -f enough out*.h5
on n3,n4 "${by_rank[@]}"
slurm_until 60 all_there 3 4 || slurm_fail "n3 and n4 are not both at work: $(cat "$job_out")"
touch enough
await_end COMPLETED
expect_shards 0000 0001 0002 0003
finished
passed "two ranks on each of two nodes: a shard of the node, or of each rank"
