#!/usr/bin/env bash
# h5swim run --join: ranks come to a job that runs, leave it by a signal, die, come back,
# and are refused where they do not belong; its result is the same, and nothing is left.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
lease=4000
export SWIM_CACHE_DIR=$tmp/cache SWIM_LEASE_MS=$lease NAP_MS=100
start_redis "$tmp/redis.sock"
export SWIM_REDIS_URL=unix://$tmp/redis.sock
say() { redis-cli -s "$tmp/redis.sock" "$@"; }
"$python" - <<'PY'
import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    f.create_dataset("U", data=np.arange(2400 * 64, dtype="f4").reshape(2400, 64), chunks=(1, 64))
PY
printf '%s\n' "kernel: $support/kernels/told.c" "params: {until: '$PWD/enough'}" \
    'inputs: {u: {file: in.h5, dataset: U}}' 'outputs: {y: {file: out.h5, dataset: Y}}' \
    'block: [1, 64]' 'memory: 1 MiB' >told.yaml
printf '%s\n' "kernel: $support/kernels/breaks_sum.c" "params: {where: '$PWD/where'}" \
    'inputs: {u: {file: in.h5, dataset: U}}' 'outputs: {y: {file: sum.h5, dataset: Y}}' \
    'block: [16, 16]' 'memory: 1 MiB' >sum.yaml
touch where
"$h5swim" run told.yaml --dry-run >/dev/null # compiles

