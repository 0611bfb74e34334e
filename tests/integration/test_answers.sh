#!/usr/bin/env bash
# What a command answers where it is not used as it was meant: one line that says what to
# do, the right status, and nothing that was there is gone.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache
"$python" - <<'PY'
import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    f["U"] = np.arange(24, dtype="f4").reshape(4, 6)
    f["gone"] = h5py.SoftLink("/nowhere")
    f["away"] = h5py.ExternalLink("away.h5", "/x")
PY
head -c 2000 in.h5 >short.h5
cat >good.yaml <<'YAML'
kernel: wind_speed
inputs: {u: {file: in.h5, dataset: U}, v: {file: in.h5, dataset: U}}
outputs: {speed: {file: out.h5, dataset: S}}
YAML

# says STATUS PATTERN COMMAND...: the status, and one line on stderr.
says() {
    local status=$1 pattern=$2
    shift 2
    expect_status "$status" "$@"
    expect_line "$pattern"
    passed "$(cat "$tmp/err")"
}
full() { "$h5swim" "$@" >/dev/full; }
broken() { "$h5swim" "$@" >&9; }

# What was asked for and cannot be written is a failure; not so the summary of a job that
# is done.
if [ -c /dev/full ]; then
    # shellcheck disable=SC2086 # words
    for command in --version 'run --help' 'kernel list' 'kernel info slope' locks \
        'recover in.h5' 'run good.yaml --dry-run' 'serve status'; do
        says 1 "^h5swim ${command%% *}: write.* No space left on device" \
            full $command
    done
    says 1 'JSON object of job good.*No space left.*outputs are as they should be' \
        full run good.yaml --json
    says 0 'summary of job good.*No space left.*outputs are as they should be' \
        full run good.yaml --overwrite
fi

# Nor is it when nobody reads any more.
mkfifo unread
exec 8<>unread
exec 9>unread
exec 8>&-
says 0 'summary of job good.*Broken pipe.*outputs are as they should be' \
    broken run good.yaml --overwrite
exec 9>&-

# A file that is opened does not get the number of a closed descriptor.
cp out.h5 whole.h5
# typescript COMMAND: on a terminal, whose output goes to stderr.
typescript() { script -qec "$1" /dev/null </dev/null >&2; }
closed() { "$@" <&- >&- 2>&-; }
without_stdin() { "$@" <&-; }
unread() { "$@" >&-; }
says 1 'h5swim view: write' unread "$h5swim" view in.h5:U
expect_status 0 closed "$h5swim" run good.yaml --overwrite
expect_status 0 h5diff whole.h5 out.h5 S
[ "$(h5ls in.h5 | grep -c Dataset)" -eq 1 ] || fail "an input was written to"
expect_status 0 without_stdin "$h5swim" exec -- ls -l /proc/self/fd/0
grep -q /dev/null "$tmp/out" || fail "stdin: $(cat "$tmp/out")"

# One line, whatever a name holds, and with its cause even if it is long.
says 2 'unknown command "a b\?\[31m"' "$h5swim" $'a\nb\e[31m'
says 2 'no such option' "$h5swim" run $'--a\nb'
says 2 'job file a b: No such file' "$h5swim" run $'a\nb'
says 2 'number from 1 to 4096' "$h5swim" run good.yaml -n $'1\n2'
says 2 'not a b' "$h5swim" kernel $'a\nb'
says 2 'there is no a b' "$h5swim" serve $'a\nb'
says 2 'job file x+[.]{3}x+: File name too long' "$h5swim" run "$(printf 'x%.0s' {1..3000})"

