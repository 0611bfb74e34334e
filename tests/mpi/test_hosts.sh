#!/usr/bin/env bash
# A job on two hosts: its launcher dies on one of them, and each host has a shard.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$support/locklib.sh"
# shellcheck source=tests/support/jobstore.sh
. "$support/jobstore.sh"
export HOSTS_DIR=$tmp/hosts
# shellcheck source=tests/support/hosts.sh
. "$support/hosts.sh"
# shellcheck source=tests/support/mpihosts.sh
. "$support/mpihosts.sh"

mpihosts_up 'a job on two hosts whose launcher dies, or that has shards,'
job_right_files
job_nap_ms=150 # so that a job is killed before it is done


orted_pid() { on_hosts_runs orted | sed -n 's/^\([0-9]*\) [^ ]*orted .*/\1/p'; }
# is_killed WHAT PID: in the middle of the job; nobody is left on either host.
is_killed() {
    local from
    from=$(date +%s%3N)
    kill -KILL "$2"
    job_ends 1 137 205
    nothing_left "SIGKILL of $1"
    gone_ms=$(($(date +%s%3N) - from))
}
# lock_is_had WHAT: of the output, by another, in the lease (SWIM_LEASE_MS) at most.
lock_is_had() {
    (hosts_on h2 "$hold_lock" "$PWD/out.h5" write "$SWIM_LEASE_MS" </dev/null) \
        >"$tmp/lock_out" 2>&1 || fail "$1: $(cat "$tmp/lock_out")"
}
# goes_on COMMAND...: from where it stood, by this, to the same bits.
goes_on() {
    local read_anew
    expect_status 0 "$@" "$h5swim" run pair.yaml --readers 1 --resume --json "${job_options[@]}"
    read_anew=$("$python" -c 'import json, sys
print(json.load(sys.stdin)["bytes_read"] // 256)' <"$tmp/out") # rows, of 64 floats
    if [ "$read_anew" -ge 120 ] || [ "$read_anew" -le 0 ]; then
        fail "the job went on with $read_anew of 120 blocks"
    fi
    right
    passed "$read_anew of 120 blocks were left to do, and the same bits came of it"
}
on_one() { (hosts_on h1 timeout -k 5 60 "${mpi[@]}" "${handed[@]}" --host h1:2 "$@"); }

# --- its launcher is killed -----------------------------------------------------------
job_begin
is_killed 'orted on h2' "$(orted_pid)"
goes_on on_hosts

# With a lock server that outlives the job locks have to be given back, or run out.
hub_up
export SWIM_REDIS_URL=$url
for what in orted mpirun; do
    job_begin
    [ $what = mpirun ] && pid=$mpirun || pid=$(orted_pid)
    is_killed "$what, with a server that stays" "$pid"
    lock_is_had "$what was killed, nobody is there, and the lock is held"
    passed "$what was killed: nobody was left after $gone_ms ms, nor a lock"
    goes_on on_hosts
done
unset SWIM_REDIS_URL

# --- shards ---------------------------------------------------------------------------
shards() { find . -name 'out.shard-*.h5' -printf '%f\n' | tr -dc '0-9\n' | cut -c1-4 | sort | xargs; }
# writes node|rank WHO:SHARD...: who is seen to have shards open for writing, until all
# these are.  Rank 0 reads those of others, for the master.
writes() {
    "$python" - "$(hosts_pid h1)" "$(hosts_pid h2)" "$@" <<'PY' || fail "shards of a $1 are written by others"
import os, re, sys, time
spaces = {os.readlink(f"/proc/{p}/ns/net"): h for h, p in zip(("h1", "h2"), sys.argv[1:3])}
by, wanted, seen, until = sys.argv[3], set(sys.argv[4:]), set(), time.time() + 20
def writable(pid, fd):
    flags = re.search(r"^flags:\s*([0-7]+)$", open(f"/proc/{pid}/fdinfo/{fd}").read(), re.M)
    return int(flags.group(1), 8) & os.O_ACCMODE != os.O_RDONLY
def look(pid):
    host = spaces.get(os.readlink(f"/proc/{pid}/ns/net"))
    for fd in os.listdir(f"/proc/{pid}/fd") if host else ():
        shard = re.search(r"/out\.shard-(\d+)-[0-9a-f]{8}\.h5$", os.readlink(f"/proc/{pid}/fd/{fd}"))
        if shard and writable(pid, fd):
            rank = re.search(rb"\0OMPI_COMM_WORLD_RANK=(\d+)\0", open(f"/proc/{pid}/environ", "rb").read())
            seen.add(f"{host if by == 'node' else rank.group(1).decode()}:{shard.group(1)}")
while not wanted <= seen and time.time() < until:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            look(pid)
        except OSError:
            pass # it has ended, or has closed it
sys.exit(0 if seen == wanted else f"seen {sorted(seen)}, not {sorted(wanted)}")
PY
}
# shard_blocks: "SHARD:N", how many blocks each has, as it says itself.
shard_blocks() {
    "$h5swim" exec -- "$python" - <<'PY'
import glob, h5py, numpy as np
for name in sorted(glob.glob("out.shard-*.h5")):
    n = np.unpackbits(h5py.File(name)["h5swim_progress"][:]).sum()
    if n:
        print(f"{name[10:14]}:{n}")
PY
}
# master_blocks: the same, as the master maps them, which HDF5 alone reads.
master_blocks() {
    "$python" - <<'PY'
import collections, h5py
n = collections.Counter()
for s in h5py.File("out.h5")["Y"].virtual_sources():
    n[s.file_name[10:14]] += s.src_space.get_select_npoints() // 64
print(*(f"{shard}:{k}" for shard, k in sorted(n.items())), sep="\n")
PY
}
# sharded node|rank OTHERS WRITER:SHARD...: the job with these shards is killed, and h1
# alone does the rest; those that match OTHERS are h2's, and stay as they are.
sharded() {
    local by=$1 others=$2 theirs
    shift 2
    job_options=(--set outputs.y.layout=sharded --set outputs.z.layout=sharded
        --set "outputs.y.shards=$by" --set "outputs.z.shards=$by")
    job_begin
    writes "$by" "$@"
    is_killed "mpirun, with a shard of each $by" "$mpirun"
    theirs=$(shard_blocks | grep -E "$others" | xargs)
    goes_on on_one
    [ "$(shards)" = "${*#*:}" ] || fail "shards: $(shards), not ${*#*:}"
    [ "$(master_blocks | grep -E "$others" | xargs)" = "$theirs" ] ||
        fail "h2 had done $theirs, and the master has of it $(master_blocks | xargs)"
    [ "$(master_blocks | awk -F: '{ n += $2 } END { print n }')" = 120 ] ||
        fail "the master maps $(master_blocks | xargs)"
    private_ends
    passed "one host goes on with the shards of each $by, of h2 ($theirs) too: $(master_blocks | xargs)"
}
sharded node '^0001' h1:0000 h2:0001
sharded rank '^000[23]' 0:0000 1:0001 2:0002 3:0003
