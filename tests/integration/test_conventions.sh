#!/usr/bin/env bash
# Outputs are netCDF-4 with the conventions of their inputs, for ncdump, CDO, NCO, h5py,
# netCDF4-python and xarray.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"

cd "$tmp"
conventions() { "$python" "$support/conventions.py" "$@" || fail "conventions.py $1"; }
conventions make in.nc

# job KERNEL "PARAMS" INPUTS OUTPUTS: job.yaml; INPUTS are "PORT=DATASET ..." of in.nc,
# OUTPUTS "PORT=FILE:DATASET ...".
job() {
    local pair at
    {
        printf 'kernel: %s\nparams: {%s}\ninputs:\n' "$1" "$2"
        for pair in $3; do printf '  %s: {file: in.nc, dataset: %s}\n' "${pair%=*}" "${pair#*=}"; done
        printf 'outputs:\n'
        for pair in $4; do
            at=${pair#*=}
            printf '  %s: {file: %s, dataset: %s}\n' "${pair%%=*}" "${at%:*}" "${at#*:}"
        done
    } >job.yaml
}
run() { expect_status 0 "$h5swim" run job.yaml --quiet --record none "$@"; }

# opens FILE DATASET NAME=VALUE...: what is to be looked at by all_open, all at once, as
# Python begins slowly.
seen=()
files=()
opens() {
    seen+=("$@" /)
    case " ${files[*]} " in *" $1 "*) ;; *) files+=("$1") ;; esac
}
# All of the tools open them, without a warning.
all_open() {
    local file tool
    conventions open "${seen[@]}"
    for file in "${files[@]}"; do
        for tool in 'ncdump -h' 'ncks -m' 'cdo -s sinfo'; do
            # A table has no time: CDO says so.
            [ "$file $tool" != "found.nc cdo -s sinfo" ] || continue
            # shellcheck disable=SC2086 # a command
            expect_status 0 $tool "$file"
            ! grep -iE 'warning|error|unsupported' "$tmp/err" || fail "$tool $file"
        done
    done
    seen=() files=()
}

# --- kernels of each kind ------------------------------------------------------------

job wind_speed '' 'u=u v=v' speed=speed.nc:speed
run
opens speed.nc speed units='m s-1' long_name='wind speed' cell_methods='time: mean' \
    coordinates='xlat xlon' grid_mapping=crs standard_name=
job climatology '' x=u mean=mean.nc:u
run
opens mean.nc u units='m s-1' grid_mapping=crs \
    cell_methods='time: mean time: mean within years time: mean over years'
job rolling_mean 'axis: time, length: 4' x=u mean=rolling.nc:u
run
opens rolling.nc u units='m s-1' coordinates='xlat xlon' cell_methods='time: mean time: mean'
run --set 'edges={time: none}' --set outputs.mean.file=whole.nc
opens whole.nc u units='m s-1' coordinates='xlat xlon'
job regrid "factor: 'lat=2, lon=4'" x=u mean=coarse.nc:u
run
opens coarse.nc u units='m s-1' coordinates= cell_methods='time: mean lat: lon: mean'
job minmax_mean_std 'axes: time' x=u \
    'min=some.nc:min max=some.nc:max mean=some.nc:mean std=some.nc:std count=some.nc:count'
run
for dataset in min max mean std count; do opens some.nc $dataset coordinates='xlat xlon'; done
job threshold 'keep: above, value: 15' x=u 'index=found.nc:index coordinate=found.nc:coordinate value=found.nc:value'
run
opens found.nc value units='m s-1'
expect_status 0 "$h5swim" calc '2 * u' u=in.nc:/u out=calc.nc:/twice --quiet --units 'm s-1' --record none
opens calc.nc twice units='m s-1' coordinates='xlat xlon'
all_open
# Written anew by others, the values stay.
expect_status 0 nccopy speed.nc copy.nc
expect_status 0 cdo -s diff speed.nc copy.nc
# NCO puts what it does behind what was done, too.
ncwa -O -a lat,lon -y max -v u in.nc nco.nc
job minmax_mean_std 'axes: "lat, lon"' x=u \
    'min=most.nc:min max=most.nc:max mean=most.nc:mean std=most.nc:std count=most.nc:count'
run
methods_of() { ncks -m --json -v "$2" "$1" | "$python" -c 'import json, sys
v = json.load(sys.stdin)["variables"][sys.argv[1]]["attributes"]
print(v.get("cell_methods", "none").replace("lat, lon:", "lat: lon:"))' "$2"; }
[ "$(methods_of most.nc max)" = 'time: mean lat: lon: maximum' ] || fail "$(methods_of most.nc max)"
[ "$(methods_of most.nc max)" = "$(methods_of nco.nc u)" ] || fail "NCO: $(methods_of nco.nc u)"
[ "$(methods_of most.nc count)" = none ] || fail "a number of values is no mean"
# Those of a chain, in its order: one that adds, one that says all itself, and one that adds.
method() {
    cat >"$1.c" <<C
#include <string.h>
#include <h5swim/kernel.h>
static int m_plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    (void)state, (void)err;
    plan->outputs[0]->cell_methods = "$2";
    return SWIM_OK;
}
static int m_apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    (void)state, (void)err;
    memcpy(b->outputs[0]->data, b->inputs[0]->data, b->inputs[0]->count * sizeof(float));
    return SWIM_OK;
}
static const struct swim_port ports[] = {{"x", SWIM_TYPE_F32, NULL, "x"}};
SWIM_KERNEL_DEFINE(.name = "$1", .summary = "as it is", .kind = SWIM_KERNEL_MAP,
                   .n_inputs = 1, .inputs = ports, .n_outputs = 1, .outputs = ports,
                   .plan = m_plan, .apply = m_apply, .flags = $3);
