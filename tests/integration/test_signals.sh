#!/usr/bin/env bash
# SIGTERM and SIGINT at the driver, a rank, a reader, the writer, mpirun: locks free, no
# process left, exit status 128+N, all within a second; a busy machine gets two.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_SERVER_IDLE_S=5
"$python" - <<'PY'
import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    f.create_dataset("U", data=np.ones((4000, 64), dtype="f4"), chunks=(1, 64))
PY
slow_job 20 "$PWD/enough"

# The lock server is everybody's, not the job's: start it outside the marked environment.
"$hold_lock" in.h5 read </dev/null >/dev/null

marked() { # pids of h5swim whose environment has this test's mark
    local exes
    mapfile -t exes < <(linked_to '*/h5swim' /proc/[0-9]*/exe)
    { grep -lszxF "SWIM_TEST_MARK=$MARK" /dev/null "${exes[@]/%exe/environ}" || true; } | cut -d/ -f3
}
depth() { # N: the first of the job's processes N generations below the launcher $LAUNCHED
    local level=$LAUNCHED i
    for ((i = 0; i < $1; i++)); do level=$(pgrep -P "$level" | head -n 1); done
    echo "$level"
}
now_ms() { date +%s%3N; }
at_work() { [ -s out.h5 ] && [ "$(marked | wc -l)" -ge "$1" ]; } # N: so many processes

# case NAME SIGNAL GENERATION LAUNCHER...: signal the process so many generations down.
case_signal() {
    local name=$1 signo=$2 generation=$3 start took status
    shift 3
    rm -f out.h5
    MARK=$name-$$-$RANDOM
    SWIM_TEST_MARK=$MARK setsid "$@" >stdout 2>stderr &
    LAUNCHED=$!
    await at_work "$PROCESSES"
    sleep 0.3
    kill -0 "$LAUNCHED" 2>/dev/null || fail "$name: the job has ended: $(cat stderr)"
    start=$(now_ms)
    kill "-$signo" -- "${group:+-}$(depth "$generation")"
    while [ -n "$(marked)" ] && [ $(($(now_ms) - start)) -lt 4000 ]; do sleep 0.01; done
    took=$(($(now_ms) - start))
    status=0
    wait "$LAUNCHED" || status=$?
    [ "$took" -le "$LIMIT" ] || fail "$name: processes left after $took ms: $(marked | xargs -r -n1 ps -o pid,args -p | grep -v PID)"
    # An mpirun that was told to end forwards no more output.
    [ "$1" = mpirun ] || grep -q "stopped by SIG$signo" stderr || fail "$name: $(cat stderr)"
    [ "$status" = "${STATUS:-$((128 + $(kill -l "$signo")))}" ] || fail "$name: exit status $status: $(cat stderr)"
    lock_is_free in.h5 || fail "$name: lock of the input not free: $(cat "$tmp/lock_err")"
    lock_is_free out.h5 || fail "$name: lock of the output not free: $(cat "$tmp/lock_err")"
    passed "$name: gone after $took ms, status $status"
}

LIMIT=2000
group=
PROCESSES=8 # 2 ranks x (rank, spawner, 1 reader, writer) and the driver, a little less
for signo in TERM INT; do
    for generation in 0 1 2 3; do
        case_signal "SIG$signo to generation $generation of -n 2" $signo $generation \
            "$h5swim" run slow.yaml -n 2 --readers 1 --quiet
    done
done
expect_status 2 "$h5swim" run slow.yaml
expect_line 'out.h5.*unfinished.*--overwrite'

# A terminal sends Ctrl-C to all of them at once.
PROCESSES=8
group=1
case_signal "SIGINT to the process group of -n 2" INT 0 "$h5swim" run slow.yaml -n 2 --readers 1 --quiet

# Also while one of them compiles the kernel, which the signal ends as well.
cat >cc <<'SH'
#!/bin/sh
n=1 # two may run at once
until mkdir "$RUNS/$n" 2>/dev/null; do n=$((n + 1)); done
if [ "$n" = "$SLOW_AT" ]; then
    touch "$RUNS/slow"
    exec sleep 60
