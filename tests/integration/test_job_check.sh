#!/usr/bin/env bash
# h5swim check JOB.yaml: all that is wrong with a job at once, each with its place.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache
"$python" - <<'PY'
import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    f["U"] = np.arange(24, dtype="f4").reshape(4, 6)
    f["V"] = np.ones((4, 6), dtype="f4")
    f["SMALL"] = np.ones((4, 5), dtype="f4")
    f["BYTES"] = np.ones((4, 6), dtype="u1")
    # 64 TiB of which nothing is stored
    f.create_dataset("HUGE", shape=(2**22, 2**22), dtype="f4", chunks=(512, 512))
    f.create_dataset("MANY", shape=(4000, 10), dtype="f4", chunks=(100, 10))
PY
cat > good.yaml <<'YAML'
kernel: wind_speed
inputs:
  u: {file: in.h5, dataset: U}
  v: {file: in.h5, dataset: V}
outputs:
  speed: {file: out.h5, dataset: S}
YAML
fingerprint() { find . -type f -printf '%p %s %T@ %i\n' -exec cksum {} + | sort; }

# check STATUS OPTION...: nothing changes; each line has the form; lines are in $tmp/err.
check() {
    local status=$1 before
    shift
    before=$(fingerprint)
    expect_status "$status" "$h5swim" check "$@"
    [ "$before" = "$(fingerprint)" ] || fail "check changed something: $before"
    ! grep -vE '^(--set .+|[^ ]+\.yaml:[0-9]+:[0-9]+): (error|warning): [^ ].*[^ ]$' "$tmp/err" ||
        fail "a line of another form"
    sed -E 's/: (error|warning): .*/:\1/; s/.*\.yaml://' "$tmp/err" > "$tmp/places"
}
# has PATTERN...: there is a line with each, and no line without one.
has() {
    local pattern lines
    lines=$(wc -l < "$tmp/err")
    [ "$lines" -eq $# ] || { cat "$tmp/err" >&2; fail "$lines lines, not $#"; }
    for pattern in "$@"; do
        grep -qE -- "$pattern" "$tmp/err" || { cat "$tmp/err" >&2; fail "no line with: $pattern"; }
    done
}

check 0 good.yaml
has
grep -qx 'good.yaml: 0 errors, 0 warnings' "$tmp/out" || fail "$(cat "$tmp/out")"
check 0 "$PWD/good.yaml" --set 'outputs.speed.type=float64'
has
for job in wind_speed wind_climatology relief_slope; do
    if [ -e "$SWIM_BUILD/quickstart/data" ]; then check 0 "$SWIM_SOURCE/jobs/$job.yaml"; fi
done

# Everything at once, in the order of the file, each at its place.
cat > bad.yaml <<'YAML'
kernal: wind_speed
kernel: {name: wind_speed, timout: 5}
params:
  radius: 6371000
inputs:
  u: {file: nosuch.h5, dataset: U}
  v: {file: in.h5, dataset: VV, row: true}
  w: {file: in.h5, dataset: U}
outputs:
  speed:
    file: nodir/out.h5
    dataset: S
    type: flaot32
    chunks: [0, 6]
    filters: {shufle: true, deflate: 12}
  more: {dataset: X}
memory: lots
edges: {lat: nearst}
YAML
check 2 bad.yaml
has '^bad.yaml:1:1: error: unknown key "kernal"; did you mean "kernel"' \
    '^bad.yaml:2:28: error: unknown key "timout"; did you mean "timeout"' \
    '^bad.yaml:4:11: error: kernel wind_speed has no parameter "radius"' \
    '^bad.yaml:6:3: error: input u: there is no file nosuch.h5' \
    '^bad.yaml:7:3: error: .*no dataset.*VV' \
    '^bad.yaml:7:33: error: unknown key "row"; did you mean "raw"' \
    '^bad.yaml:8:3: error: kernel wind_speed has no input "w"; it has "u", "v"' \
    '^bad.yaml:10:3: error: output nodir/out.h5: there is no directory' \
    '^bad.yaml:13:11: error: "type": expected one of int8.*"flaot32"' \
    '^bad.yaml:14:14: error: .*whole number from 1.*"0"' \
    '^bad.yaml:15:15: error: unknown key "shufle"; did you mean "shuffle"' \
    '^bad.yaml:15:38: error: "deflate": expected a whole number from 0 to 9, found "12"' \
    '^bad.yaml:16:3: error: output "more" has no "file"' \
    '^bad.yaml:16:3: error: kernel wind_speed has no output "more"' \
    '^bad.yaml:17:9: error: "memory": expected a size' \
    '^bad.yaml:18:14: error: .*did you mean "nearest"'
grep -qx 'bad.yaml: 16 errors, 0 warnings' "$tmp/out" || fail "$(cat "$tmp/out")"
cut -d: -f1,2 "$tmp/places" | sort -c -t: -k1,1n -k2,2n || fail "not in the order of the file"
passed "everything at once"

"$h5swim" check bad.yaml --json > json 2> err || [ $? -eq 2 ] || fail "--json"
[ ! -s err ] || fail "--json, and yet on stderr: $(cat err)"
"$python" - <<'PY'
import json
d = json.load(open("json", encoding="utf-8"))
assert (d["schema"], d["job"], d["errors"], d["warnings"]) == (1, "bad.yaml", 16, 0), d
assert len(d["problems"]) == 16
first = d["problems"][0]
assert (first["line"], first["column"], first["severity"]) == (1, 1, "error"), first
assert first["place"] == "bad.yaml:1:1" and first["text"].startswith('unknown key "kernal"')
PY
rm json err

# What is missing altogether, and a file that is no YAML or not there.
echo 'block: auto' > empty.yaml
check 2 empty.yaml
has 'no "kernel"' 'no "inputs"' 'no "outputs"'
: > nothing.yaml
check 2 nothing.yaml
has '^nothing.yaml:1:1: error: empty; a job needs'
printf 'kernel: wind_speed\ninputs: {u: [1, 2\n' > syntax.yaml
check 2 syntax.yaml
has '^syntax.yaml:[23]:[0-9]+: error: '
check 2 nosuch.yaml
has '^nosuch.yaml:1:1: error: open job file nosuch.yaml: No such file'
printf 'kernel: wind_speed\nkernels: []\ninputs: 5\noutputs: {speed: 5}\n' > kinds.yaml
check 2 kinds.yaml
has '"kernel" beside "kernels"' '"kernels": expected a list' '"inputs": expected a mapping' \
    '"speed": expected a mapping' 'output "speed" has no "file"|needs the input "u"' \
    'needs the input "v"'
passed "files that are no jobs"

# The kernel is unknown: its inputs and outputs are looked at all the same.
check 2 good.yaml --set kernel=wind_sped --set inputs.u.dataset=UU --set outputs.speed.file=nodir/o.h5
has '^--set kernel=wind_sped: error: .*did you mean "wind_speed"|^good.yaml:.*: error: .*wind_speed' \
    'no dataset.*UU' 'there is no directory'
check 2 good.yaml --set 'inputs={u: {file: in.h5, dataset: U}}' --set 'outputs={}'
has 'needs the input "v"' 'no "outputs"|needs the output' 'needs the output "speed"|no "outputs"'
passed "unknown kernels, missing ports"

# Shapes, edges, chunks, fill and block: what needs the data.
check 2 good.yaml --set inputs.v.dataset=SMALL
has '^good.yaml:4:3: error: shapes do not match: .*4 x 6.*4 x 5'
check 2 good.yaml --set 'outputs.speed={file: out.h5, dataset: S, type: int8, chunks: [1, 2, 3], fill: 300}'
has 'error: chunks has 3 sizes, the output "speed" has 2 dimensions' 'error: fill 300 .* int8'
check 2 good.yaml --set 'edges={lon: wrap, lat: wrap}'
has 'no axis "lon"' 'no axis "lat"'
check 2 good.yaml --set 'block=[1, 2, 3]'
has 'block has 3 sizes, the inputs have 2 dimensions'
check 2 good.yaml --set inputs.u.dataset=HUGE --set inputs.v.dataset=HUGE --set memory=1MiB \
    --set 'outputs.speed.chunks=[4096, 4096]'
has '^--set memory=1MiB: error: one block needs .* of memory'
passed "what needs the data"

# A parameter that is missing or wrong is at its place.
cat > needs.c <<'C'
#include <h5swim/kernel.h>
static int apply(void *state, const struct swim_block *block, swim_error_t *err)
{
    (void)state;
    (void)block;
    (void)err;
    return SWIM_OK;
}
static const struct swim_port in[] = {{.name = "u", .type = SWIM_TYPE_F32}};
static const struct swim_port out[] = {{.name = "y", .type = SWIM_TYPE_F32}};
static const struct swim_param params[] = {
    {.name = "size", .type = SWIM_PARAM_INT},
    {.name = "level", .type = SWIM_PARAM_REAL, .preset = "1", .min = 0, .max = 2},
};
SWIM_KERNEL_DEFINE(.name = "needs", .kind = SWIM_KERNEL_MAP, .n_inputs = 1, .n_outputs = 1,
                   .inputs = in, .outputs = out, .n_params = 2, .params = params,
                   .apply = apply);
C
printf '%s\n' 'kernel: needs.c' 'params:' '  level: 7' '  lvel: 1' 'inputs: {u: {file: in.h5, dataset: U}}' \
    'outputs: {y: {file: out.h5, dataset: Y}}' > needs.yaml
check 2 needs.yaml
has '^needs.yaml:1:9: error: kernel needs needs parameter "size"' \
    '^needs.yaml:3:10: error: parameter "level".* is not between 0 and 2' \
    '^needs.yaml:4:9: error: .*no parameter "lvel"; did you mean "level"'
passed "parameters"

# A chain: of each kernel what is wrong with it.
cat > chain.yaml <<'YAML'
kernels:
  - kernel: wind_speed
    edges: {dim_0: nearest}
  - kernel: rolling_men
  - kernel: rolling_mean
    params: {lenth: 12}
inputs:
  u: {file: in.h5, dataset: U}
  v: {file: in.h5, dataset: nosuch}
outputs:
  mean: {file: out.h5, dataset: S}
YAML
check 2 chain.yaml
grep -qE '^chain.yaml:4:13: error: .*rolling_mean' "$tmp/err" || fail "the kernel: $(cat "$tmp/err")"
grep -qE '^chain.yaml:6:21: error: .*no parameter "lenth"; did you mean "length"' "$tmp/err" ||
    fail "the parameter: $(cat "$tmp/err")"
grep -qE '^chain.yaml:9:3: error: .*nosuch' "$tmp/err" || fail "the input: $(cat "$tmp/err")"
passed "chains"

# The disk: nothing has 64 TiB; compressed it might fit.
check 2 good.yaml --set inputs.u.dataset=HUGE --set inputs.v.dataset=HUGE
has '^good.yaml:6:3: error: the outputs up to "speed" need 64.0 TiB, .* has .*: make room'
check 0 good.yaml --set inputs.u.dataset=HUGE --set inputs.v.dataset=HUGE \
    --set outputs.speed.filters.deflate=1
has '^--set outputs.speed.filters.deflate=1: warning|^good.yaml:6:3: warning: .* before compression'
passed "disk space"

# Rights: of the folder, of a file that is there, of an input.
mkdir closed
cp in.h5 closed/old.h5
cp in.h5 secret.h5
chmod 555 closed
chmod 444 closed/old.h5
chmod 000 secret.h5
as_nobody=()
if [ "$(id -u)" -eq 0 ]; then
    chmod 711 "$tmp"
    chmod 777 "$tmp/work"
    as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups env "SWIM_SERVER_DIR=$tmp/nobody"
        "SWIM_CACHE_DIR=$tmp/none")
    install -d -o 65534 -g 65534 -m 700 "$tmp/nobody"
