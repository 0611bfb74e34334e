#!/usr/bin/env bash
# h5swim top: in a terminal (tmux), with its keys, sizes and ways out; and once, as text
# and as JSON.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
work=$(pwd -P)
export SWIM_SERVER_IDLE_S=5
socket=$SWIM_SERVER_DIR/redis.sock

# json PYTHON: statements over the output of the last --json, in d.
json() {
    "$python" -c 'import json, sys
d = json.load(open(sys.argv[1], encoding="utf-8"))
exec(sys.argv[2])' "$tmp/out" "$1" || { cat "$tmp/out" >&2; fail "top --json: $1"; }
}

expect_status 0 "$h5swim" top --once
expect_line '^no lock server runs, so nobody holds a lock$' "$tmp/out"
expect_status 0 "$h5swim" top --once --json
json 'assert d["schema"] == 1 and d["server"] is None and d["lock_server"] is None
assert d["jobs"] == d["sessions"] == d["resources"] == []'
[ -z "$(ls "$SWIM_SERVER_DIR")" ] || fail "looking left files behind"
passed "without a server there is nothing, and none is started"

touch a.h5 b.h5
hold a.h5 update
"$hold_lock" a.h5 write 600000 </dev/null >/dev/null 2>&1 &
waiter=$!
waits() { "$h5swim" locks a.h5 | grep -q ' waits '; }
await waits
session=$(redis-cli -s "$socket" ZRANGE '{h5swim}:sessions' 0 -1 | grep ":$holder_pid:")
redis-cli -s "$socket" HSET "{h5swim}:session:$session" job $'evil\e[31m' rank 3 >/dev/null
expect_status 0 "$h5swim" top --once
has() { grep -qE -- "$1" "$tmp/out" || fail "no line with: $1: $(cat -v "$tmp/out")"; }
has '^redis [0-9.]+, up [0-9.]+ s, [0-9.]+ [KM]iB, append-only file off, unix://'
has '^2 jobs, 2 sessions, held 1 \(READ 0, UPDATE 1, WRITE 0\), waiting 1, for up to [0-9.]+ s$'
has '^evil\\x1b\[31m +[^ ]+ +1 +1 +0 +1 +0 +- +[0-9.]+ s$'
has '^hold +[^ ]+ +1 +0 +0 +0 +1 +[0-9.]+ s +[0-9.]+ s$'
has "^waits 1  WRITE +[0-9.]+ s [^ ]+:$waiter +hold +- $work/a.h5\$"
has "^held +UPDATE +[0-9.]+ s [^ ]+:$holder_pid +evil.* 3 $work/a.h5\$"
! grep -q $'\e\\| $' "$tmp/out" || fail "escapes, or blanks at an end: $(cat -vE "$tmp/out")"
expect_status 0 "$h5swim" top --once --json
json "
evil, hold = d['jobs']
assert evil['job'] == 'evil\\x1b[31m' and evil['ranks'] == 1 and evil['held'] == {'READ': 0, 'UPDATE': 1, 'WRITE': 0}
assert hold['job'] == 'hold' and hold['waiting']['WRITE'] == 1 and hold['longest_wait_ms'] > 0
assert hold['sessions'] == 1 and hold['readers'] == 0 and hold['ranks'] == 0
r, = d['resources']
assert r['resource'] == '$work/a.h5' and r['queue'][0]['pid'] == $waiter and len(d['sessions']) == 2
s = d['lock_server']
assert s['memory_bytes'] > 1e5 and s['append_only'] is False and s['saves_ok'] is True
assert s['version'] and s['memory_limit_bytes'] == 0 and s['clients'] >= 1 and s['up_s'] >= 0
"
passed "once, as text and as JSON"

