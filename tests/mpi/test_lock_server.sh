#!/usr/bin/env bash
# Ranks on two hosts, and no lock server given: rank 0 starts one that both reach, that
# nobody else does, and that is gone with the job, however the job ends.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$support/locklib.sh"
# shellcheck source=tests/support/jobstore.sh
. "$support/jobstore.sh"
export HOSTS_DIR=$tmp/hosts
# shellcheck source=tests/support/hosts.sh
. "$support/hosts.sh"
# shellcheck source=tests/support/mpihosts.sh
. "$support/mpihosts.sh"

mpihosts_up 'the lock server of a job on two hosts'

# A network for containers on both hosts, the same; and one of h1's that h2 does not know.
for host in h1 h2; do
    hosts_net $host ip link add docker0 type bridge
    hosts_net $host ip addr add 172.17.0.1/16 dev docker0
    hosts_net $host ip link set docker0 up
done
hosts_net h1 ip link add other0 type bridge
hosts_net h1 ip addr add 10.99.0.1/24 dev other0
hosts_net h1 ip link set other0 up
# Addresses of h1 that packets of h2 vanish on the way to.
hosts_net h1 ip link add silent0 type bridge
hosts_net h1 ip link set silent0 up
hosts_net h2 ip route add 10.88.0.0/24 dev eth0
for i in $(seq 8); do
    hosts_net h1 ip addr add "10.88.0.$i/24" dev silent0
    # shellcheck disable=SC2154 # of hosts.sh
    hosts_net h2 ip neigh replace "10.88.0.$i" lladdr "$hosts_nobody" dev eth0 nud permanent
done

# More than there is room for, before one of an interface that can be asked for.
hosts_net h1 ip link add many0 type bridge
hosts_net h1 ip link set many0 up
for i in $(seq 16); do
    hosts_net h1 ip addr add "10.97.$i.1/24" dev many0
done
hosts_net h1 ip link add last0 type bridge
hosts_net h1 ip addr add 10.98.0.1/24 dev last0
hosts_net h1 ip link set last0 up

# --- the same bits ------------------------------------------------------------------
# shellcheck disable=SC2034 # of run_job
data=$(data_dir)
for job in wind_speed:WSPD wind_climatology:UWND; do
    launcher=()
    run_job "${job%:*}" "$tmp/one.nc" -n 1 --overwrite
    launcher=(on_hosts)
    run_job "${job%:*}" "$tmp/two.nc" --overwrite
    compare "$tmp/one.nc" "${job#*:}" "$tmp/two.nc" "${job#*:}"
    if grep -q 'lock server of its own' "$tmp/err"; then fail "--quiet: $(cat "$tmp/err")"; fi
    passed "${job%:*} on two hosts"
done
"$h5swim" serve stop >/dev/null 2>&1 # of the runs on one host
job_right_files
nothing_left "jobs that were done"

# --- who reaches it -----------------------------------------------------------------
: >"$tmp/began"
job_nap_ms=6000 # three minutes in all: it is looked at for a while, and ended then
job_begin
job_nap_ms=200 # of those that come to their end
port=$(hosts_net h1 ss -Hltnp | sed -n "s/.*:\([0-9]*\) .*pid=${server[0]},.*/\1/p" | sort -u)
at=$(hosts_net h1 ss -Hltnp | awk "/pid=${server[0]},/ { print \$4 }")
[ "$at" = "$(hosts_address h1):$port" ] || fail "it listens at: $at"
grep -q "h5swim: this job has a lock server of its own, .* on h1 (10.77.0.11 port $port)" \
    "$tmp/job_err" || fail "not said: $(cat "$tmp/job_err")"
passed "it listens where the other host reaches it, and nowhere else"

