# shellcheck shell=bash
# mpihosts.sh - jobs of four ranks on two hosts of hosts.sh, h1 and h2; sourced after
# jobstore.sh and hosts.sh.
: "${tmp:?source testlib.sh first}" "${h5swim:?}" "${python:?}" "${support:?}" "${HOSTS_DIR:?}"

# mpihosts_up WHAT: the hosts, and an empty working directory; or the test is skipped,
# and says that WHAT was not tested.
mpihosts_up() {
    local program why host
    for program in ip nsenter setpriv ss redis-server redis-cli mpirun; do
        command -v $program >/dev/null ||
            fail "no $program: install iproute2, util-linux, redis and openmpi-bin"
    done
    if ! why=$(hosts_possible); then
        printf 'SKIPPED: %s was NOT tested: %s\n' "$1" "${why//$'\n'/: }"
        exit 77
    fi
    hosts_up 2
    spaces=" $(for host in h1 h2; do ps -o netns= -p "$(hosts_pid $host)"; done | tr -s ' \n' ' ')"
    mkdir "$tmp/work" "$tmp/ompi"
    cd "$tmp/work" || fail "no $tmp/work"
}

# on_hosts COMMAND...: four ranks of it, on two hosts.  Remote ones get of the environment
# what is named here.
export SWIM_CACHE_DIR=$tmp/cache SWIM_LOG=debug
handed=(-x SWIM_CACHE_DIR -x SWIM_SERVER_DIR -x SWIM_SERVER_IDLE_S -x SWIM_LOG -x NAP_MS
    -x SWIM_LEASE_MS)
export NAP_MS=5 SWIM_LEASE_MS=4000
mpi=(mpirun --mca plm rsh --mca ras '^slurm' --mca plm_rsh_agent "$support/hosts.sh agent"
    --mca mpi_yield_when_idle 1 --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0
    --mca orte_tmpdir_base "$tmp/ompi")
on_hosts() { (hosts_on h1 timeout -k 5 60 "${mpi[@]}" "${handed[@]}" --host h1:2,h2:2 "$@"); }

# on_hosts_runs [WORDS]: "pid command line" of all that runs there, or of what has these
# words, but for what the hosts consist of.
on_hosts_runs() {
    ps -eo netns=,pid=,args= | while read -r space pid args; do
        case $spaces in *" $space "*) ;; *) continue ;; esac
        case $args in "sleep infinity") continue ;; *"${1:-}"*) echo "$pid $args" ;; esac
    done
}
pids_of() { on_hosts_runs "$@" | cut -d' ' -f1; }
mpirun_pid() { on_hosts_runs mpirun | sed -n 's/^\([0-9]*\) mpirun .*/\1/p'; }

# await COMMAND...: until it is so, for at most 20 s.
await() {
    local until
    until=$((SECONDS + 20))
    while [ $SECONDS -lt $until ]; do
        if "$@"; then return; fi
        sleep 0.05
    done
    on_hosts_runs >&2
    cat "$tmp/job_err" >&2
    fail "not in 20 s: $*"
}
nobody() { [ -z "$(on_hosts_runs)" ]; }
nothing_left() {
    await nobody
    [ -z "$(find "$SWIM_SERVER_DIR" -mindepth 1)" ] ||
        fail "$1: left: $(find "$SWIM_SERVER_DIR" -mindepth 1)"
    passed "nothing is left after $1"
}

# The private server, which runs of one host start, ends now.
private_ends() {
    "$h5swim" serve stop --force >/dev/null 2>&1
    rm -f "$SWIM_SERVER_DIR"/*
}

# What the job is to come to: right.h5.
job_right_files() {
    job_store_files
    "$python" -c 'import h5py, numpy as np
with h5py.File("in.h5", "r+") as f:
    f["U"][:] = np.arange(120 * 64).reshape(120, 64)'
    "$h5swim" run pair.yaml --overwrite --quiet
    private_ends
    cp out.h5 right.h5
}
right() {
    compare right.h5 Y out.h5 Y
    compare right.h5 Z out.h5 Z
}

# job_begin: of a job that has begun with its blocks, each of job_nap_ms, in the background.
job_options=()
job_nap_ms=50
job_begin() {
    rm -f out.h5* out.shard-*
    NAP_MS=$job_nap_ms on_hosts "$h5swim" run pair.yaml --readers 1 "${job_options[@]}" \
        >"$tmp/job_out" 2>"$tmp/job_err" &
    job=$!
    await job_works
    # shellcheck disable=SC2034,SC2207 # numbers, for those who source this
    server=($(pids_of redis-server | tail -1))
    # shellcheck disable=SC2034
    keeper=$(pids_of keep-job)
    # shellcheck disable=SC2034
    mpirun=$(mpirun_pid)
}
# Each rank has a spawner, a reader and a writer by then, and there is an output.
job_works() {
    [ "$(pids_of 'h5swim run' | wc -l)" -ge 16 ] && [ -n "$(find . -name '*.swimlog' -size +0)" ]
}
job_ends() { # STATUS...
    local got=0
    wait "$job" || got=$?
    case " $* " in *" $got "*) ;; *)
        cat "$tmp/job_out" "$tmp/job_err" >&2
        fail "the job ended with $got, not $*"
        ;;
    esac
}

# hub_up: a lock server on the hub, $url for who is to use it.
hub_up() {
    given=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
    (umask 077 && printf '%s\n' "bind $(hosts_address hub)" "port 6379" "requirepass $given" \
        'save ""' "appendonly no" "dir $tmp" >"$tmp/redis.conf")
    (hosts_on hub setpriv --pdeathsig KILL redis-server "$tmp/redis.conf") >"$tmp/redis.out" 2>&1 &
    redis_pid=$!
    on_exit "kill $redis_pid; wait $redis_pid"
    await hub_answers
    hub set '{h5swim}:fresh' 1 >/dev/null
    # shellcheck disable=SC2034
    url=redis://:$given@$(hosts_address hub):6379
}
hub() { (hosts_on hub env REDISCLI_AUTH="$given" redis-cli -h "$(hosts_address hub)" "$@"); }
hub_answers() { [ "$(hub ping 2>/dev/null)" = PONG ]; }
