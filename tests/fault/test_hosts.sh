#!/usr/bin/env bash
# The locks between hosts whose links break: cut or silent, one way or both, for less and
# for longer than a lease.  --long: with the default lease, again and again.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"
export HOSTS_DIR=$tmp/hosts
# shellcheck source=tests/support/hosts.sh
. "$(dirname "$0")/../support/hosts.sh"

for program in ip bridge nsenter setpriv redis-server redis-cli; do
    command -v $program >/dev/null || fail "no $program: install iproute2, util-linux and redis"
done
if ! why=$(hosts_possible); then
    printf 'SKIPPED: locks between hosts were NOT tested: %s\n' "${why//$'\n'/: }"
    exit 77
fi
hosts_up 10

# The password is in files of our own and in environments, not on a command line.
password=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
SWIM_REDIS_URL=redis://:$password@$(hosts_address hub):6379
export SWIM_REDIS_URL REDISCLI_AUTH=$password HOSTS_REDIS=$tmp/redis.sock
(umask 077 && printf '%s\n' "bind $(hosts_address hub)" "port 6379" "requirepass $password" \
    "unixsocket $HOSTS_REDIS" 'save ""' "appendonly no" "dir $tmp" >"$tmp/redis.conf")
(hosts_on hub setpriv --pdeathsig KILL redis-server "$tmp/redis.conf") >"$tmp/redis.out" 2>&1 &
redis_pid=$!
on_exit "kill $redis_pid; wait $redis_pid"
for _ in $(seq 500); do
    if redis-cli -s "$HOSTS_REDIS" ping >/dev/null 2>&1; then break; fi
    sleep 0.02
done
# Nobody can hold a lock yet.
redis-cli -s "$HOSTS_REDIS" set '{h5swim}:fresh' 1 >/dev/null ||
    fail "redis-server did not start: $(cat "$tmp/redis.out")"

export PYTHONPATH=$support PYTHONDONTWRITEBYTECODE=1
(hosts_on hub setpriv --pdeathsig KILL "$python" "$(dirname "$0")/hosts_cases.py" "$@") ||
    fail "see above"
passed "locks between hosts"
