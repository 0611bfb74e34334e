#!/usr/bin/env bash
# A password of a lock server is in the URL, and nowhere else: not in what the commands
# print, at any log level, when they work and when they fail; not in the files they write;
# not where other users can see it.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_LOG=debug
secret='S3cret%21word' plain='S3cret!word'
socket=$tmp/redis.sock
start_redis "$socket" --requirepass "$plain"
"$python" - <<'PY'
import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    f.create_dataset("U", data=np.ones((8, 64), dtype="f4"), chunks=(1, 64))
PY
cat >job.yaml <<'YAML'
kernel: wind_speed
inputs: {u: {file: in.h5, dataset: U}, v: {file: in.h5, dataset: U}}
outputs: {speed: {file: out.h5, dataset: S}}
YAML

# quiet_about_it STATUS COMMAND...: it ends so and says nothing of the password.
quiet_about_it() {
    local want=$1 got=0
    shift
    "$@" >"$tmp/out" 2>"$tmp/err" || got=$?
    [ "$got" -eq "$want" ] || fail "status $got, not $want: $* $(cat "$tmp/out" "$tmp/err")"
    if grep -qiE 'S3cret|%21word|!word' "$tmp/out" "$tmp/err"; then
        fail "it tells the password: $* $(cat "$tmp/out" "$tmp/err")"
    fi
}

good=unix://:$secret@$socket
for user in "" default; do
    export SWIM_REDIS_URL=unix://$user:$secret@$socket
    quiet_about_it 0 "$h5swim" run job.yaml
    quiet_about_it 0 "$h5swim" locks
    quiet_about_it 0 "$h5swim" locks --json
    rm -f out.h5
done
passed "commands that work do not tell it"

export SWIM_REDIS_URL=$good
"$h5swim" run job.yaml --quiet
h5dump out.h5 >"$tmp/dump"
if grep -qi S3cret "$tmp/dump" out.h5; then fail "it is in the output file"; fi
rm -f out.h5
quiet_about_it 0 "$h5swim" run job.yaml --redis "$good"
h5dump out.h5 >"$tmp/dump"
if grep -qi S3cret "$tmp/dump" out.h5; then fail "it is in the history of the output"; fi
passed "files do not tell it"

wrong=${secret/word/w0rd}
for url in "unix://:$wrong@$socket" "unix://nobody:$secret@$socket" \
    "unix://:$secret@$tmp/none.sock" "redis://:$secret@127.0.0.1:1" \
    "rediss://:$secret@127.0.0.1:1" "redis://:$secret@no.such.host.invalid:7" \
    "redis://:$secret@127.0.0.1:port" "redis://:$secret" "redis://me:$secret%zz@h" \
    "http://:$secret@h" "unix://:$secret@$socket?db=99" ":$secret@h" "$secret"; do
    status=0
    SWIM_REDIS_URL=$url "$h5swim" locks >"$tmp/out" 2>"$tmp/err" || status=$?
    [ "$status" -ne 0 ] || fail "$url was taken"
    SWIM_REDIS_URL=$url quiet_about_it "$status" "$h5swim" locks
    quiet_about_it "$status" "$h5swim" locks --redis "$url"
    status=0
    SWIM_REDIS_URL=$url "$h5swim" run job.yaml >"$tmp/out" 2>"$tmp/err" || status=$?
    [ "$status" -ne 0 ] || fail "$url was taken"
    SWIM_REDIS_URL=$url quiet_about_it "$status" "$h5swim" run job.yaml
    quiet_about_it "$status" "$h5swim" run job.yaml --redis "$url"
done
passed "errors do not tell it"

# A run that goes on until it is let go: what other users can see of its processes.
slow_job 30000 go
"$h5swim" run slow.yaml --readers 2 --overwrite >"$tmp/run.out" 2>"$tmp/run.err" &
run=$!
on_exit "kill $run 2>/dev/null; wait $run"
# look_at_processes: those of the run, counted in seen.
look_at_processes() {
    local dir
    seen=0
    for dir in /proc/[0-9]*; do
        [ "$(readlink "$dir/cwd" 2>/dev/null)" = "$PWD" ] || continue
        seen=$((seen + 1))
        if tr '\0' ' ' <"$dir/cmdline" | grep -qi S3cret; then fail "it is in a command line"; fi
    done
}
for _ in $(seq 200); do
    look_at_processes
    [ "$seen" -ge 4 ] && break
    sleep 0.02
done
[ "$seen" -ge 4 ] || fail "only $seen processes seen"
kill -0 $run || fail "the run has ended too early for this test: $(cat "$tmp/run.err")"
touch go
wait $run
if grep -qi S3cret "$tmp/run.out" "$tmp/run.err"; then fail "the run tells it"; fi
grep -q '"lock_server":"' ./*.run.json || fail "no record of the run"
if grep -qi S3cret ./*.run.json; then fail "the record tells it"; fi
passed "the processes of a run do not show it"
