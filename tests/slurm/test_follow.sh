#!/usr/bin/env bash
# A job by follow.sbatch on two nodes, over a dataset that a program of h5py extends at the
# same time: both have their share of it.  Warned of its time limit, requeued, cancelled or
# bereft of a rank in the middle, it goes on where it stood, and its output is that of one
# process over all rows.
# test_follow.sh [CASE...]: other cases, one after the other, on one job.
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
mkdir "$tmp/work" "$tmp/bin"
cd "$tmp/work"
# One node alone is slower than the instrument.
export SWIM_CACHE_DIR=$tmp/cache SWIM_LEASE_MS=4000 NAP_MS=200
[ $# -gt 0 ] || set -- warning

"$python" - <<'PY'
import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    u = f.create_dataset("U", (0, 8), "f4", maxshape=(None, 8), chunks=(1, 8))
    t = f.create_dataset("time", (0,), "i8", maxshape=(None,), chunks=(64,))
    t.make_scale("time")
    u.dims[0].attach_scale(t)
PY
printf '%s\n' "kernel: $support/kernels/told.c" "params: {until: '$PWD/enough'}" \
    'inputs: {u: {file: in.h5, dataset: U}}' 'outputs: {y: {file: out.h5, dataset: Y}}' \
    'follow: true' >job.yaml
"$h5swim" run job.yaml --dry-run >/dev/null # compiles the kernel
# Each node tells of its blocks in a file with its name.
printf '%s\n' '#!/bin/sh' "WHO=$PWD/\$(uname -n) exec $h5swim \"\$@\"" >"$tmp/bin/h5swim"
chmod +x "$tmp/bin/h5swim"
PATH=$tmp/bin:$PATH

# Appends a row in each session until there is a file "halt", and the attribute then.
cat >instrument.py <<'PY'
import h5py, numpy as np, os, time
while not os.path.exists("halt"):
    with h5py.File("in.h5", "r+") as f:
        r = f["U"].shape[0]
        f["U"].resize(r + 1, 0)
        f["U"][r] = np.arange(8) + r
        f["time"].resize((r + 1,))
        f["time"][r] = 10 * r
    time.sleep(0.02)
with h5py.File("in.h5", "r+") as f:
    f.attrs["h5swim_end"] = 1
PY
# look: the rows of in.h5, and those done of out.h5, which must be right; nobody may have
# torn the others, or added one.
look() {
    "$h5swim" exec -- "$python" - <<'PY'
import h5py, numpy as np
rows = h5py.File("in.h5")["U"].shape[0]
y = h5py.File("out.h5")["Y"]
assert y.shape[0] <= rows, (y.shape, rows)
done = (y[:] == 2 * (np.arange(y.shape[0])[:, None] + np.arange(8)[None, :]) + 1).all(axis=1)
assert ((y[:] == y.fillvalue).all(axis=1) | done).all(), "torn rows"
print(rows, done.sum())
PY
}
computed() { stat -c %s "$1" 2>/dev/null || echo 0; } # NODE: so many blocks
# fair: each has done some more than since_n1 and since_n2, and neither much more.
fair() {
    local n1=$(($(computed n1) - since_n1)) n2=$(($(computed n2) - since_n2))
    [ $n1 -ge 4 ] && [ $n2 -ge 4 ] && [ $n1 -le $((3 * n2)) ] && [ $n2 -le $((3 * n1)) ]
}
much() { [ $(($(computed n1) + $(computed n2) - since_n1 - since_n2)) -ge 100 ]; }
fair_or_much() { fair || much; }
await_both() { # WHAT
    since_n1=$(computed n1) since_n2=$(computed n2)
    slurm_until 60 fair_or_much || slurm_fail "$1: nothing is done: $(cat "$job_out")"
    fair || fail "$1: n1 has done $(computed n1) blocks and n2 $(computed n2)"
}
follow() { submit follow --nodelist=n1,n2 --nodes=2 --cpus-per-task=1 --time=10 -- job.yaml; }

# As --signal has it sent before the time limit.
case_warning() {
    on_hub scancel --batch --signal=USR1 "$job"
    slurm_until 30 restarted || slurm_fail "$1: the job is not requeued: $(cat "$job_out")"
    on_hub scontrol hold "$job" # until all was looked at
    grep -q 'follow.sbatch: to be continued' "$job_out" || fail "$1: $(cat "$job_out")"
    grep -q 'stopped by SIGTERM' "$job_out" || fail "$1: it was not SIGTERM: $(cat "$job_out")"
}

case_requeue() {
    on_hub scontrol requeue "$job"
    slurm_until 30 restarted || slurm_fail "$1: the job is not requeued: $(cat "$job_out")"
    on_hub scontrol hold "$job"
}

case_scancel() {
    on_hub scancel "$job"
    await_end CANCELLED
}

case_rank() {
    local pid
    for pid in $(pids_of "$job"); do
        if [ "$(nsenter -t "$pid" --uts hostname)" = n2 ]; then kill -KILL "$pid" || true; fi
    done
    await_end FAILED
}

goes_on() { # the job is where it was, or another one takes its place
    if slurm_is "$job" PENDING; then on_hub scontrol release "$job"; else follow; fi
}

lock_server_by_slurm --nodelist=n3
follow
slurm_until 60 test -e out.h5 || slurm_fail "there is no output: $(cat "$job_out")"
"$h5swim" exec -- "$python" instrument.py 2>instrument.err &
instrument=$!

n=0
for name in "$@"; do
    since=$SECONDS n=$((n + 1))
    await_both "$name"
    restarts=$(slurm_restarts "$job")
    "case_$name" "$name"
    slurm_until 20 nobody_of "$job" || slurm_fail "$name: left: $(pids_of "$job")"
    kill -0 $instrument || fail "the instrument: $(cat instrument.err)"
    read -r before kept < <(look)
    [ "${kept:-0}" -ge 4 ] || fail "$name: only ${kept:-none} of $before rows are kept"
    if [ $n = $# ]; then # the rest is written while nobody follows
        touch halt enough
        wait $instrument || fail "the instrument: $(cat instrument.err)"
        slurm_until 20 no_locks_held || fail "$name: locks are held: $(cat locks.json)"
    fi
    goes_on
    passed "$name: $kept of $before rows kept, nobody is left ($((SECONDS - since)) s)"
done
await_end COMPLETED
slurm_until 20 no_locks_held || fail "locks are held: $(cat locks.json)"

"$h5swim" run job.yaml --quiet --set follow=false --set outputs.y.file=one.h5 2>"$tmp/err" ||
    fail "the job without follow: $(cat "$tmp/err")"
compare one.h5 Y out.h5 Y || fail "another result: $(cat "$job_out")"
compare one.h5 time out.h5 time || fail "other times: $(cat "$job_out")"
"$python" -c 'import h5py; assert "h5swim_unfinished" not in h5py.File("out.h5")["Y"].attrs' ||
    fail "the output is not finished"
for file in in out; do
    [ ! -e $file.h5.swimlog ] || fail "a journal is left of $file.h5"
done
rows=$(look)
rows=${rows#* }
all=$(cat n1 n2 | wc -c)
[ "$all" -ge "$rows" ] || fail "$all blocks were computed for $rows rows"
[ "$all" -le $((rows + 20 * n)) ] || fail "$all blocks were computed for $rows rows"
grep -q "blocks *$rows\$" "$job_out" || fail "the summary: $(cat "$job_out")"
passed "follow.sbatch: $rows rows by n1 and n2, $all computed: the bits of one process"
