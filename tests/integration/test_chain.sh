#!/usr/bin/env bash
# Chains of kernels: the same bits as one job after the other, errors that name the
# kernel, plans, jobs that are killed and resumed, inputs that are followed.
# SWIM_SEED repeats the random chains, SWIM_CHAINS says how many.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_SERVER_IDLE_S=5

# --- the same as with files in between --------------------------------------------------

"$python" "$support/chain_check.py" "$h5swim" "$support/kernels" fixed 0 || fail "chains"
passed "edge modes, wide halos, types, missing values, kinds: as one job after the other"
seed=${SWIM_SEED:-$((EPOCHSECONDS % 32768))}
"$python" "$support/chain_check.py" "$h5swim" "$support/kernels" "$seed" "${SWIM_CHAINS:-6}" ||
    fail "random chains, SWIM_SEED=$seed"
passed "random chains, SWIM_SEED=$seed"

# --- mistakes, each with one line --------------------------------------------------------

# job YAML: job.yaml, with these kernels, from F of plain.h5 to y of out.h5.
job() {
    printf '%s\n' "kernels: $1" 'inputs: {x: {file: plain.h5, dataset: F}}' \
        'outputs: {y: {file: out.h5, dataset: y, fill: -1}}' 'block: [6, 17]' >job.yaml
}
step=$support/kernels/step.c second=$support/kernels/second.c around=$support/kernels/around.c
# refused PATTERN OPTION...
refused() {
    expect_status 2 "$h5swim" run job.yaml --overwrite "${@:2}"
    expect_line "$1"
}
job '[]' && refused 'job.yaml:1:.*"kernels": expected a list, found an empty one'
job "$step" && refused '"kernels": expected a list, found "'
job "[$step]" && refused '"kernels": expected a mapping of kernel, params and edges, found "'
job '[{params: {}}]' && refused '"kernels": a mapping without "kernel"'
job "[{kernel: $step, inputs: {}}]" && refused '1:.*unknown key "inputs"'
job "[{kernel: $step}]" && refused '"kernel" beside "kernels": put it into the list' --set kernel=slope
refused '"params" beside "kernels"' --set params.type=float32
refused '"edges" beside "kernels"' --set edges.dim_0=wrap
refused '^h5swim: --set kernels.2.params.type=int8: there is no entry 2, the list has 1 to 1' --set kernels.2.params.type=int8
job "[{kernel: total}, {kernel: $step}]" && sed -i "s,total,$support/kernels/total.c," job.yaml
refused '1:.*kernels: total .reduce. cannot come before another kernel: only maps and stencils'
job "[{kernel: threshold, params: {value: 1}}, {kernel: $step}]" && refused 'threshold .filter. cannot come before'
job "[{kernel: $step}, {kernel: $support/kernels/differ.c}]"
refused '1:.*differ takes 2 inputs, step before it gives 1 output: they must be as many'
job "[{kernel: regrid}, {kernel: $step}]" && refused 'regrid .map. cannot come before .* mean has other axes than' --set kernels.1.params.factor=dim_0=2
job "[{kernel: recompress}, {kernel: $step}]" && refused 'recompress .map. works on numbers as they are stored'
job "[{kernel: $step}, {kernel: recompress}]" && refused 'recompress .map. works on numbers as they are stored'
job "[{kernel: $step}, {kernel: $second}]"
refused 'input "x" of a chain of kernels cannot be raw: leave out "raw"' --set inputs.x.raw=true
refused 'kernel second has no parameter "scales"; did you mean "scale"' --set kernels.2.params.scales=1
refused 'parameter "scale" of kernel step: "a" is not a number' --set kernels.1.params.scale=a
refused 'kernel step has no input "u"; it has "x"' --set inputs.u.file=a --set inputs.u.dataset=b
refused 'kernel second has no output "z"; it has "y"' --set outputs.z.file=a --set outputs.z.dataset=b
refused 'unknown kernel "stepp"' --set kernels.1.kernel=stepp
job "[{kernel: $step}, {kernel: $around, edges: {dim_7: wrap}}]" && refused 'step:y has no axis "dim_7"'
job "[{kernel: $around, edges: {dim_0: none}}, {kernel: $step}]" && refused 'around is a stencil'
job "[{kernel: $around}, {kernel: $step}]"
refused 'one block needs .* of memory, the budget is 1.0 MiB' --set memory=1MiB --set kernels.1.params.hi0=30000
refused 'output file .*plain.h5 is also the input x' --set outputs.y.file=plain.h5
passed "what cannot be a chain is refused with one line"