fi
expect_status 2 "${as_nobody[@]}" "$h5swim" check good.yaml --set outputs.speed.file=closed/new.h5 \
    --set inputs.u.file=secret.h5
has 'output closed/new.h5: this user cannot make files in closed/: Permission denied; give' \
    'secret.h5: Permission denied'
expect_status 1 "${as_nobody[@]}" "$h5swim" run good.yaml --set outputs.speed.file=closed/new.h5 --record none
has 'closed/new.h5: this user cannot make files in .*closed/: Permission denied .change its rights'
chmod 755 closed
if [ "$(id -u)" -eq 0 ]; then chown 65534:65534 closed; fi
expect_status 2 "${as_nobody[@]}" "$h5swim" check good.yaml --overwrite --set outputs.speed.file=closed/old.h5
has 'output closed/old.h5: this user cannot write to it: Permission denied'
rm -rf closed secret.h5
mkdir dir.h5
check 2 good.yaml --set outputs.speed.file=dir.h5
has 'output dir.h5: this is no file'
rmdir dir.h5
if [ "$(id -u)" -eq 0 ]; then
    SWIM_SERVER_DIR=$tmp/nobody setpriv --reuid=65534 --regid=65534 --clear-groups "$h5swim" serve stop >/dev/null
fi
passed "rights"

