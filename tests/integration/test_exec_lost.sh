#!/usr/bin/env bash
# A program under h5swim exec that is stopped for longer than its lease, while another
# one writes to its file: when it goes on it is told, changes nothing, and ends as
# programs do; where flock works, and where it does not.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/execlib.sh
. "$(dirname "$0")/../support/execlib.sh"
lease=3000 # of those that are stopped, in ms; the others keep theirs on a busy host, too
stopped=
end_stopped() { [ -z "$stopped" ] || kill -KILL "$stopped"; }
on_exit end_stopped

make_file() {
    rm -f f.h5*
    "$python" - <<'PYTHON'
import h5py
import numpy as np
with h5py.File("f.h5", "w") as f:
    x = f.create_dataset("x", data=np.full(100000, 1, "i4"))
    x.attrs["a"] = 1
    f.create_dataset("more", data=np.full(100000, 1, "i4"))
    f.create_dataset("chunks", data=np.full(1000, 1, "i4"), chunks=(100,),
                     compression="gzip")
PYTHON
}

# All of the file is N, as a program under exec reads it.
file_is() {
    local found
    found=$(swim "$python" -c 'import h5py
with h5py.File("f.h5", "r") as f:
    print(sorted({int(v) for n in ("x", "more", "chunks") for v in f[n][:]} |
                 {int(f["x"].attrs["a"])}))')
    [ "$found" = "[$1]" ] || fail "$2: the file holds $found, not [$1]"
}

write_5() {
    swim --wait "$1" "$python" -c 'import h5py
with h5py.File("f.h5", "r+") as f:
    for n in ("x", "more", "chunks"):
        f[n][...] = 5
    f["x"].attrs["a"] = 5'
}

is_stopped() { [ "$(sed 's/.*) //' "/proc/$1/stat" | cut -c1)" = T ]; }

# What lies there, byte by byte, and under which names.
fingerprint() { sha256sum f.h5*; }

# The journal is copied by the first session that finds nobody in the way.
is_copied() {
    file_is 5 "while it is stopped"
    [ "$(echo f.h5*)" = f.h5 ]
}

# stop_and_go WHERE LATER: LATER is what becomes of the other one that writes.
stop_and_go() {
    local what="$1, flock $HDF5_USE_FILE_LOCKING, readers $readers" pid status=0
    make_file
    if [ "$readers" = yes ]; then hold read=f.h5; fi
    SWIM_LEASE_MS=$lease "$h5swim" exec -- "$python" "$support/exec_lost.py" f.h5 "$1" >"$tmp/old" 2>&1 &
    pid=$!
    stopped=$pid
    await is_stopped $pid
    if [ "$2" = commits ]; then
        expect_status 0 write_5 20
    else
        expect_status 1 write_5 8 # longer than the lease
        grep -q 'has it locked' "$tmp/err" || fail "$what: $(cat "$tmp/err")"
    fi
    fingerprint >"$tmp/before"
    kill -CONT $pid
    wait $pid || status=$?
    stopped=
    [ $status -eq 0 ] || {
        cat "$tmp/old"
        fail "$what: it ended with $status"
    }
    for call in x close; do
        grep -qx "$call refused" "$tmp/old" || {
            cat "$tmp/old"
            fail "$what: $call was not refused"
        }
    done
    if [ "$2" = commits ]; then
        fingerprint | cmp - "$tmp/before" || fail "$what: it has changed something"
        file_is 5 "$what"
    else
        file_is 1 "$what"
        expect_status 0 write_5 10
        file_is 5 "$what"
    fi
    if [ "$readers" = yes ]; then let_go; fi
    expect_status 0 "$h5swim" recover f.h5
    [ "$(echo f.h5*)" = f.h5 ] || fail "$what: there is $(echo f.h5*)"
    passed "$what"
}

export HDF5_USE_FILE_LOCKING
for readers in no yes; do
    HDF5_USE_FILE_LOCKING=TRUE
    stop_and_go opened commits
    stop_and_go cached commits
    stop_and_go written waits
    HDF5_USE_FILE_LOCKING=FALSE
    stop_and_go opened commits
    stop_and_go cached commits
    stop_and_go written commits
done

# One that reads, on the other hand, still sees its state where flock keeps the copy of the
# journal away, and else is refused what it reads, instead of seeing some of each.
for HDF5_USE_FILE_LOCKING in TRUE FALSE; do
    make_file
    SWIM_LEASE_MS=$lease "$h5swim" exec -- "$python" -c 'import os, signal, h5py
file = h5py.File("f.h5", "r")
assert file["x"][0] == 1
os.kill(os.getpid(), signal.SIGSTOP)
try:
    print(sorted(set(file["more"][:])))
except (OSError, KeyError) as error:
    print("lease" in str(error) or error)
file.close()' >"$tmp/old" 2>&1 &
    stopped=$!
    await is_stopped "$stopped"
    expect_status 0 write_5 20
    [ $HDF5_USE_FILE_LOCKING = TRUE ] || await is_copied
    kill -CONT "$stopped"
    expect_status 0 wait "$stopped"
    stopped=
    case $HDF5_USE_FILE_LOCKING in
    TRUE) grep -Eqx '\[(np\.int32\()?1\)?\]' "$tmp/old" || fail "it has read $(cat "$tmp/old")" ;;
    FALSE) grep -qx True "$tmp/old" || fail "it has read $(cat "$tmp/old")" ;;
    esac
    passed "who reads and has lost its lock, flock $HDF5_USE_FILE_LOCKING"
done

# Programs that leave their file open, whatever closes it: they cannot be told, so their
# status tells.
make_file
SWIM_LEASE_MS=$lease "$h5swim" exec -- "$python" -c 'import os, signal, h5py
file = h5py.File("f.h5", "r+")
file["x"][...] = 3
os.kill(os.getpid(), signal.SIGSTOP)' >"$tmp/old" 2>&1 &
stopped=$!
await is_stopped "$stopped"
expect_status 0 write_5 20
kill -CONT "$stopped"
expect_status 1 wait "$stopped"
grep -q '^h5swim: .*f\.h5.* is lost$' "$tmp/old"
file_is 5 "left open by h5py"

rm -f g.h5 && mkfifo "$tmp/go"
expect_status 0 swim "$steps" create=g.h5 put=1 close
SWIM_LEASE_MS=$lease "$h5swim" exec -- "$steps" open=g.h5 put=3 say=held wait <"$tmp/go" >"$tmp/said" 2>"$tmp/old" &
stopped=$!
exec 9>"$tmp/go"
await grep -qx held "$tmp/said"
kill -STOP "$stopped"
await is_stopped "$stopped"
expect_status 0 swim --wait 20 "$steps" open=g.h5 put=5 close
kill -CONT "$stopped"
echo >&9
expect_status 1 wait "$stopped"
stopped=
grep -q '^h5swim: .*g\.h5.* is lost$' "$tmp/old"
expect_status 0 swim "$steps" read=g.h5 get close
expect_output x=5
passed "who left open what could not be committed ends with 1"
