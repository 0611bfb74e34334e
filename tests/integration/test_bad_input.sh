#!/usr/bin/env bash
# Bad input: the exit status, one clear line, and nothing that existed is harmed.
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
    f["V"] = np.ones((4, 6), dtype="f4")
    f["SMALL"] = np.ones((4, 5), dtype="f4")
    f["EMPTY"] = np.zeros((0, 6), dtype="f4")
    f["TEXT"] = np.array([b"a", b"b"])
    f["PAIR"] = np.zeros(4, dtype=[("a", "f4"), ("b", "i4")])
    f["group/X"] = np.ones((4, 6))
PY
echo "not an HDF5 file" > plain.txt
cat > good.yaml <<'YAML'
kernel: wind_speed
inputs:
  u: {file: in.h5, dataset: U}
  v: {file: in.h5, dataset: V}
outputs:
  speed: {file: out.h5, dataset: S}
YAML
cat > fails.c <<'C'
#include <h5swim/kernel.h>
static int apply(void *state, const struct swim_block *block, swim_error_t *err)
{
    (void)state;
    (void)block;
    return swim_error_set(err, SWIM_ERR_KERNEL, "the sensor was upside down");
}
static const struct swim_port in[] = {{.name = "u", .type = SWIM_TYPE_F32}};
static const struct swim_port out[] = {{.name = "speed", .type = SWIM_TYPE_F32}};
SWIM_KERNEL_DEFINE(.name = "fails", .kind = SWIM_KERNEL_MAP, .n_inputs = 1, .n_outputs = 1,
                   .inputs = in, .outputs = out, .apply = apply);
C
sed 's/return swim_error_set.*/*(volatile int *)0 = 1; return 0;/; s/"fails"/"crashes"/' fails.c > crashes.c
echo 'int broken(void) { return undeclared; }' > broken.c
echo '#include <h5swim/kernel.h>
SWIM_API const struct swim_kernel swim_kernel_v1 = {.abi = 7, .struct_size = sizeof(struct swim_kernel)};' > abi7.c
cc -shared -fPIC -I"$SWIM_SOURCE/framework/include" -o abi7.so abi7.c
one_input() { # KERNEL: a job with one input
    printf 'kernel: %s\ninputs:\n  u: {file: in.h5, dataset: U}\noutputs:\n  speed: {file: out.h5, dataset: S}\n' "$1"
}
one_input fails.c > fails.yaml
one_input crashes.c > crashes.yaml
one_input broken.c > broken.yaml
one_input ./abi7.so > abi.yaml

# bad NAME STATUS PATTERN COMMAND...: all of it, and that no file here has changed.
bad() {
    local name=$1 status=$2 pattern=$3 before after
    shift 3
    before=$(fingerprint)
    expect_status "$status" "$@"
    expect_line "$pattern"
    after=$(fingerprint)
    [ "$before" = "$after" ] ||
        fail "$name: files have changed: $(diff <(echo "$before") <(echo "$after") | grep '^[<>]')"
    passed "$name: $(cat "$tmp/err")"
}
fingerprint() { find . -type f -exec cksum {} + | sort -k3; }
job() { "$h5swim" run good.yaml "$@"; }

# The job is good as it stands.
expect_status 0 job
rm -f out.h5

bad "missing job file" 2 'nosuch.yaml: No such file or directory ."h5swim kernel new NAME"' "$h5swim" run nosuch.yaml
printf 'kernel: wind_speed\ninputs: {u: [1, 2\n' > syntax.yaml
bad "YAML error" 2 'syntax.yaml:[0-9]+:[0-9]+: ' "$h5swim" run syntax.yaml
sed 's/outputs:/ouputs:/' good.yaml > key.yaml
bad "unknown key" 2 'key.yaml:5:1: .*"ouputs".*"outputs"' "$h5swim" run key.yaml
bad "unknown kernel" 2 '"wind_sped".*"wind_speed"' job --set kernel=wind_sped
bad "kernel of another ABI" 2 'ABI 7.*ABI 1' "$h5swim" run abi.yaml
bad "kernel that does not compile" 2 'broken.c:1:[0-9]+: error: .*undeclared' "$h5swim" run broken.yaml
bad "unknown parameter" 2 'radiu.*radius' "$h5swim" run good.yaml --set kernel=slope --set params.radiu=1 --set 'inputs={height: {file: in.h5, dataset: U}}' --set 'outputs={slope: {file: out.h5, dataset: S}}'
bad "ill-typed parameter" 2 'radius.*"big"' "$h5swim" run good.yaml --set kernel=slope --set params.radius=big --set 'inputs={height: {file: in.h5, dataset: U}}' --set 'outputs={slope: {file: out.h5, dataset: S}}'
bad "missing input file" 2 'nosuch.h5' job --set inputs.u.file=nosuch.h5
bad "missing directory of an input" 2 'no file .*nodir/in.h5' job --set inputs.u.file=nodir/in.h5
bad "not an HDF5 file" 2 'plain.txt.*not an HDF5 file' job --set inputs.u.file=plain.txt
bad "missing dataset" 2 'UU.*U' job --set inputs.u.dataset=UU
bad "dataset is a group" 2 'group' job --set inputs.u.dataset=group
bad "shapes that do not match" 2 '4 x 6.*4 x 5' job --set inputs.v.dataset=SMALL
bad "strings" 2 'string' job --set inputs.u.dataset=TEXT
bad "compound" 2 'compound' job --set inputs.u.dataset=PAIR
bad "zero-sized dataset" 2 'no elements' job --set inputs.u.dataset=EMPTY
bad "output directory missing" 2 'nosuch/out.h5.*no directory' job --set outputs.speed.file=nosuch/out.h5
bad "output equal to an input" 2 'in.h5.*input' job --set outputs.speed.file=in.h5 --overwrite
ln in.h5 hard.h5
bad "output is a link to an input" 2 'input' job --set outputs.speed.file=hard.h5 --overwrite
rm hard.h5
bad "-n 0" 2 '-n 0' job -n 0
bad "-n nonsense" 2 '-n 3x' job -n 3x
bad "block of 0" 2 'good.yaml|block' job --set 'block=[0, 6]'
bad "block beyond sense" 2 'block' job --set 'block=[99999999999999999999999, 6]'
bad "block of other dimensions" 2 '3 sizes.*2 dimensions' job --set 'block=[1, 2, 3]'
bad "memory that is not enough" 2 'memory' job --set memory=10
bad "unknown option" 2 'verbos' job --verbos
bad "two job files" 2 'more.yaml' job more.yaml
bad "unknown port" 2 '"w".*"u"' job --set 'inputs.w={file: in.h5, dataset: U}'
bad "missing port" 2 '"v"' job --set 'inputs={u: {file: in.h5, dataset: U}}'