# What may be meant, and most often is not.
many=(--set inputs.u.dataset=MANY --set inputs.v.dataset=MANY)
check 0 good.yaml "${many[@]}" --set 'outputs.speed={file: out.h5, dataset: S, chunks: [1, 10], filters: {shuffle: true}}'
has 'warning: chunks of output "speed" have 40 bytes each' 'warning: filters: shuffle alone .*: add deflate: 1'
check 0 good.yaml "${many[@]}" --set 'outputs.speed={file: out.h5, dataset: S, type: uint8, chunks: [5000, 10], filters: {shuffle: true, deflate: 1}}'
has 'warning: chunks: 5000 on axis 0 .* 4000 elements' 'warning: filters: shuffle changes nothing'
check 0 good.yaml "${many[@]}" --set 'block=[150, 10]' --set 'outputs.speed.chunks=[100, 10]'
has 'warning: block: 150 on axis 0 becomes 200'
passed "warnings"

# Outputs that exist: a warning, or what run would say with these options.
expect_status 0 "$h5swim" run good.yaml --quiet
check 0 good.yaml
has '^good.yaml:5:1: warning: .*out.h5 exists already.*--overwrite'
check 0 good.yaml --overwrite
has
check 0 good.yaml --resume
has
check 2 good.yaml --resume --set outputs.speed.fill=7
has 'out.h5 exists already|another job'
check 2 good.yaml --overwrite --set outputs.speed.file=in.h5
has '^good.yaml:6:3: error: output file .*in.h5 is also the input u: give'
rm out.h5
passed "outputs that exist"