# Names need not be UTF-8, as JSON is: the object is there, with all that belongs to it.
# object CODE: what is so in Python of the JSON object r on stdout.
object() {
    "$python" -c 'import json, sys
r = json.load(open(sys.argv[1], encoding="utf-8"))
sys.exit(not eval(sys.argv[2]))' "$tmp/out" "$1" || fail "not so: $1: $(cat "$tmp/out")"
    passed "$1"
}
latin=$'m\xfc' folder=$'d\xe9'
cp good.yaml "$latin.yaml"
expect_status 2 "$h5swim" run "$latin.yaml" --join --json --set outputs.speed.file=l.h5
object 'r["job"] == "m\\xfc" and r["status"] == "failed" and "no job is at" in r["error"]'
expect_status 0 "$h5swim" run "$latin.yaml" --dry-run --json --set outputs.speed.file=l.h5
object 'r["job"] == "m\\xfc" and r["status"] == "planned" and len(r["outputs"]) == 1'
expect_status 0 "$h5swim" run "$latin.yaml" --json --set outputs.speed.file=l.h5
object 'r["job"] == "m\\xfc" and r["status"] == "done" and r["record"].endswith("l.run.json")'
mkdir "$folder"
cp in.h5 "$folder"
cp good.yaml "$folder"
expect_status 0 "$h5swim" run "$folder/good.yaml" --json
object 'r["record"].endswith("d\\xe9/out.run.json") and [o["file"][-11:] for o in r["outputs"]] == ["\\xe9/out.h5"]'
expect_status 2 "$h5swim" run "$folder/good.yaml" --json
object '"d\\xe9/out.h5 exists already" in r["error"]'
expect_status 0 "$h5swim" calc 'x*2' x=in.h5:/U out=$'o\xfc.h5:/y' --json
object '[o["dataset"] for o in r["outputs"]] == ["/y"] and "o\\xfc.run.json" in r["record"]'
expect_status 0 "$h5swim" check "$folder/good.yaml" --json
object 'r["job"] == "d\\xe9/good.yaml" and "d\\xe9/out.h5" in r["problems"][0]["text"]'
expect_status 0 "$h5swim" check "$folder/in.h5" --json
object 'r["file"].endswith("d\\xe9/in.h5")'
cat >"$folder/words.c" <<'C'
#include <h5swim/kernel.h>
static int apply(void *state, const struct swim_block *block, swim_error_t *err)
{
    (void)state;
    (void)block;
    return swim_error_set(err, SWIM_ERR_ARG, "caf\xe9");
}
static const struct swim_port in[] = {{.name = "u", .type = SWIM_TYPE_F32, .unit = "\xb5m"}};
static const struct swim_port out[] = {{.name = "y", .type = SWIM_TYPE_F32}};
static const struct swim_param params[] = {
    {.name = "p", .type = SWIM_PARAM_TEXT, .preset = "a", .choices = "a|\xe9|b"}};
SWIM_KERNEL_DEFINE(.name = "words", .kind = SWIM_KERNEL_MAP, .n_inputs = 1, .n_outputs = 1,
                   .n_params = 1, .inputs = in, .outputs = out, .params = params,
                   .apply = apply);
C
expect_status 0 "$h5swim" kernel info "$folder/words.c" --json
object 'r["inputs"][0]["unit"] == "\\xb5m" and r["params"][0]["choices"] == ["a", "\\xe9", "b"] and r["path"]'
expect_status 1 "$h5swim" kernel test "$folder/words.c" --json
object 'r["path"].endswith(".so") and any("caf\\xe9" in c["text"] for c in r["checks"])'
mkdir -m 700 "$tmp/$folder"
expect_status 1 env SWIM_SERVER_DIR="$tmp/$folder" "$h5swim" serve status --json
object 'not r["running"] and r["dir"].endswith("d\\xe9")'

# What is no regular file is not replaced by one.
says 2 "would replace out.h5" "$h5swim" report out.run.json -o out.h5
expect_status 0 h5diff whole.h5 out.h5 S
mkfifo pipe
says 2 'pipe: it is no regular file' "$h5swim" metrics -o pipe
[ -p pipe ] || fail "the pipe was replaced"
mkdir folder
says 2 'output .*/folder: a directory is there; give it another name' \
    "$h5swim" run good.yaml --set outputs.speed.file=folder
says 2 "pipe: (it is a pipe|a special file is there)" \
    timeout 60 "$h5swim" run good.yaml --set outputs.speed.file=pipe
cat >two.c <<'C'
#include <string.h>