# --- the plan ----------------------------------------------------------------------------

job "[{kernel: $step, params: {type: int16}}, {kernel: $around, params: {lo0: 2, hi1: 1}}, {kernel: $second}]"
expect_status 0 "$h5swim" run job.yaml --dry-run
for line in 'kernel 1 +step .map.' 'gives y .int16. in memory, at most 12 x 17 at once, 408 bytes' \
    'kernel 2 +around .stencil.' 'gives y .float64. in memory, at most 10 x 17 at once, 1.3 KiB' \
    'kernel 3 +second .map.' 'input x .*plain.h5:/F, 23 x 17, float64'; do
    grep -qE "$line" "$tmp/out" || fail "no line with '$line' in the plan: $(cat "$tmp/out")"
done
expect_status 0 "$h5swim" run job.yaml --dry-run --json
"$python" - "$tmp/out" <<'PY' || fail "the plan as JSON: $(cat "$tmp/out")"
import json, sys
p = json.load(open(sys.argv[1]))
assert p["kernels"] == ["step", "around", "second"] and p["kernel"] == "second" and p["blocks"] == 3
PY
memory() {
    "$h5swim" run job.yaml --dry-run --json --set memory=1GiB --set block='[1000, 1000]' "$@" --readers 1 |
        "$python" -c 'import json, sys; print(json.load(sys.stdin)["memory_per_rank"])'
}
"$python" -c 'import h5py; h5py.File("large.h5", "w").create_dataset("F", (1000, 1000), "f8", chunks=(100, 1000))'
job "[{kernel: $second}]"
alone=$(memory --set inputs.x.file=large.h5)
job "[{kernel: $step, params: {type: float32}}, {kernel: $second}]"
both=$(memory --set inputs.x.file=large.h5)
# 8 MB of inputs and 4 MB of what is passed on are more; the last input is of 4 MB less.
[ $((both - alone)) -eq 8000000 ] || fail "memory: $alone for one kernel, $both for two"
passed "the plan lists the kernels and counts their memory"

# --- kernels that fail ----------------------------------------------------------------------

job "[{kernel: {name: $step, timeout: 1}}, {kernel: {name: $second, timeout: 1}}]"
for name in step second; do
    for how in segv:'reader . of rank 0 was ended by signal 11 .SIGSEGV. in block 2' \
        refuse:'failed in block 2 .offset.count 20.3, 0.17.: it does not like this block' \
        loop:'reader . of rank 0 was ended, as it was at it for more than 1 s in block 2'; do
        BREAKS="$name ${how%%:*}" expect_status 3 "$h5swim" run job.yaml --quiet --overwrite --readers 2
        grep -qE "kernel $name:? ${how#*:}" "$tmp/err" || fail "$name $how: $(cat "$tmp/err")"
        [ "$(wc -l <"$tmp/err")" = 2 ] || fail "more than a summary and a block: $(cat "$tmp/err")"
    done
done
# The limit of one is not that of the other, nor of both together.
BREAKS="second loop" expect_status 3 "$h5swim" run job.yaml --quiet --overwrite --readers 2 \
    --set kernels.1.kernel.timeout=900
grep -qE 'kernel second: .* more than 1 s in block 2' "$tmp/err" || fail "limits: $(cat "$tmp/err")"
expect_status 0 "$h5swim" run job.yaml --quiet --resume --set kernels.1.kernel.timeout=900
slow="{kernel: {name: $support/kernels/slow.c, timeout: 2.5}, params: {ms: 1500}}"
job "[$slow, $slow]"
sed -i 's/{x:/{u:/' job.yaml
expect_status 0 "$h5swim" run job.yaml --quiet --overwrite
passed "a kernel that crashes, refuses or does not come back is named"

# --- killed and resumed ---------------------------------------------------------------------

"$python" - <<'PY'
import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    f.create_dataset("U", data=np.arange(40 * 64, dtype="f4").reshape(40, 64), chunks=(1, 64))
PY
cat >slow.yaml <<YAML
kernels:
  - {kernel: $support/kernels/slow.c, params: {ms: 1000, until: $PWD/enough}}
  - {kernel: $around, params: {lo0: 1, hi0: 2, hi1: 3}, edges: {dim_0: wrap, dim_1: reflect}}
  - {kernel: $second, params: {type: float32}}
