#!/usr/bin/env bash
# h5swim exec and signals that the program has something to say to: it blocks them, waits
# for them, or handles them.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/execlib.sh
. "$(dirname "$0")/../support/execlib.sh"

export OPENBLAS_NUM_THREADS=1 # a thread of its own would not block what Python blocks

# start FILE: this program in Python under exec, which has its stdin from say_on.
start() {
    rm -f "$tmp/in" "$tmp/said"
    mkfifo "$tmp/in"
    env --default-signal=INT,TERM "$h5swim" exec --wait 600 -- "$python" "$1" \
        <"$tmp/in" >"$tmp/said" 2>&1 &
    program=$!
    exec 8>"$tmp/in"
}
hears() { # WORDS
    await grep -qsxF -- "$1" "$tmp/said"
}
say_on() { echo >&8; }
ends_with() { # STATUS
    local status=0
    exec 8>&-
    wait "$program" || status=$?
    [ "$status" -eq "$1" ] || fail "status $status, not $1: $(cat "$tmp/said")"
}
is_pending() { # that SIGTERM is the program's, blocked
    local pending
    pending=$(sed -n 's/^ShdPnd:\s*//p' "/proc/$program/status" 2>/dev/null)
    (((0x${pending:-0} >> 14) & 1))
}
x_is() { # FILE N
    expect_status 0 "$python" -c "import h5py; print(h5py.File('$1', 'r')['x'][()])"
    expect_output "$2"
}
make() { # FILE...
    "$python" - "$@" <<'PY'
import sys
import h5py
for name in sys.argv[1:]:
    with h5py.File(name, "w") as f:
        f["x"] = 1
PY
}

# --- signals that are blocked
cat >section.py <<'PY'
import signal, sys
import h5py
a, b = h5py.File("a.h5", "r+"), h5py.File("b.h5", "r+")
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
a["x"][...] = b["x"][...] = 2
a.close()
print("inside", flush=True)
sys.stdin.readline()
b.close()
print("outside", flush=True)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
print("beyond", flush=True)
PY
make a.h5 b.h5
start section.py
hears inside
kill -TERM "$program"
await is_pending
sleep 0.5 # longer than the grace of those who do not block it
say_on
ends_with 143
[ "$(tail -n 1 "$tmp/said")" = outside ] || fail "it went on: $(cat "$tmp/said")"
x_is a.h5 2
x_is b.h5 2
passed "a signal that is blocked ends the program when it is unblocked, and not before"

cat >waits.py <<'PY'
import signal, time
import h5py
b = h5py.File("b.h5", "r+")
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
b["x"][...] = 3
print("inside", flush=True)
while not signal.sigtimedwait([signal.SIGTERM], 0):
    time.sleep(0.3)
print("told", flush=True)
time.sleep(0.3)
b.close()
PY
start waits.py
hears inside
kill -TERM "$program"
hears told
ends_with 0
x_is b.h5 3
passed "a program that waits for a signal gets it"
# --- signals that are handled
# H5close() ends the session, and that of the next open finds the handler.
expect_status 0 swim "$steps" create=c.h5 put=1 close h5close handle open=c.h5 close raise \
    open=c.h5 get put=2 close raise read=c.h5 get close
expect_output x=1 x=2
passed "files can be opened after a signal that the program has handled"


cat >ctrl_c.py <<'PY'
import sys, time
import h5py
for mode in "r+", "w", "r+":
    try:
        try:
            h5py.File("d.h5", mode)
        except OSError as error:
            print(error)
            time.sleep(600)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    sys.stdin.readline()
h5py.File("d.h5", "r+").close()
print("went on")
PY
queued() { # whether the program waits for d.h5
    "$h5swim" locks d.h5 | grep -E "^ *waits .*:$program " >/dev/null
}
flocked() { # the same, for one that has no lock of h5swim
    grep -qE 'waiting: open .*/d.h5.* by flock' "$tmp/said"
}
interrupted() { # N: so many times
    [ "$(grep -cx interrupted "$tmp/said")" -eq "$1" ]
}
hold create=d.h5 put=1
let_go
hold open=d.h5
start ctrl_c.py
await queued
kill -INT "$program"
await interrupted 1
say_on
await queued
kill -INT "$program"
await interrupted 2
let_go
mkfifo plain
"$python" -c 'import h5py, sys
f = h5py.File("d.h5", "r+")
print("up", flush=True)
sys.stdin.readline()' <plain >up &
plain=$!
exec 7>plain
await grep -qx up up
say_on
await flocked
kill -INT "$program"
await interrupted 3
exec 7>&-
wait "$plain"
say_on
ends_with 0
[ "$(tail -n 1 "$tmp/said")" = 'went on' ] || fail "it said: $(cat "$tmp/said")"
passed "Ctrl-C ends a wait, and Python goes on"

# As a system call would: Python says that its handlers interrupt those, or not.
cat >handler.py <<'PY'
import signal
import h5py
h5py.File("c.h5", "r").close()
signal.signal(signal.SIGTERM, lambda *a: print("handled", flush=True))
try:
    h5py.File("d.h5", "r+")
except OSError as error:
    print("refused" if "stopped by SIGTERM" in str(error) else error, flush=True)
signal.siginterrupt(signal.SIGTERM, False)
h5py.File("d.h5", "r+").close()
print("opened")
PY
hold open=d.h5
start handler.py
await queued
kill -TERM "$program"
hears refused
await queued
kill -TERM "$program"
sleep 0.5 # longer than a wait that a signal ends
let_go
ends_with 0
[ "$(grep -v waiting: "$tmp/said" | sort | tr '\n' ' ')" = 'handled handled opened refused ' ] ||
    fail "it said: $(cat "$tmp/said")"
passed "a handler interrupts a wait if it interrupts system calls"