did() { [ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -ge "$2" ]; } # WHO N: blocks computed
ended() { ! kill -0 "$1" 2>/dev/null; }
# run WHO ARGUMENT...: in the background, $pid.
run() {
    local who=$1
    shift
    WHO=$PWD/$who "$h5swim" run "$@" >"$who.out" 2>"$who.err" &
    pid=$!
}
# status PID WANT WHO
status() {
    local got=0
    wait "$1" || got=$?
    [ "$got" = "$2" ] || fail "$3: status $got, not $2: $(cat "$3.out" "$3.err")"
}
tree() { # a process and all below it
    local child
    echo "$1"
    for child in $(pgrep -P "$1"); do tree "$child"; done
}
writer_of() { tree "$1" | tail -n 1; } # of one that has joined: the last one forked
blocks() { "$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["blocks"])' "$1"; }
same_bits() {
    "$python" - <<'PY' || fail "out.h5 is not as one process alone would have written it"
import h5py, numpy as np
u, f = h5py.File("in.h5")["U"][:], h5py.File("out.h5")
assert np.array_equal(f["Y"][:], 2 * u + 1)
assert "h5swim_unfinished" not in f["Y"].attrs
PY
}
keys() { say KEYS '*' | grep -vE '^({h5swim}:(epoch|fence|sessions|grace)|{h5swim}:epoch:.*)?$'; }

# --- who may not -------------------------------------------------------------------------
expect_status 2 "$h5swim" run told.yaml --join
expect_line 'no job is at the output .*out.h5: start it with h5swim run'
expect_status 2 "$h5swim" run told.yaml --join -n 3 --readers 1
expect_line 'no job is at the output'
expect_status 2 "$h5swim" run told.yaml --join --resume
expect_line 'option --join: it cannot go with --resume'
passed "there must be a job"

run job told.yaml --readers 1 --json
job=$pid
await test -e out.h5
await did job 1
expect_status 2 "$h5swim" run told.yaml --join --set params.plus=2
expect_line 'join the job at the output .*out.h5: it is another job than the one here .here params.plus is 2, was not given.'
expect_status 1 env SWIM_CACHE_DIR=/dev/null/none "$h5swim" run told.yaml --join
[ "$(grep -c '' "$tmp/err")" = 1 ] || fail "a kernel that cannot be had: $(cat "$tmp/err")"
kill -0 $job || fail "the job has not outlived those that cannot join"
# Another build of h5swim, and nonsense.
box=$(say PUBSUB CHANNELS '*join:*')
timeout 20 redis-cli -s "$tmp/redis.sock" SUBSCRIBE '{h5swim}:told:0:join:there:1:1' >answers &
subscriber=$!
await grep -qs subscribe answers
say PUBLISH "$box" 'h5swim-join 0/8/8/little R there:1:1 x' >/dev/null
say PUBLISH "$box" 'h5swim-join' >/dev/null
await grep -q 'h5swim-join .* X .*the other side is another build of h5swim (0/8/8/little' answers
kill $subscriber
passed "another job, a broken installation and another build are refused, and the job goes on"

# --- coming, leaving, dying, coming back -------------------------------------------------
run stays told.yaml --join -n 2 --readers 2 --json
stays=$pid
run leaves told.yaml --join --readers 1
await did stays 5
# Letters are lost: both ends listen anew, and what was under way is asked again.
for ((i = 0; i < 4; i++)); do
    was=$(stat -c %s stays)
    say CLIENT KILL TYPE pubsub >/dev/null
    await did stays $((was + 20))
done
await did leaves 5
kill -TERM $pid
status $pid 143 leaves
grep -qE 'joined with 1 ranks, 1 readers: [1-9][0-9]* blocks in .*left by a signal' leaves.out || fail "leaves: $(cat leaves.out)"
[ ! -s leaves.err ] || fail "leaves: $(cat leaves.err)"
was=$(stat -c %s leaves)
run leaves told.yaml --join --readers 1
await did leaves $((was + 5))
kill -INT $pid
status $pid 130 leaves
was=$(stat -c %s leaves)
run leaves told.yaml --join --readers 1
await did leaves $((was + 5))
mapfile -t all < <(tree $pid)
kill -KILL $pid # alone: the rank leaves in order
status $pid 137 leaves 2>/dev/null
for rank in "${all[@]}"; do await ended "$rank"; done
passed "letters are lost; one leaves by SIGTERM, one by SIGINT, one when what started it is killed"

# Killed with its writer inside the output: seen by the lock, while the writer is stopped.
run dies told.yaml --join --readers 2
dies=$pid
await did dies 5
writer=$(writer_of $dies)
holds() { "$h5swim" locks out.h5 | grep -qE "UPDATE.*:${writer}[ :]"; }
for ((i = 0; i < 1000; i++)); do
    kill -STOP "$writer"
    if holds; then break; fi
    kill -CONT "$writer"
    sleep 0.00$((RANDOM % 9))
done
holds || fail "the writer was not met inside the output"
mapfile -t all < <(tree $dies)
kill -KILL "${all[@]}"
status $dies 137 dies 2>/dev/null # bash tells of it
before=$(stat -c %s stays)
await did stays $((before + 5)) # nobody waits for the dead
run dies told.yaml --join --readers 1 # comes back
back=$pid
was=$(stat -c %s dies)
await did dies $((was + 3))
passed "one dies with its writer inside the output, and comes back"

# Its disk: no file may grow there.
(
    ulimit -f 1
    exec "$h5swim" run told.yaml --join --readers 1 --quiet
) >disk.out 2>disk.err &
disk=$!
status $disk 1 disk
[ "$(grep -c 'h5swim: ' disk.err)" = 1 ] || fail "disk: $(cat disk.err)"
passed "one whose writer cannot write leaves: $(cat disk.err)"

touch enough
status $job 0 job
status $stays 0 stays
status $back 0 dies
same_bits
[ ! -s stays.err ] || fail "stays: $(cat stays.err)"
by_stays=$(blocks stays.out)
[ "$by_stays" -gt 0 ] || fail "no block by those that stayed"
"$python" - job.out <<'PY' || fail "the job's summary: $(cat job.out)"
import json, sys
r = json.load(open(sys.argv[1]))
assert r["status"] == "done" and r["blocks"] == r["blocks_in_all"] == 2400
assert r["ranks"] == 1 and r["readers"] == 1
j = r["joined"] # 2 that stayed, 3 that left, 1 that died and came back, 1 with a bad disk
assert j["ranks"] == 8 and j["readers"] == 11 and 0 < j["blocks"] < 2400, j
PY
computed=$(cat job stays leaves dies | wc -c)
[ "$computed" -ge 2400 ] || fail "only $computed blocks were computed"
[ "$computed" -le 2560 ] || fail "$computed blocks were computed for 2400"
passed "the result has the same bits; $by_stays blocks by two that stayed, $((computed - 2400)) computed twice"

await no_process
# Sessions that were killed are forgotten when somebody comes after their lease.
nothing_left() { lock_is_free in.h5 && lock_is_free out.h5 && [ -z "$(keys)" ]; }
await nothing_left
passed "no process is left, and nothing in the lock server"

# --- two phases; rank 0 dies and is started again ----------------------------------------
NAP_MS=0 "$h5swim" run sum.yaml -n 1 --quiet --set 'outputs.y.file=alone.h5'
NAP_MS=15 run job sum.yaml -n 2 --readers 1 --json
job=$pid
await test -e sum.h5
NAP_MS=15 run helps sum.yaml --join -n 2 --readers 1
helps=$pid
joined() { say PUBSUB CHANNELS '*join:*' | grep -c join | grep -qx "$1"; }
await joined 3
kill -KILL "$(pgrep -P $job | head -n 1)"
status $job 0 job
status $helps 0 helps
compare alone.h5 Y sum.h5 Y >/dev/null || fail "a reduction with those that joined"
grep -qE ': [1-9][0-9]* blocks in .*all blocks of the job are done' helps.out || fail "helps: $(cat helps.out helps.err)"
passed "a reduction: rank 0 dies, those that have joined go on with the next"

# --- the end that is no good one ---------------------------------------------------------
rm -f enough out.h5 helps
few=(--set 'block=[6, 64]')
run job told.yaml --readers 1 "${few[@]}"
job=$pid
await test -e out.h5
run helps told.yaml --join -n 2 --readers 2 --quiet "${few[@]}"
helps=$pid
await did helps 5
was=$(stat -c %s job)
await did job $((was + 8)) # who came has not taken all that was left
kill -TERM $job
status $job 143 job
status $helps 1 helps
expect_line 'the job was stopped by SIGTERM' helps.err

# All of one that has joined are stopped for longer than a lease: its blocks are others'.
run job told.yaml --resume --readers 1 --json "${few[@]}"
job=$pid
await joined 1
rm -f sleeps
run sleeps told.yaml --join --readers 1 --quiet "${few[@]}"
sleeps=$pid
await did sleeps 3
# Not inside a commit: then its flock keeps all others out, for as long as it sleeps.
mapfile -t all < <(tree $sleeps)
writer=$(writer_of $sleeps)
inside() { grep -q "FLOCK.* $writer " /proc/locks; }
kill -STOP "$writer"
while inside; do
    kill -CONT "$writer"
    sleep 0.01
    kill -STOP "$writer"
done
kill -STOP "${all[@]}"
touch enough
status $job 0 job
same_bits
kill -CONT "${all[@]}"
status $sleeps 1 sleeps
[ "$(grep -c '^h5swim: ' sleeps.err)" = 1 ] || fail "sleeps: $(cat sleeps.err)"
passed "a job that is stopped says so; one that sleeps is not waited for: $(grep ^h5swim: sleeps.err)"

# --- a server that is away ----------------------------------------------------------------
# In its place somebody counts who comes, and lets nobody in.
rm -f enough out.h5 job alone
redis-server --port 0 --unixsocket "$tmp/away.sock" --save '' --dir "$tmp" >away.out 2>&1 &
server=$!
there() { redis-cli -s "$tmp/away.sock" ping >/dev/null 2>&1; }
await there
redis-cli -s "$tmp/away.sock" SET '{h5swim}:fresh' 1 >/dev/null
export SWIM_REDIS_URL=unix://$tmp/away.sock SWIM_LEASE_MS=8000
run job told.yaml --readers 1
job=$pid
await did job 1
run alone told.yaml --join -n 1 --readers 1
alone=$pid
await did alone 1
kill -KILL $server $job # the job is not to connect as well
wait $server $job 2>/dev/null || true
"$python" - "$tmp/away.sock" $alone >counted <<'PY'
import os, socket, sys, time
path, pid, n = sys.argv[1], int(sys.argv[2]), 0
if os.path.exists(path):
    os.remove(path)
s = socket.socket(socket.AF_UNIX)
s.bind(path)
s.listen(64)
s.settimeout(0.1)
until = time.time() + 30
while os.path.exists(f"/proc/{pid}") and open(f"/proc/{pid}/stat").read().split()[2] != "Z" and time.time() < until:
    try:
        s.accept()[0].close()
        n += 1
    except TimeoutError:
        pass
print(n)
PY
status $alone 1 alone
[ "$(cat counted)" -lt 1500 ] || fail "one that has joined came $(cat counted) times"
passed "one that has joined does not storm a server that is away: $(cat counted) connections"
export SWIM_REDIS_URL=unix://$tmp/redis.sock SWIM_LEASE_MS=$lease

# --- under mpirun ------------------------------------------------------------------------
if command -v mpirun >/dev/null; then
    rm -f enough out.h5 job helps
    WHO=$PWD/job mpirun --oversubscribe -n 2 "$h5swim" run told.yaml --readers 1 --json >job.out 2>job.err &
    job=$!
    await did job 1
    run helps told.yaml --join -n 2 --readers 1
    helps=$pid
    await did helps 20
    touch enough
    status $job 0 job
    status $helps 0 helps
    same_bits
    grep -qE '"joined":.?."ranks":2,"readers":2,"blocks":[1-9]' job.out || fail "mpirun: $(cat job.out)"
    passed "a job under mpirun is joined"
else
    echo "skipped: no mpirun"
fi
await no_process