fi
exec cc "$@"
SH
chmod +x cc
for at in {1..4}; do
    name="SIGINT to the process group at run $at of the compiler"
    rm -rf out.h5 runs
    mkdir runs
    CC=$PWD/cc RUNS=$PWD/runs SLOW_AT=$at setsid "$h5swim" run slow.yaml --readers 1 --quiet >stdout 2>stderr &
    LAUNCHED=$!
    await test -e runs/slow
    kill -INT -- "-$LAUNCHED"
    status=0
    wait "$LAUNCHED" || status=$?
    [ "$status" = 130 ] || fail "$name: exit status $status: $(cat stderr)"
    grep -q 'stopped by SIGINT' stderr || fail "$name: $(cat stderr)"
    passed "$name: $(cat stderr)"
done
rm -rf out.h5 runs
mkdir runs
touch enough
CC=$PWD/cc RUNS=$PWD/runs SLOW_AT=0 "$h5swim" run slow.yaml --readers 2 --quiet
count=$(find runs -mindepth 1 | wc -l)
[ "$count" = 4 ] || fail "the compiler was run $count times"
rm enough
passed "a rank looks for its kernel once, for readers and writer too"
group=
PROCESSES=4
case_signal "SIGINT to the driver, -n 1" INT 0 "$h5swim" run slow.yaml --readers 1 --quiet

if command -v mpirun >/dev/null; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    PROCESSES=8
    LIMIT=3000 # mpirun passes the signal on after one second, and ends with 1 itself
    STATUS=1 case_signal "SIGTERM to mpirun" TERM 0 mpirun --oversubscribe -n 2 "$h5swim" run slow.yaml --readers 1 --quiet
    LIMIT=2000
    case_signal "SIGTERM to a rank under mpirun" TERM 1 mpirun --oversubscribe -n 2 "$h5swim" run slow.yaml --readers 1 --quiet
else
    echo "skipped: no mpirun"
fi

# Killed outright, at any place: the others go on, and the job is done; all of them at
# once: nothing is left running, and nobody waits for the dead.
killed() { # NAME GENERATIONS...
    local name=$1 start status victims=() generation
    shift
    rm -f out.h5 enough
    MARK=$1-$$-$RANDOM
    SWIM_TEST_MARK=$MARK setsid "$h5swim" run slow.yaml -n 2 --readers 1 --quiet >stdout 2>stderr &
    LAUNCHED=$!
    await at_work 8
    sleep 0.2
    for generation in "$@"; do victims+=("$(depth "$generation")"); done
    start=$(now_ms)
    kill -KILL "${victims[@]}"
    if [ $# = 1 ]; then # that it goes on is seen; the rest takes no time
        sleep 0.5
        touch enough
    fi
    status=0
    wait "$LAUNCHED" || status=$?
    while [ -n "$(marked)" ] && [ $(($(now_ms) - start)) -lt 30000 ]; do sleep 0.01; done
    [ -z "$(marked)" ] || fail "SIGKILL to the $name: processes are left"
    if [ $# = 1 ]; then
        [ "$1" = 0 ] || [ "$status" = 0 ] || fail "SIGKILL to the $name: status $status: $(cat stderr)"
        finished || fail "SIGKILL to the $name: the job was not finished by the others"
    else
        [ "$status" != 0 ] || fail "SIGKILL to the $name: exit status 0"
        [ $(($(now_ms) - start)) -lt 3000 ] || fail "SIGKILL to the $name: gone after $(($(now_ms) - start)) ms"
    fi
    "$hold_lock" in.h5 write 11000 </dev/null >/dev/null 2>lockerr || fail "SIGKILL to the $name: lock not free after a lease: $(cat lockerr)"
    passed "SIGKILL to the $name: over after $(($(now_ms) - start)) ms, status $status"
}
finished() { ! h5dump -a /Y/h5swim_unfinished out.h5 >/dev/null 2>&1 && h5dump -d /Y out.h5 >/dev/null; }
killed driver 0
killed rank 1
killed spawner 2
killed reader 3
killed "driver and rank" 0 1
killed "driver, rank and spawner" 0 1 2