C
}
method adds 'lat: minimum' SWIM_KERNEL_ADDS_METHODS
method says 'lon: sum' 0
for kernels in adds,adds,rolling_mean:'time: mean lat: minimum lat: minimum time: mean' \
    adds,says,adds,rolling_mean:'lon: sum lat: minimum time: mean' says:'lon: sum'; do
    job x '' x=u "x=chain.nc:u"
    chain=
    for kernel in $(tr , ' ' <<<"${kernels%%:*}"); do
        case $kernel in
        rolling_mean) chain+="{kernel: $kernel, params: {axis: time, length: 3}}, " ;;
        *) chain+="{kernel: ./$kernel.c}, " ;;
        esac
    done
    sed -i -e "s|^kernel: .*|kernels: [${chain%, }]|" -e '/^params/d' job.yaml
    case $kernels in *rolling*) sed -i 's/^  x: {file: chain/  mean: {file: chain/' job.yaml ;; esac
    run --overwrite
    [ "$(methods_of chain.nc u)" = "${kernels#*:}" ] || fail "$kernels: $(methods_of chain.nc u)"
done
passed "cell_methods in the order in which things were done, as NCO has it"
passed "results of maps, windows, sums, tables and expressions open everywhere"

# --- the history ---------------------------------------------------------------------

history_of() { "$python" -c 'import h5py, sys; v = h5py.File(sys.argv[1]).attrs["history"]
print(v.decode() if isinstance(v, bytes) else v)' "$1"; }
# Seconds since 1970 of the newest line of a history, and the line without its date.
when() { date -d "$(head -n 1 "$1" | cut -c1-24)" +%s; }
command_of() { head -n 1 "$1" | cut -c27-; }

# Two outputs in two files, by as many ranks, have the same history, the input's behind.
job minmax_mean_std 'axes: time' x=u \
    'min=a.nc:min max=a.nc:max mean=b.nc:mean std=b.nc:std count=b.nc:count'
for ranks in '' 'mpirun -n 2 --oversubscribe'; do
    before=$(date +%s)
    # shellcheck disable=SC2086 # a command
    expect_status 0 $ranks "$h5swim" run job.yaml --quiet --record none --overwrite
    for out in a b; do history_of $out.nc >$out.history; done
    cmp a.history b.history || fail "two histories of one run"
    [ "$(command_of a.history)" = "h5swim run job.yaml --quiet --record none --overwrite" ] ||
        fail "the history has another command: $(cat a.history)"
    tail -n +2 a.history | cmp - <(printf 'Thu Jan 01 00:00:00 2026: make winds\nearlier: none\n') ||
        fail "the input's history is not behind it: $(cat a.history)"
    at=$(when a.history)
    if [ "$at" -lt "$before" ] || [ "$at" -gt "$(date +%s)" ]; then fail "the date is not that of the run"; fi
done
cp a.nc before.nc
run --resume
cmp a.nc before.nc || fail "--resume of what is finished changes it"
passed "the history has the command in front of the input's, the same with more ranks"

# The time is that of the beginning: the run waits for its first output, and makes the second
# one when the clock has gone on.
"$h5swim" exec -- "$python" -c 'import h5py, os, time
with h5py.File("a.nc", "r+"):
    open("held", "w").close()
    while not os.path.exists("go"): time.sleep(0.01)' &
holder=$!
on_exit "touch '$tmp/go'"
await test -e held
"$h5swim" run job.yaml --quiet --record none --overwrite &
waiting=$!
is_waited_for() { "$h5swim" locks >locks.out && grep -q 'WAIT\|waits\|waiting' locks.out; }
await is_waited_for
seen_at=$(date +%s)
later() { [ "$(date +%s)" -gt "$seen_at" ]; }
await later
touch go
wait $holder
wait $waiting || fail "the run that waited ended with $?"
history_of b.nc >b.history
[ "$(when b.history)" -le "$seen_at" ] || fail "the history has a time after the beginning"
passed "its time is that of the beginning of the run"

# What was interrupted keeps the line of the run that began it.
"$python" -c 'import h5py, numpy as np
h5py.File("in.h5", "w").create_dataset("U", data=np.ones((8, 64)))'
slow_job 100000 "$tmp/hurry"
"$h5swim" run slow.yaml --quiet --record none &
slow=$!
await test -e out.h5
kill -TERM $slow
wait $slow && fail "it was not interrupted"
history_of out.h5 >first.history
touch hurry
expect_status 0 "$h5swim" run slow.yaml --quiet --record none --resume
history_of out.h5 | cmp - first.history || fail "--resume changes the history"
[ "$(command_of first.history)" = "h5swim run slow.yaml --quiet --record none" ] || fail "not that command"
passed "--resume leaves the history as it is"