# --- a terminal
tmux() { command tmux -S "$tmp/tmux" -f /dev/null "$@"; }
screen() { tmux capture-pane -p -t top >"$tmp/screen"; }
shows() { screen && grep -qE -- "$1" "$tmp/screen"; }
keys() { tmux send-keys -t top "$@"; }
# see PATTERN: the screen shows it, soon.
see() { await shows "$1"; }
given_back() {
    [ "$(tmux display-message -p -t top '#{alternate_on} #{cursor_flag}')" = "0 1" ]
}
# back STATUS: top has ended so, and the terminal is as it was before.
back() {
    see "^status=$1\$"
    given_back || fail "another screen, or no cursor, after status $1"
    keys 'stty -a >tty; touch asked' Enter
    await test -e asked
    rm asked
    for word in icrnl ixon icanon echo; do
        grep -qE -- "(^| )$word( |;|\$)" tty || fail "no $word after status $1: $(cat tty)"
    done
    keys 'clear' Enter
}
options=
start() {
    keys "$h5swim top --interval 0.2 $options; echo status=\$?" Enter
    see 'q: quit *$'
}
tmux new-session -d -s top -x 100 -y 20 -c "$work" "env PS1='> ' bash --norc --noprofile"
on_exit "tmux kill-server"
see '^>'
start
see '^\[1 jobs\] +2 sessions'
see '^JOBv +USER +SESS +RANKS +READERS +HELD +WAITS +LONGEST +AGE'
see '^evil\\x1b\[31m '
keys 3
see '^waits 1  WRITE .*/a.h5 *$'
passed "jobs and locks are seen in a terminal"

keys '>'
see 'locks, by MODE'
see '^STATE +MODEv'
[ "$(sed -n 5p "$tmp/screen" | cut -c1-5)" = "held " ] || fail "UPDATE is not first: $(cat "$tmp/screen")"
keys r
see '^STATE +MODE\^'
[ "$(sed -n 5p "$tmp/screen" | cut -c1-5)" = waits ] || fail "not the other way round: $(cat "$tmp/screen")"
keys Down Enter
see "^session +[^ ]+:$holder_pid:"
see "^resource +$work/a.h5\$"
see 'Esc: back'
keys Escape
see 'locks, by MODE'
keys Tab Tab
see '^\s*1 jobs +\[2 sessions\]'
keys '>' '>' '>' '>'
see 'sessions, by WAITS'
keys Home Enter
see "^process +$waiter\$"
see '^held +READ 0  UPDATE 0  WRITE 0'
keys BSpace '?'
see 'Enter: details'
passed "keys sort, select, and show all of a session"

tmux resize-window -t top -x 60 -y 8
fits() {
    screen && [ "$(wc -L <"$tmp/screen")" -le 60 ] &&
        sed -n 8p "$tmp/screen" | grep -q 'Tab: view' &&
        sed -n 4p "$tmp/screen" | grep -q '^PROCESS'
}
await fits
tmux resize-window -t top -x 120 -y 30
see 'r: reverse  Space: now  q: quit'
keys '3'
mkfifo keep
"$hold_lock" b.h5 read <>keep >/dev/null 2>&1 &
other=$!
see "^held +READ .*:$other .*/b.h5\$"
kill -KILL $other
wait $other || true
gone() { screen && ! grep -q ":$other " "$tmp/screen"; }
"$h5swim" locks --break "$(hostname):$other" --yes >/dev/null
await gone
passed "it follows the size of the terminal, and what happens"

keys q
back 0
start
keys C-c
back 130
start
kill -TERM "$(pgrep -P "$(tmux display-message -p -t top '#{pane_pid}')")"
back 143
start
keys C-z
see Stopped
given_back || fail "stopped, it keeps the screen"
keys clear Enter fg Enter
see '^\[1 jobs\]'
keys q
await given_back
keys clear Enter
kill -KILL $waiter
wait $waiter || true
let_go
options="--redis unix://$tmp/own"
start_redis "$tmp/own"
start
see '^0 jobs, '
own=$(redis-cli -s "$tmp/own" INFO server | sed -n 's/^process_id:\([0-9]*\).*/\1/p')
kill -STOP "$own"
see "unix://$tmp/own .*answer|unix://$tmp/own: "
kill -CONT "$own"
see '^\[1 jobs\]'
keys q
back 0
passed "each way out gives the terminal back; a server that goes is waited for"

expect_status 2 "$h5swim" top </dev/null
expect_line 'stdin or stdout is no terminal \(use --once\)'
expect_status 2 "$h5swim" top --json
expect_line '--json goes with --once'
expect_status 2 "$h5swim" top --interval 0
expect_status 2 "$h5swim" top --ocne
expect_line 'did you mean "--once"'
expect_status 2 "$h5swim" top a.h5
expect_status 1 "$h5swim" top --once --redis redis://me:geheim@127.0.0.1:1
expect_line '127.0.0.1:1'
! grep -q geheim "$tmp/err" || fail "the password is shown"
expect_status 0 "$h5swim" top --help
[ "$(wc -L <"$tmp/out")" -le 88 ] || fail "the help is too wide"
passed "wrong usage"
