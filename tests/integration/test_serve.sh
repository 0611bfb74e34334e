#!/usr/bin/env bash
# h5swim serve: a lock server that stays, for this host and, with a password and TLS, for
# others; what it is asked for that cannot be; the unit for systemd.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"
on_exit "$h5swim serve stop --force >/dev/null 2>&1"

serve() { "$h5swim" serve "$@"; }
# free_port: one that nobody listens at.
free_port() {
    "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
# refused STATUS PATTERN ARGUMENT...
refused() {
    local status=$1 pattern=$2
    shift 2
    expect_status "$status" serve "$@"
    expect_line "$pattern"
}
# started ARGUMENT...: by serve start, and what it prints is taken over.
started() {
    expect_status 0 serve start "$@"
    expect_line 'is started'
    eval "$(cat "$tmp/out")"
}
# works_from_elsewhere: a lock is had by the URL that start printed.
works_from_elsewhere() {
    hold "$tmp/some.h5" write
    if lock_is_free "$tmp/some.h5"; then fail "the lock is had twice"; fi
    let_go
    lock_is_free "$tmp/some.h5" || fail "the lock is not had: $(cat "$tmp/lock_err")"
}
# told_nowhere TEXT: a password is nowhere but in files that only their owner reads.
told_nowhere() {
    local file
    for file in /proc/[0-9]*/cmdline; do
        if { tr '\0' ' ' <"$file" | grep -qF "$1"; } 2>/dev/null; then
            fail "the password is on the command line of $file"
        fi
    done
    if grep -qF "$1" "$tmp/err" "$SWIM_SERVER_DIR/redis.log"; then fail "it is told or logged"; fi
    grep -rlF "$1" "$SWIM_SERVER_DIR" | while read -r file; do
        [ "$(stat -c %a "$file")" = 600 ] || fail "others can read it in $file"
    done
}

# --- for this host alone

expect_status 1 serve status
expect_line "no lock server runs in $SWIM_SERVER_DIR" "$tmp/out"
expect_status 0 serve stop
started
[ "$SWIM_REDIS_URL" = "unix://$SWIM_SERVER_DIR/redis.sock" ] || fail "the URL is $SWIM_REDIS_URL"
works_from_elsewhere
unset SWIM_REDIS_URL
expect_status 0 serve start
expect_line 'was running'
sleep 3 # longer than SWIM_SERVER_IDLE_S: nothing is waited for, it must not happen
expect_status 0 serve status --json
"$python" - "$tmp/out" <<'PY'
import json, sys
status = json.load(open(sys.argv[1]))
assert status["running"] and status["stays"] and status["address"] is None, status
assert status["sessions"] == status["held"] == 0, status
PY
passed "it stays"

hold "$tmp/some.h5" read
expect_status 0 serve status
grep -q '1 session, 1 lock held, 0 waiting' "$tmp/out" || fail "$(cat "$tmp/out")"
refused 1 '1 session is open.*--force' stop
let_go
expect_status 0 serve stop
expect_status 1 serve status
passed "it is not stopped under those who use it"

hold "$tmp/some.h5" write # starts one that ends when idle
expect_status 0 serve start
let_go
sleep 3
expect_status 0 serve status
refused 2 'one runs in .* already, on its socket alone \(end it by h5swim serve stop' \
    start --tcp 127.0.0.1
expect_status 0 serve stop
started --idle 1
for _ in $(seq 100); do
    if ! serve status >/dev/null; then break; fi
    sleep 1.5 # each look is a use
done
expect_status 1 serve status
unset SWIM_REDIS_URL
passed "one that was started on demand can be made to stay; --idle ends it"

started
unset SWIM_REDIS_URL
server=$(cat "$SWIM_SERVER_DIR/redis.pid")
kill -STOP "$server"
refused 1 "process $server runs and does not answer" status
refused 1 "process $server runs and does not answer .*--force" stop
refused 1 "process $server runs and does not answer .*--force" start
expect_status 1 "$h5swim" locks
expect_line "^h5swim locks: ask the private lock server in .*: process $server runs and does not answer"
expect_status 0 serve stop --force
expect_status 1 serve status
rm "$SWIM_SERVER_DIR/used" # nobody held a lock: no grace
passed "one that hangs is told of, and ended when that is wanted"

# --- for others

port=$(free_port)
started --tcp "127.0.0.1:$port"
password=$(printf '%s\n' "$SWIM_REDIS_URL" | sed -E 's,^redis://:([0-9a-f]{32})@127.0.0.1:[0-9]+$,\1,')
[ ${#password} -eq 32 ] || fail "no password in $SWIM_REDIS_URL"
told_nowhere "$password"
works_from_elsewhere
url=$SWIM_REDIS_URL
unset SWIM_REDIS_URL
works_from_elsewhere # by the socket
expect_status 0 serve status
if grep -qF "$password" "$tmp/out"; then fail "status tells the password"; fi
expect_status 0 serve status --export
[ "$(cat "$tmp/out")" = "export SWIM_REDIS_URL='$url'" ] || fail "$(cat "$tmp/out")"
expect_status 1 "$h5swim" locks --redis "redis://127.0.0.1:$port"
expect_line 'NOAUTH'
expect_status 1 "$h5swim" locks --redis "redis://:wrong@127.0.0.1:$port"
expect_line 'log in'
mkdir -m 700 "$tmp/second"
SWIM_SERVER_DIR=$tmp/second refused 1 'Could not create server TCP listening socket.*in use' \
    start --tcp "127.0.0.1:$port"
SWIM_SERVER_DIR=$tmp/second expect_status 1 serve status
expect_status 0 serve stop
expect_status 1 "$h5swim" locks --redis "$url"
passed "other hosts need the password, which is not told"

own=S3cret-$$-$RANDOM # no other test has it on a command line
printf '%s "word"\\%%@\n' "$own" >"$tmp/password"
started --tcp "127.0.0.1:$port" --password-file "$tmp/password"
told_nowhere "$own"
works_from_elsewhere
unset SWIM_REDIS_URL
works_from_elsewhere
refused 2 'one runs in .* already, on redis://127.0.0.1' start --tcp "127.0.0.1:$((port + 1))"
expect_status 0 serve stop
passed "a password of one's own, with all signs"

"$support/certificates.sh" "$tmp"
tls=(--tls-cert "$tmp/server.crt" --tls-key "$tmp/server.key" --tls-ca "$tmp/ca.crt")
started --tcp "localhost:$port" "${tls[@]}"
case $SWIM_REDIS_URL in rediss://*@localhost:$port) ;; *) fail "$SWIM_REDIS_URL" ;; esac
[ "$SWIM_TLS_CA" = "$tmp/ca.crt" ] || fail "SWIM_TLS_CA=$SWIM_TLS_CA"
works_from_elsewhere
expect_status 1 env SWIM_TLS_CA="$tmp/other.crt" "$h5swim" locks
expect_status 0 serve stop
started --tcp "localhost:$port" "${tls[@]}" --tls-clients
expect_status 1 "$h5swim" locks
export SWIM_TLS_CERT=$tmp/client.crt SWIM_TLS_KEY=$tmp/client.key
works_from_elsewhere
expect_status 0 serve stop
unset SWIM_REDIS_URL SWIM_TLS_CA SWIM_TLS_CERT SWIM_TLS_KEY
refused 1 'start the private lock server: .*tls|TLS|cert' start --tcp "localhost:$port" \
    --tls-cert "$tmp/server.crt" --tls-key "$tmp/client.key"
passed "TLS, with certificates of clients too"

# --- what cannot be

refused 2 'give start, stop or status'
refused 2 'there is no strat; did you mean "start"' strat
refused 2 'mean nothing|means nothing' start now
refused 2 'there is no such option' start --port 1
refused 2 'its value is missing' start --tcp
refused 2 'in brackets' start --tcp ::1
refused 2 'the port is not a number between 1 and 65535' start --tcp host:99999
refused 2 'it is not ADDRESS or ADDRESS:PORT' start --tcp ''
refused 2 'it is not ADDRESS or ADDRESS:PORT' start --tcp '[::1'
refused 2 'No such file' start --tcp 127.0.0.1 --password-file "$tmp/none"
echo short >"$tmp/short"
refused 2 'shorter than 8 bytes' start --tcp 127.0.0.1 --password-file "$tmp/short"
refused 2 'go with --tcp' start --password-file "$tmp/password"
refused 2 'go together' start --tcp 127.0.0.1 --tls-cert "$tmp/server.crt"
refused 2 'needs --tls-ca' start --tcp localhost "${tls[@]:0:4}" --tls-clients
refused 2 'go with start' stop --idle 3
refused 2 'no number of seconds' start --idle soon
refused 1 'Could not create server TCP listening socket' start --tcp 192.0.2.1
chmod 750 "$SWIM_SERVER_DIR"
refused 1 'its mode is not 0700' start
chmod 700 "$SWIM_SERVER_DIR"
expect_status 2 env SWIM_SERVER_DIR=relative "$h5swim" serve start
expect_line 'not an absolute path'
expect_status 1 serve status
for _ in $(seq 40); do # what clears away waits for the keeper, at whatever moment it ends
    refused 1 'Could not create server TCP listening socket' start --tcp 192.0.2.1
    [ ! -e "$SWIM_SERVER_DIR/url" ] || fail "a start that failed leaves its URL"
done
left=$(find "$SWIM_SERVER_DIR" -name '*.conf' -o -name url -o -name stay)
[ -z "$left" ] || fail "a start that failed leaves $left"
passed "what cannot be is answered by one line"

# --- by systemd

unit=$SWIM_SOURCE/slurm/h5swim-serve.service
if command -v systemd-analyze >/dev/null; then
    sed "s,/usr/local/bin/h5swim,$h5swim," "$unit" >"$tmp/h5swim-serve.service"
    systemd-analyze verify "$tmp/h5swim-serve.service" >"$tmp/out" 2>&1 || fail "$(cat "$tmp/out")"
fi
exec_line() { sed -nE "s,^$1=/usr/local/bin/h5swim (.*)$,\1,p" "$unit"; }
# shellcheck disable=SC2034 # the unit uses it
CREDENTIALS_DIRECTORY=$tmp
eval "expect_status 0 $h5swim $(exec_line ExecStart | sed "s,0.0.0.0:6379,0.0.0.0:$port,")"
case $(cat "$tmp/out") in *"@$(hostname):$port'") ;; *) fail "$(cat "$tmp/out")" ;; esac
[ -s "$SWIM_SERVER_DIR/$(sed -nE 's,^PIDFile=/run/h5swim/,,p' "$unit")" ] || fail "no pid file"
eval "expect_status 0 $h5swim $(exec_line ExecStop)"
expect_status 1 serve status
passed "what the unit for systemd runs"