inputs: {u: {file: in.h5, dataset: U}}
outputs: {y: {file: slow.h5, dataset: Y, fill: -1}}
block: [1, 64]
YAML
"$h5swim" run slow.yaml -n 2 --readers 1 --quiet 2>slow.err &
job=$!
some_blocks() {
    "$h5swim" exec -- "$python" -c 'import h5py, sys; sys.exit(int((h5py.File("slow.h5")["Y"][:] == -1).all()))' 2>/dev/null
}
await some_blocks
# shellcheck disable=SC2046 # a list of numbers
kill -KILL $(run_pids) 2>/dev/null || true
wait $job 2>/dev/null || true
await no_process
touch enough
expect_status 2 "$h5swim" run slow.yaml --resume --set kernels.2.params.hi0=1 --set kernels.2.edges.dim_1=wrap
expect_line 'kernels.2.params.hi0 is 1, was 2; kernels.2.edges are wrap wrap, were wrap reflect'
expect_status 2 "$h5swim" run slow.yaml --resume --set kernels.1.params.ms=7
expect_line 'kernels.1.params.ms is 7, was 1000'
expect_status 2 "$h5swim" run slow.yaml --resume --set kernels.3.kernel="$step"
expect_line 'kernels.3.kernel is step, was second'
expect_status 0 "$h5swim" run slow.yaml -n 2 --readers 1 --resume --json
"$python" - "$tmp/out" <<'PY' || fail "all blocks were done again: $(cat "$tmp/out")"
import json, sys
r = json.load(open(sys.argv[1]))
assert r["blocks"] == 40 and 0 < r["bytes_written"] < 40 * 256, r
PY
expect_status 0 "$h5swim" run slow.yaml --quiet --set outputs.y.file=whole.h5 --set block='[40, 64]'
compare slow.h5 Y whole.h5 Y
passed "a chain that was killed goes on where it was, and is told from others"

# --- inputs that are still being written ------------------------------------------------------

instrument=$SWIM_BUILD/tests/instrument
"$python" - <<'PY'
import h5py
with h5py.File("grows.h5", "w") as f:
    f.create_dataset("U", (0, 8), "f4", maxshape=(None, 8), chunks=(4, 4))
    t = f.create_dataset("time", (0,), "i8", maxshape=(None,), chunks=(64,))
    t.make_scale("time")
    f["U"].dims[0].attach_scale(t)
PY
cat >follow.yaml <<YAML
kernels:
  - {kernel: $step, params: {type: float32}}
  - {kernel: $around, params: {lo1: 1, hi1: 9}, edges: {dim_1: wrap}}
inputs: {x: {file: grows.h5, dataset: U}}
outputs: {y: {file: followed.h5, dataset: y}}
YAML
expect_status 2 "$h5swim" run follow.yaml --set follow=true --set kernels.2.params.lo0=1
expect_line 'follow: kernel needs neighbours along the first axis'
sed "s,type: float32,lo0: 1,; s,$step,$around," follow.yaml >early.yaml
expect_status 2 "$h5swim" run early.yaml --set follow=true
expect_line 'follow: kernel needs neighbours along the first axis'
"$h5swim" run follow.yaml --set follow.timeout=20 --readers 2 -n 2 --quiet 2>follow.err &
job=$!
"$instrument" grows.h5 30 5 >commits || fail "the instrument"
"$instrument" grows.h5 13 5 end >commits || fail "the instrument"
wait $job || fail "the chain that follows: $(cat follow.err)"
expect_status 0 "$h5swim" run follow.yaml --quiet --set outputs.y.file=once.h5
compare followed.h5 y once.h5 y
"$python" -c 'import h5py; f = h5py.File("followed.h5"); assert f["y"].shape == (43, 8) == (f["time"].shape[0], 8)' ||
    fail "rows of the chain that follows"
passed "a chain follows its inputs"

# --- the job that comes with it --------------------------------------------------------------

data=$(data_dir)
winds=$data/monthly_navy_winds.nc
expect_status 0 "$h5swim" run "$SWIM_SOURCE/jobs/wind_speed_year.yaml" --quiet -n 2 \
    --set "inputs.u.file=$winds" --set "inputs.v.file=$winds" --set "outputs.mean.file=$PWD/year.nc"
run_job wind_speed "$PWD/speed.nc"
printf '%s\n' 'kernel: rolling_mean' 'params: {length: 12}' 'inputs: {x: {file: speed.nc, dataset: WSPD}}' \
    'outputs: {mean: {file: mean.nc, dataset: WSPD}}' >mean.yaml
expect_status 0 "$h5swim" run mean.yaml --quiet
compare year.nc WSPD mean.nc WSPD
passed "jobs/wind_speed_year.yaml is a rolling mean of wind speeds"

[ -z "$(find . -name '*partials*' -o -name '*swim-new*')" ] || fail "something is left beside the outputs"
