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
opens mean.nc u units='m s-1' grid_mapping=crs
job rolling_mean 'axis: time, length: 4' x=u mean=rolling.nc:u
run
opens rolling.nc u units='m s-1' coordinates='xlat xlon'
run --set 'edges={time: none}' --set outputs.mean.file=whole.nc
opens whole.nc u units='m s-1' coordinates='xlat xlon'
job regrid "factor: 'lat=2, lon=4'" x=u mean=coarse.nc:u
run
opens coarse.nc u units='m s-1' coordinates=
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