# Its password is in the memory of a process of the job.
reader=$(pids_of 'h5swim run' | tail -1)
password=$("$python" - "$reader" <<'PY'
import re, sys
pid = sys.argv[1]
for line in open(f"/proc/{pid}/maps"):
    span, mode = line.split()[:2]
    low, high = (int(x, 16) for x in span.split("-"))
    if "w" not in mode or high - low > 1 << 30:
        continue
    with open(f"/proc/{pid}/mem", "rb", 0) as mem:
        mem.seek(low)
        found = re.search(rb"redis://:([0-9a-f]{32})@", mem.read(min(high - low, 1 << 26)))
    if found:
        print(found.group(1).decode())
        break
PY
)
[ -n "$password" ] || fail "no password found in the memory of $reader"
ask() { (hosts_on h2 env REDISCLI_AUTH="$1" redis-cli -h "$(hosts_address h1)" -p "$port" ping 2>&1); }
[ "$(ask "$password")" = PONG ] || fail "the right password: $(ask "$password")"
case $(ask "") in *NOAUTH*) ;; *) fail "no password: $(ask "")" ;; esac
case $(ask "${password%?}x") in *WRONGPASS*NOAUTH*) ;; *) fail "a wrong one: $(ask x)" ;; esac
passed "only who has its password gets in"
# files_with WORD HOST: files where others look, written since the job began, that hold it.
files_with() {
    (hosts_on "$2" find /tmp /var/tmp /run /dev/shm "${TMPDIR:-/tmp}" "${HOME:-/root}" -xdev \
        -path "$tmp" -prune -o -type f -newer "$tmp/began" -size -2048k \
        -exec grep -laF "$1" {} + 2>/dev/null) || true
}
for host in h1 h2; do
    found=$(files_with "$password" $host)
    [ -z "$found" ] || fail "its password is in a file of $host: $found"
done
shown=0
for dir in /proc/[0-9]*; do
    if grep -qaF "$password" "$dir/cmdline" "$dir/environ" 2>/dev/null; then
        tr '\0' ' ' <"$dir/cmdline" >&2
        fail "its password is shown by ${dir#/proc/}"
    fi
    shown=$((shown + 1))
done
[ -e "/proc/$keeper" ] || fail "the job ended before all of it was looked at"
kill -TERM "$mpirun"
job_ends 143 1
if grep -raqF "$password" "$tmp/job_out" "$tmp/job_err" "$tmp/work" "$tmp/ompi" \
    "$SWIM_SERVER_DIR"; then
    fail "its password is in a file"
fi
passed "its password is in no file, nor in what is seen of $shown processes"
nothing_left "SIGTERM"

job_begin
kill -USR1 "$mpirun"
await grep -q 'locks of .*/in.h5: READ held by h[12]:.*job pair' "$tmp/job_err"
job_ends 0
nothing_left "a job that was asked who holds its locks, and says so"

# --- how else it ends -------------------------------------------------------------------
job_nap_ms=500 # so that it is not over before
job_begin
kill -KILL "$mpirun"
job_ends 137
nothing_left "SIGKILL of mpirun"

rank_0() {
    local pid
    for pid in $(pids_of 'h5swim run'); do
        if [ "$(ps -o ppid= -p "$pid" | tr -d ' ')" = "$mpirun" ] &&
            tr '\0' '\n' <"/proc/$pid/environ" | grep -qx OMPI_COMM_WORLD_RANK=0; then
            echo "$pid"
        fi
    done
}
job_begin
kill -KILL "$(rank_0)"
job_ends 137
nothing_left "SIGKILL of rank 0"

# All of it at one time, as by a batch system: nothing could clear away.
job_begin
# shellcheck disable=SC2046 # numbers
kill -KILL $(pids_of)
job_ends 137
nothing_left "SIGKILL of all of it"

job_begin
kill -KILL "$keeper"
await test ! -e "/proc/${server[0]}"
job_ends 1
nothing_left "SIGKILL of its keeper"

# It is started again.  Where that takes longer than the lease, the job stops, and goes on.
job_nap_ms=200
job_begin
kill -KILL "${server[0]}"
job_ends 0 1
on_hosts "$h5swim" run pair.yaml --readers 1 --resume --quiet >"$tmp/job_out" 2>"$tmp/job_err" ||
    fail "the job does not go on: $(cat "$tmp/job_err")"
right
nothing_left "a job whose server was killed and came again"

on_hosts "$h5swim" run pair.yaml --overwrite --quiet
right
passed "another job goes on where those were"

# --- who cannot reach it ----------------------------------------------------------------
cp out.h5 before.h5
cannot='host h2 cannot reach the lock server of this job on h1, port [0-9]+'
unreached() { # INTERFACE TRIED REASON
    SWIM_INTERFACE=$1 expect_status 1 on_hosts "$h5swim" run pair.yaml --overwrite --quiet
    grep '^h5swim:' "$tmp/err" >"$tmp/line" || true # mpirun has its own to say
    expect_line "rank [23]: $cannot \(tried: $2\): .*$3.*SWIM_REDIS_URL" "$tmp/line"
    cmp out.h5 before.h5 || fail "the output is not what it was"
    nothing_left "a rank that cannot reach it: $3"
}
unreached 10.99.0.1 10.99.0.1 'Network is unreachable'
unreached other0 10.99.0.1 'Network is unreachable'
unreached last0 10.98.0.1 'Network is unreachable'
unreached 10.88.0.1 10.88.0.1 'Connection timed out'
unreached docker0 'nothing, it has only this host.s' ''