#include <h5swim/kernel.h>
static int apply(void *state, const struct swim_block *block, swim_error_t *err)
{
    (void)state;
    (void)err;
    for (int i = 0; i < 2; i++)
        memcpy(block->outputs[i]->data, block->inputs[0]->data, block->inputs[0]->count * 4);
    return SWIM_OK;
}
static const struct swim_port in[] = {{.name = "x", .type = SWIM_TYPE_F32}};
static const struct swim_port out[] = {{.name = "a", .type = SWIM_TYPE_F32},
                                       {.name = "b", .type = SWIM_TYPE_F32}};
SWIM_KERNEL_DEFINE(.name = "two", .kind = SWIM_KERNEL_MAP, .n_inputs = 1, .n_outputs = 2,
                   .inputs = in, .outputs = out, .apply = apply);
C
cat >two.yaml <<'YAML'
kernel: two.c
inputs: {x: {file: in.h5, dataset: U}}
outputs: {a: {file: first.h5, dataset: A}, b: {file: second.h5, dataset: B}}
YAML
expect_status 0 "$h5swim" run two.yaml
was=$(sha256sum first.h5)
rm second.h5
mkfifo second.h5
says 2 'second.h5: a special file is there; give it another name' \
    timeout 60 "$h5swim" run two.yaml --overwrite
[ "$(sha256sum first.h5)" = "$was" ] || fail "one output is lost, and the other one refused"
rm second.h5
ln first.h5 second.h5
says 2 'second.h5: the file there has 2 names' \
    timeout 60 "$h5swim" run two.yaml --overwrite --set outputs.a.file=third.h5
[ ! -e third.h5 ] || fail "the first output was begun"
head -c 2000 in.h5 >cut.h5
says 2 'cut.h5 exists already and is no readable HDF5 file; --overwrite replaces it' \
    "$h5swim" run good.yaml --set outputs.speed.file=cut.h5
says 2 "pipe: it is a pipe" \
    timeout 60 "$h5swim" run good.yaml --overwrite --set inputs.u.file=pipe

# Statuses: wrong usage is 2, a damaged file 5.
for command in locks metrics 'top --once'; do
    # shellcheck disable=SC2086 # words
    says 2 'does not begin with redis://' "$h5swim" $command --redis nonsense
done
says 2 'in.h5: it is not a directory' "$h5swim" selftest --dir in.h5
says 5 'open short.h5: the file is cut off.*h5swim check' "$h5swim" view short.h5
says 5 'open short.h5: the file is cut off.*h5swim check' \
    "$h5swim" run good.yaml --overwrite --set inputs.u.file=short.h5

# Names that are empty, and links that lead nowhere.
says 2 "JOB.yaml: it is missing" "$h5swim" run ""
says 2 "name a file" "$h5swim" check ""
says 2 "name a file" "$h5swim" recover ""
says 2 "give one FILE" "$h5swim" view ""
says 2 "RUN.json is missing" "$h5swim" report ""
says 2 "no dataset gone in in.h5; the name is a link to /nowhere, where nothing is" \
    "$h5swim" view in.h5:gone
says 2 "link to /x in the file away.h5, which is not there" \
    "$h5swim" run good.yaml --overwrite --set inputs.u.dataset=away

# A finished output: what to do about it, and what is different now.
expect_status 0 "$h5swim" run good.yaml --overwrite --quiet
says 2 'out.h5 exists already: it is the finished output of this job; --resume leaves it as it is, --overwrite computes it anew$' \
    "$h5swim" run good.yaml
expect_status 0 "$h5swim" kernel new again
again() { "$h5swim" run again.yaml --quiet --resume --set inputs.x.file=in.h5 "$@"; }
expect_status 0 again --set inputs.x.dataset=U
says 2 'again.h5 exists already: it is a finished output; changed since: the parameters; --overwrite.*another file' \
    again --set inputs.x.dataset=U --set params.plus=3
sed -i 's/s->plus)/s->plus + 1)/' again.c
says 2 'changed since: the kernel; --overwrite' again --set inputs.x.dataset=U
cp in.h5 in2.h5
says 2 'changed since: the kernel, the inputs; --overwrite' \
    again --set inputs.x.dataset=U --set inputs.x.file=in2.h5
says 2 'in.h5:1:1: this is an HDF5 file, and no job file.*h5swim view' "$h5swim" run in.h5

