#!/usr/bin/env bash
# --resume where outputs are finished and the journal that an input had was copied into it
# since, as the job does itself at its end: what is finished is left as it is, and a job
# that was killed as it finished one file after the other goes on.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/jobstore.sh
. "$(dirname "$0")/../support/jobstore.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_SERVER_IDLE_S=5 NAP_MS=0
job_store_files
two=(--set outputs.y.file=y.h5 --set outputs.z.file=z.h5 --set 'block=[120, 64]')
sharded=(--set outputs.y.layout=sharded --set outputs.z.layout=sharded)

# place FILE: where the first chunk of U is.
place() {
    "$python" -c 'import h5py, sys
print(h5py.File(sys.argv[1])["U"].id.get_chunk_info(0).byte_offset)' "$1"
}
place=$(place in.h5)
# journal: in.h5 has one, with a value that is not in the file.  Outputs are gone.
journal() {
    rm -f out.* y.* z.* go
    "$SWIM_BUILD/tests/leave_journal" in.h5 1 "$place"
    [ -e in.h5.swimlog ] || fail "in.h5 has no journal"
}
copied() {
    "$h5swim" exec -- "$python" -c 'import h5py; h5py.File("in.h5")["U"][0]'
    [ ! -e in.h5.swimlog ]
}
# left OPTION...: the outputs are those of this job, and nothing is done to them.
left() {
    local before
    before=$(sha256sum ./*.h5)
    expect_status 0 "$h5swim" run "$@" --resume
    grep -q 'complete already' "$tmp/out" || fail "a finished job is done again: $*"
    [ "$(sha256sum ./*.h5)" = "$before" ] || fail "--resume has changed a file: $*"
    expect_status 2 "$h5swim" run "$@"
    grep -q 'it is the finished output of this job' "$tmp/err" || fail "$(cat "$tmp/err")"
}
refused() { # PATTERN OPTION...
    expect_status 2 "$h5swim" run "${@:2}" --resume --quiet
    expect_line "$1"
}

# --- the job itself copies the journal ------------------------------------------------

step=$support/kernels/step.c second=$support/kernels/second.c
printf '%s\n' "kernels: [{kernel: $step, params: {scale: 3}}, {kernel: $second}]" \
    'inputs: {x: {file: in.h5, dataset: U}}' 'outputs: {y: {file: out.h5, dataset: y}}' >chain.yaml
"$h5swim" run chain.yaml --dry-run >/dev/null
for job in pair.yaml "pair.yaml ${two[*]::4}" "pair.yaml ${sharded[*]}" chain.yaml; do
    journal
    # shellcheck disable=SC2086 # options
    expect_status 0 "$h5swim" run $job --quiet
    [ ! -e in.h5.swimlog ] || fail "the job has left the journal of its input: $job"
    # shellcheck disable=SC2086
    left $job
done
refused 'changed since: the parameters;' chain.yaml --set kernels.1.params.scale=4
"$h5swim" exec -- "$python" -c 'import h5py; h5py.File("in.h5", "r+")["U"][7] = 7'
refused 'changed since: the inputs;' chain.yaml
passed "outputs of an input whose journal the job has copied are finished"

# A job that follows its input knows that by its inode.
"$python" -c 'import h5py, numpy as np
with h5py.File("grows.h5", "w") as f:
    f.create_dataset("U", data=np.ones((12, 64), "f4"), maxshape=(None, 64), chunks=(4, 64))'
printf '%s\n' "kernel: $support/kernels/slow.c" 'inputs: {u: {file: grows.h5, dataset: U}}' \
    'outputs: {y: {file: y.h5, dataset: Y}}' 'follow: {timeout: 0.5}' >follow.yaml
"$SWIM_BUILD/tests/leave_journal" grows.h5 1 "$(place grows.h5)"
expect_status 0 "$h5swim" run follow.yaml --quiet
[ ! -e grows.h5.swimlog ] || fail "the job has left the journal of the input that it follows"
left follow.yaml
passed "so is that of a job that follows its input"

# Without a journal they say no more than ever, and are known by that.
rm out.h5
expect_status 0 "$h5swim" run pair.yaml --quiet
"$python" -c 'import h5py, re
job = h5py.File("out.h5")["Y"].attrs["h5swim_job"].decode()
assert re.fullmatch("[0-9a-f]{16}(-[0-9a-f]{8}){4}", job), job'
left pair.yaml
passed "outputs of an input without a journal are known as ever"

# --- killed between two files ---------------------------------------------------------

waiting() { # N: so many wait for UPDATE
    [ "$("$h5swim" locks 2>/dev/null | grep -c ' waits  *UPDATE ')" -eq "$1" ]
}
finished() { # FILE DATASET
    "$h5swim" exec -- "$python" -c 'import h5py, sys
f = h5py.File(sys.argv[1])
sys.exit("h5swim_job" not in f[sys.argv[2]].attrs)' "$@" 2>/dev/null
}
is_there() { compgen -G "$1" >/dev/null; } # PATTERN
# killed DONE DATASET NEXT OPTION...: a job of one block, killed when DONE is finished and
# it waits for NEXT, which another program has from the moment the block is in it.
killed() {
    local done=$1 set=$2 next=$3 holder job
    shift 3
    journal
    NAP_MS=60000 "$h5swim" run pair.yaml -n 1 --readers 1 --quiet "$@" 2>job.err &
    job=$!
    await is_there "$next"
    next=$(compgen -G "$next")
    hold "$next" update
    touch go
    await waiting 1 # the writer
    rm -f stay
    mkfifo stay
    "$hold_lock" "$next" update <stay >/dev/null &
    holder=$!
    exec 7>stay
    await waiting 2
    let_go
    await finished "$done" "$set"
    # shellcheck disable=SC2046 # a list of numbers
    kill -KILL $(run_pids) 2>/dev/null || true
    wait $job 2>/dev/null || true
    await no_process
    exec 7>&-
    wait $holder || fail "the holder of $next ended with $?"
    [ -e in.h5.swimlog ] || fail "the job that was killed has copied the journal"
    if finished "$next" "$set"; then fail "$next is finished"; fi
}
# resumed OPTION...: what was left is finished, as all of it by a job that nobody disturbed.
resumed() {
    await copied
    expect_status 0 "$h5swim" run pair.yaml --resume --quiet "$@"
    compare one.h5 Y y.h5 Y
    compare one.h5 Z z.h5 Z
    for file in ./[yz].*h5; do
        expect_status 0 "$h5swim" check "$file"
        grep -q '^clean' "$tmp/out" || fail "$file: $(cat "$tmp/out")"
    done
    left pair.yaml "$@"
}
journal
await copied
expect_status 0 "$h5swim" run pair.yaml --quiet --set outputs.y.file=one.h5 --set outputs.z.file=one.h5

killed y.h5 Y z.h5 "${two[@]}"
resumed "${two[@]}"
killed y.h5 Y z.h5 "${two[@]}"
await copied
"$h5swim" exec -- "$python" -c 'import h5py; h5py.File("in.h5", "r+")["U"][7] = 7'
refused 'y.h5 exists already: .*changed since: the inputs;' pair.yaml "${two[@]}"
passed "a job killed between two files goes on, unless the input was changed"

killed y.h5 Y 'y.shard-*.h5' "${two[@]}" "${sharded[@]}"
resumed "${two[@]}" "${sharded[@]}"
killed z.h5 Z 'z.shard-*.h5' "${two[@]}" "${sharded[@]}"
resumed "${two[@]}" "${sharded[@]}"
passed "so does one killed between a master and its shard"
