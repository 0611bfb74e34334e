# shellcheck shell=bash
# testlib.sh - sourced by the shell tests, which get SWIM_BUILD and SWIM_SOURCE from
# ctest.  Each test has a folder of its own, $tmp, and a lock server of its own in it.
set -euo pipefail

: "${SWIM_BUILD:?the build directory}" "${SWIM_SOURCE:?the source directory}"
# shellcheck disable=SC2034 # used by the tests
h5swim=$SWIM_BUILD/bin/h5swim
support=$SWIM_SOURCE/tests/support
python=/usr/bin/python3 # Debian's, which has the modules

tmp=$(mktemp -d "${TMPDIR:-/tmp}/h5swim-test.XXXXXX")
unset SWIM_REDIS_URL SWIM_KERNEL_PATH
mkdir -m 700 "$tmp/server"
export SWIM_SERVER_DIR=$tmp/server SWIM_SERVER_IDLE_S=2 LC_ALL=C

# Debian's Open MPI refuses root, and more ranks than cores must not spin.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# on_exit COMMAND: run when the test ends, the last one first.
exit_commands=()
on_exit() { exit_commands=("$1" "${exit_commands[@]}"); }

# The lock server ends by itself when it has been idle; whoever is left in the folder
# after that is a mistake, but no reason to leave the folder behind.
cleanup() {
    local status=$? left command until
    for command in "${exit_commands[@]}"; do eval "$command" || true; done
    # One that was to stay for long is not waited for.
    [ "$SWIM_SERVER_IDLE_S" -le 5 ] || "$h5swim" serve stop >/dev/null 2>&1 || true
    until=$((SECONDS + SWIM_SERVER_IDLE_S + 30)) # leases of the dead run out before
    while left=$(server_pids) && [ -n "$left" ] && [ $SECONDS -lt $until ]; do sleep 0.1; done
    if [ -n "$left" ]; then
        printf 'left running: %s\n' "$left" >&2
        # shellcheck disable=SC2086 # a list of numbers
        kill $left 2>/dev/null || true
        [ "$status" -ne 0 ] || status=1
    fi
    rm -rf --one-file-system "$tmp"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Processes that work in the server's folder, or have it on their command line.  One look
# at all of them is two programs, for it is asked again and again; grep has the name from
# its input, so that it does not find itself.
server_pids() {
    {
        linked_to "$SWIM_SERVER_DIR" /proc/[0-9]*/cwd
        # shellcheck disable=SC2062 # files
        grep -f - -lsaF /proc/[0-9]*/cmdline <<<"$SWIM_SERVER_DIR" || true
    } | cut -d/ -f3 | sort -u | tr '\n' ' '
}

# linked_to PATTERN LINK...: those that lead there, as they are called.
linked_to() {
    local pattern=$1
    shift
    find "$@" -maxdepth 0 -lname "$pattern" 2>/dev/null || true
}

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

passed() { printf 'ok: %s\n' "$*"; }

# expect_status N COMMAND...: output goes to $tmp/out and $tmp/err.
expect_status() {
    local want=$1 got=0
    shift
    "$@" >"$tmp/out" 2>"$tmp/err" || got=$?
    if [ "$got" -ne "$want" ]; then
        cat "$tmp/out" "$tmp/err" >&2
        fail "status $got, not $want: $*"
    fi
}

# expect_line PATTERN [FILE]: FILE, else the last command's stderr, holds one line, and
# the extended regular expression fits it.
expect_line() {
    local file=${2:-$tmp/err}
    if [ "$(grep -c '' "$file" || true)" -ne 1 ] || ! grep -qE -- "$1" "$file"; then
        cat "$file" >&2
        fail "not one line with: $1"
    fi
}

# data_dir: the name of a folder with the data of the jobs, made once in a build tree.
# Nobody may write there.
data_dir() {
    local dir=$SWIM_BUILD/tests/data
    mkdir -p "$dir"
    flock "$dir" "$SWIM_SOURCE/jobs/prepare-data" "$dir" >&2
    printf '%s\n' "$dir"
}

# compare ...: see compare.py.
compare() {
    "$python" "$support/compare.py" "$@"
}

# run_job JOB OUTPUT OPTION...: one of the three jobs on the data in $data.
run_job() {
    local job=$1 output=$2 settings=()
    shift 2
    case $job in
    wind_speed)
        settings=(--set "inputs.u.file=$data/monthly_navy_winds.nc"
            --set "inputs.v.file=$data/monthly_navy_winds.nc"
            --set "outputs.speed.file=$output")
        ;;
    wind_climatology)
        settings=(--set "inputs.x.file=$data/monthly_navy_winds.nc"
            --set "outputs.mean.file=$output")
        ;;
    relief_slope)
        settings=(--set "inputs.height.file=$data/etopo5.nc"
            --set "outputs.slope.file=$output")
        ;;
    *) fail "no job $job" ;;
    esac
    expect_status 0 "${launcher[@]}" "$h5swim" run "$SWIM_SOURCE/jobs/$job.yaml" --quiet \
        "${settings[@]}" "$@"
}
# slow_job MS [UNTIL]: slow.yaml, a job here that doubles U of in.h5 row by row and takes
# so long for each, but no longer than until there is a file UNTIL.
slow_job() {
    printf '%s\n' "kernel: $support/kernels/slow.c" "params: {ms: $1, until: '${2:-}'}" \
        'inputs: {u: {file: in.h5, dataset: U}}' 'outputs: {y: {file: out.h5, dataset: Y}}' \
        'block: [1, 64]' > slow.yaml
}

# await COMMAND...: until it succeeds, for $await_s seconds at most.
await_s=30
await() {
    local until=$((${EPOCHREALTIME//[.,]/} + await_s * 1000000))
    until "$@"; do
        [ ${EPOCHREALTIME//[.,]/} -le $until ] || fail "in vain for $await_s s: $* $(cat ./*.err 2>/dev/null)"
        sleep 0.01
    done
}

# below PID: its children, the first one first; nothing: none.
below() { if [ -n "$1" ]; then { pgrep -P "$1" || true; } 2>/dev/null | sort -n; fi; }
# of_rank PID ROLE: the spawner, first reader or writer of a rank; nothing: it has none.
of_rank() {
    local spawner
    spawner=$(below "$1" | head -n 1)
    case $2 in
    spawner) echo "$spawner" ;;
    reader) below "$spawner" | head -n 1 ;;
    writer) below "$spawner" | tail -n 1 ;;
    esac
}

# What run_job starts h5swim with, e.g. mpirun, and where it finds its data.
launcher=()
data=

# run_pids: of h5swim in the working directory; of those of a job the driver or the ranks
# come first.
run_pids() {
    local exes
    mapfile -t exes < <(linked_to '*/h5swim' /proc/[0-9]*/exe)
    [ ${#exes[@]} -eq 0 ] || linked_to "$PWD" "${exes[@]/%exe/cwd}" | cut -d/ -f3
}
no_process() { [ -z "$(run_pids)" ]; }