# What to do.
start_redis "$tmp/pw.sock" --requirepass sesame
says 1 'wants a password.*redis://:PASSWORD@HOST' "$h5swim" locks --redis "unix://$tmp/pw.sock"
says 2 'open kernel ./nosuch.so: No such file' "$h5swim" kernel info ./nosuch.so
cat >silent.c <<'C'
#include <h5swim/kernel.h>
static int apply(void *state, const struct swim_block *block, swim_error_t *err)
{
    (void)state;
    (void)err;
    return block->inputs[0]->ndim ? 5 : SWIM_OK;
}
static const struct swim_port in[] = {{.name = "u", .type = SWIM_TYPE_F32}};
static const struct swim_port out[] = {{.name = "y", .type = SWIM_TYPE_F32}};
SWIM_KERNEL_DEFINE(.name = "silent", .kind = SWIM_KERNEL_MAP, .n_inputs = 1, .n_outputs = 1,
                   .inputs = in, .outputs = out, .apply = apply);
C
cat >silent.yaml <<'YAML'
kernel: silent.c
inputs: {u: {file: in.h5, dataset: U}}
outputs: {y: {file: silent.h5, dataset: Y}}
YAML
says 1 'returned 5 .unknown. and did not say why, as swim_error_set' \
    "$h5swim" run silent.yaml --fail-fast
for what in silent.h5 silent.h5:Y; do
    expect_status 0 "$h5swim" view $what
    grep -q '^  state  *unfinished: .*--resume goes on' "$tmp/out" || fail "view $what: $(cat "$tmp/out")"
done
expect_status 0 "$h5swim" view out.h5
if grep -q unfinished "$tmp/out"; then fail "a finished output: $(cat "$tmp/out")"; fi
# An input that a job has not finished is used, and that is said.
expect_status 3 "$h5swim" run silent.yaml --overwrite --quiet
unfinished=(--set inputs.u.file=silent.h5 --set inputs.u.dataset=Y)
says 0 'input u .*silent.h5:/Y. is the unfinished output of a job.*--resume of that job' \
    "$h5swim" run good.yaml --overwrite --quiet "${unfinished[@]}"
expect_status 0 "$h5swim" check good.yaml --overwrite "${unfinished[@]}"
grep -qE 'good.yaml:2:[0-9]+: warning: input u .*unfinished output' "$tmp/out" "$tmp/err" ||
    fail "check does not say it: $(cat "$tmp/out" "$tmp/err")"
says 1 'nosuchcc not found.*name another by CC' env CC=nosuchcc "$h5swim" kernel info silent.c
printf '#!/bin/sh\nprintf "ld: final link failed: No space left on device\\ncollect2: error: ld returned 1 exit status\\n" >&2\nexit 1\n' >linker
chmod +x linker
says 1 'compile.*final link failed: No space left' env CC="$PWD/linker" "$h5swim" kernel info silent.c
says 2 'TERM is "dumb".*--once' typescript "TERM=dumb $h5swim top"

# Limits: it ends, and says which; the lock server runs, and needs nothing.
start_redis "$tmp/limits.sock"
export SWIM_REDIS_URL=unix://$tmp/limits.sock
expect_status 0 "$h5swim" run good.yaml --overwrite
for files in 6 7 8 9; do
    status=0
    timeout 60 bash -c "ulimit -n $files; exec $h5swim run good.yaml --quiet --overwrite" \
        >"$tmp/out" 2>>few.err || status=$?
    [ $status -eq 1 ] || fail "status $status with $files open files: $(cat few.err)"
done
grep -q 'Too many open files .raise ulimit -n' few.err || fail "no cause: $(cat few.err)"
passed "too few open files: $(tail -n 1 few.err)"
says 1 'out.h5.*File too large .is ulimit -f too small' \
    bash -c "ulimit -f 1; exec $h5swim run good.yaml --quiet --overwrite"
says 1 'MiB of addresses for 1 ranks: Cannot allocate memory.*ulimit -v' \
    bash -c "ulimit -v 400000; exec $h5swim run good.yaml --quiet --overwrite"