# A block larger than the dataset is the whole dataset.
expect_status 0 job --set 'block=[4000000000, 4000000000]'
rm -f out.h5

bad "Redis unreachable" 1 'gone.sock' job --redis "unix://$tmp/gone.sock"
start_redis "$tmp/pw.sock" --requirepass sesame
bad "wrong password" 1 'password|WRONGPASS|authenticat' job --redis "unix://:wrong@$tmp/pw.sock"
if grep -q "wrong" <(sed "s/wrong password//" "$tmp/err"); then fail "the password is shown"; fi
expect_status 0 job --redis "unix://:sesame@$tmp/pw.sock"
h5dump -a /history out.h5 >history
grep -q 'h5swim run good.yaml' history || fail "no history in the output"
if grep -q sesame history; then fail "the password is in the history of the output"; fi
rm history

# The output of the job before exists now.
bad "output exists" 2 'out.h5 exists already: it is the finished output of this job; --resume.*--overwrite' job
expect_status 0 job --overwrite

hold in.h5 write
bad "lock not had in time" 4 'in.h5' job --overwrite --wait 0.3
let_go
hold out.h5 update
bad "lock of the output not had in time" 4 'out.h5' job --overwrite --wait 0.3
let_go

cp out.h5 keep.h5
expect_status 1 "$h5swim" run fails.yaml --fail-fast --set outputs.speed.file=new.h5
expect_line 'block [0-9]+ .*the sensor was upside down'
expect_status 2 "$h5swim" run fails.yaml --set outputs.speed.file=new.h5
expect_line 'new.h5.*unfinished.*--overwrite'
expect_status 1 "$h5swim" run crashes.yaml --fail-fast --set outputs.speed.file=new.h5 --overwrite
expect_line 'SIGSEGV.*block 0'
cmp -s out.h5 keep.h5 || fail "an output beside was changed"
rm -f new.h5

"$python" - <<'PY'
import h5py
with h5py.File("vast.h5", "w") as f:
    f.create_dataset("U", (2**33,), "f4", chunks=(1 << 20,))
PY
cat >vast.yaml <<'YAML'
kernel: wind_speed
inputs: {u: {file: vast.h5, dataset: U}, v: {file: vast.h5, dataset: U}}
outputs: {speed: {file: vast_out.h5, dataset: S, chunks: [1]}}
block: [1]
YAML
bad "more blocks than there is room for" 2 '8589934592 blocks, more than 4294967296' \
    "$h5swim" run vast.yaml -n 1 --quiet
[ ! -e vast_out.h5 ] || fail "an output was made"

if [ "$(id -u)" = 0 ]; then
    mkdir full readonly
    mount -t tmpfs -o size=1m tmpfs full
    on_exit "umount '$PWD/full'"
    "$python" - <<'PY'
import h5py, numpy as np
with h5py.File("big.h5", "w") as f:
    f["U"] = np.random.default_rng(1).random((64, 32768), dtype="f4")
PY
    cp out.h5 full/kept.h5
    big=(--set inputs.u.file=big.h5 --set inputs.v.file=big.h5 --set inputs.v.dataset=U
        --set outputs.speed.file=full/out.h5)
    expect_status 1 job "${big[@]}"
    expect_line 'full/out.h5.*No space left on device'
    passed "disk full: $(cat "$tmp/err")"
    expect_status 2 job "${big[@]}"
    expect_line 'full/out.h5.*unfinished.*--overwrite'
    cmp -s out.h5 full/kept.h5 || fail "disk full: a file beside was changed"
    mount -t tmpfs -o size=1m,ro tmpfs readonly
    on_exit "umount '$PWD/readonly'"
    bad "output directory not writable" 1 'readonly' job --set outputs.speed.file=readonly/out.h5
else
    echo "skipped: disk full and read-only directory need root"
fi