SWIM_INTERFACE=eth7 expect_status 2 on_hosts "$h5swim" run pair.yaml --overwrite --quiet
grep '^h5swim:' "$tmp/err" >"$tmp/line"
expect_line 'SWIM_INTERFACE=eth7.*host h1 has .*eth0 10.77.0.11' "$tmp/line"
passed "an interface that there is not is refused"

# Told to end while it waits for one that tries one silent address after the other.
SWIM_INTERFACE=silent0 on_hosts "$h5swim" run pair.yaml --overwrite \
    >"$tmp/job_out" 2>"$tmp/job_err" &
job=$!
await grep -q 'lock server of its own' "$tmp/job_err"
mpirun_runs() { [ -n "$(mpirun_pid)" ]; }
await mpirun_runs
before=$(date +%s%3N)
kill -TERM "$(mpirun_pid)"
job_ends 143 1
took=$(($(date +%s%3N) - before))
[ $took -lt 10000 ] || fail "it took $took ms to end" # all eight would take 16 s
nothing_left "SIGTERM while ranks look for it ($took ms)"

# --- one that is given ------------------------------------------------------------------
# Launchers do not hand the environment on: what rank 0 has is for all.
hub_up
SWIM_REDIS_URL=$url expect_status 0 on_hosts "$h5swim" run pair.yaml --overwrite --readers 1
right
if grep -q 'lock server of its own' "$tmp/err"; then fail "another was started"; fi
[ "$(hub info commandstats | grep -c 'cmdstat_evalsha')" -eq 1 ] || fail "it was not used"
hub config resetstat >/dev/null
passed "the server that rank 0 is given is that of all"

# Given to others alone, each would be alone with its own.
expect_status 2 on_hosts -n 2 "$h5swim" run pair.yaml --overwrite --quiet : \
    -n 2 -x SWIM_REDIS_URL="$url" "$h5swim" run pair.yaml --overwrite --quiet
grep '^h5swim:' "$tmp/err" >"$tmp/line"
expect_line 'rank [1-3] on h[12] has a lock server in SWIM_REDIS_URL, rank 0 on h1 has none' \
    "$tmp/line"
passed "a server that only others are given is refused"

# One URL that leads to another server on each host: locks would hold for one host only.
mkdir "$tmp/socket"
own_server() { # HOST
    (hosts_on "$1" sh -c "mount -t tmpfs tmpfs '$tmp/socket' && exec setpriv --pdeathsig KILL \
        redis-server --port 0 --unixsocket '$tmp/socket/redis' --save '' --dir '$tmp/socket'") \
        >"$tmp/redis.$1" 2>&1 &
    on_exit "kill $!; wait $!"
    await own_answers "$1"
}
own_answers() { (hosts_on "$1" redis-cli -s "$tmp/socket/redis" ping >/dev/null 2>&1); }
cp out.h5 before.h5
own_server h1
own_server h2
SWIM_LEASE_MS=1000 expect_status 2 on_hosts "$h5swim" run pair.yaml --overwrite --quiet \
    --redis "unix://$tmp/socket/redis"
grep '^h5swim:' "$tmp/err" >"$tmp/line"
expect_line 'rank [23] on h2 uses another lock server \(.*/socket/redis.*\) than rank 0 on h1: give' \
    "$tmp/line"
cmp out.h5 before.h5 || fail "the output is not what it was"
for host in h1 h2; do
    left=$(hosts_on $host redis-cli -s "$tmp/socket/redis" --scan | grep -c 'session:' || true)
    [ "$left" = 0 ] || fail "sessions are left at the server of $host: $left"
done
passed "one URL that leads to two servers is refused"

# --- on one host ------------------------------------------------------------------------
(hosts_on h1 "${mpi[@]}" --host h1:4 "$h5swim" run pair.yaml --overwrite) \
    >"$tmp/job_out" 2>"$tmp/job_err" || fail "on one host: $(cat "$tmp/job_err")"
if grep -q 'lock server of its own' "$tmp/job_err"; then fail "one was started"; fi
[ -S "$SWIM_SERVER_DIR/redis.sock" ] || fail "the private server was not used"
right
passed "on one host the private server is used"