# The first error of run is one of those of check, in the same words.
same() {
    local text
    expect_status 2 "$h5swim" run good.yaml "$@"
    text=$(sed -E 's/^h5swim: //' "$tmp/err")
    check 2 good.yaml "$@"
    sed -E 's/: error: /: /' "$tmp/err" > "$tmp/lines"
    while IFS= read -r line; do
        [ "${line#*: }" != "${text#good.yaml*: }" ] && [ "$line" != "$text" ] &&
            [ "${line#*: }" != "$text" ] || return 0
    done < "$tmp/lines"
    cat "$tmp/err" >&2
    fail "run says: $text"
}
same --set inputs.u.file=nosuch.h5
same --set inputs.v.dataset=SMALL
same --set outputs.speed.file=nodir/out.h5
same --set 'outputs.speed.chunks=[1]'
same --set 'params={x: 1}'
same --set 'block=[1]'
same --set kernel=wind_sped
passed "the words of run"

# Usage.
expect_status 2 "$h5swim" check in.h5 --overwrite
expect_line 'only --json goes with a file'
expect_status 2 "$h5swim" check good.yaml --overwrite --resume
expect_line 'cannot go with'
expect_status 2 "$h5swim" check good.yaml --redis nonsense://x
grep -q '^good.yaml:1:1: error: ' "$tmp/err" || fail "a lock server that is none: $(cat "$tmp/err")"
