#!/usr/bin/env bash
# Python's own SIGINT handler (it sets a flag, which becomes KeyboardInterrupt) beside
# h5swim's, both ways: ended after the grace, and left to decide.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
touch a.h5
export SWIM_SERVER_IDLE_S=5 SWIM_LIBRARY=$SWIM_BUILD/lib/libh5swim.so
cat >program.py <<'PY'
import ctypes, os, signal, sys, threading, time
import h5py
lib = ctypes.CDLL(os.environ["SWIM_LIBRARY"])

class Signals(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("grace_ms", ctypes.c_uint32),
                ("signals", ctypes.c_uint32), ("flags", ctypes.c_uint32)]

class Session(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("url", ctypes.c_char_p),
                ("lease_ms", ctypes.c_uint32), ("job", ctypes.c_char_p),
                ("rank", ctypes.c_int32)]

class Wait(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("wait_ms", ctypes.c_int64),
                ("prefer", ctypes.c_int), ("cancel", ctypes.c_void_p)]

WRITE, TRY, FOREVER, HANDLER_DECIDES = 3, -1, -2, 1

def ok(status):
    assert status == 0, status

# The shell that runs this in the background has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
flags = HANDLER_DECIDES if sys.argv[1] == "decides" else 0
ok(lib.swim_signals_install(
    ctypes.byref(Signals(ctypes.sizeof(Signals), 0, 0, flags)), None))
session, lock = ctypes.c_void_p(), ctypes.c_void_p()
opt = Session(ctypes.sizeof(Session), None, 60000, b"python", -1)
ok(lib.swim_session_open(ctypes.byref(opt), ctypes.byref(session), None))

def acquire(name, wait_ms):
    wait = Wait(ctypes.sizeof(Wait), wait_ms, 0, None)
    return lib.swim_lock_acquire(session, name, WRITE, ctypes.byref(wait),
                                 ctypes.byref(lock), None)

def say(text):
    print(text, flush=True)

ok(acquire(os.path.realpath("a.h5").encode(), TRY))
threading.Thread(target=lambda: time.sleep(60), daemon=True).start()
if sys.argv[1] == "ends":
    try:
        say("ready")
        time.sleep(60)
    except KeyboardInterrupt:
        say("interrupted")
        time.sleep(60)
    say("still there")
else:
    for wanted in range(2):
        try:
            say("ready")
            acquire(b"held by another", FOREVER)  # returns: it is cancelled
            time.sleep(60)
        except KeyboardInterrupt:
            assert lib.swim_signals_pending() == signal.SIGINT
            ok(lib.swim_signals_clear())
            say("interrupted")
    ok(acquire(b"something else", TRY))
    say("went on")
    time.sleep(60)
PY

# start HOW: the program, and what it says, line by line, in $said.
start() {
    mkfifo said
    "$python" program.py "$1" >said 2>"$tmp/err" &
    pid=$!
    exec {said}<said
    rm said
}
hears() { # WORDS
    local line=
    read -r -t 20 line <&"$said" || true
    [ "$line" = "$1" ] || fail "it said \"$line\", not \"$1\": $(cat "$tmp/err")"
}
ends_with() { # STATUS
    local status=0
    wait "$pid" || status=$?
    [ $status = "$1" ] || fail "status $status, not $1: $(cat "$tmp/err")"
    exec {said}<&-
    lock_is_free a.h5 || fail "$(cat "$tmp/lock_err")"
}

start ends
hears ready
kill -INT $pid
hears interrupted
ends_with 130
passed "KeyboardInterrupt is raised, then the program ends"

# "held by another": a resource by name, which hold_lock cannot take.
"$python" - <<'PY' >holder 2>&1 &
import ctypes, os, time
lib = ctypes.CDLL(os.environ["SWIM_LIBRARY"])
class Session(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("url", ctypes.c_char_p),
                ("lease_ms", ctypes.c_uint32), ("job", ctypes.c_char_p),
                ("rank", ctypes.c_int32)]
session, lock = ctypes.c_void_p(), ctypes.c_void_p()
opt = Session(ctypes.sizeof(Session), None, 0, b"holder", -1)
assert lib.swim_signals_install(None, None) == 0
assert lib.swim_session_open(ctypes.byref(opt), ctypes.byref(session), None) == 0
assert lib.swim_lock_acquire(session, b"held by another", 3, None, ctypes.byref(lock), None) == 0
print("held", flush=True)
time.sleep(60)
PY
holder=$!
on_exit "kill $holder; wait $holder"
for _ in $(seq 1000); do
    if grep -qx held holder; then break; fi
    sleep 0.01
done
start decides
for _ in 1 2; do
    hears ready
    sleep 0.3 # it waits for the lock by now; before that it would be interrupted as well
    kill -INT $pid
    hears interrupted
done
hears "went on"
kill -TERM $pid # for which Python has no handler
ends_with 143
passed "Ctrl-C cancels a wait for a lock, and Python goes on"
