#!/usr/bin/env bash
# h5swim exec with h5py, netCDF4 and PyTables: all that they can do with files, how
# programs end, and what others see meanwhile.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/execlib.sh
. "$(dirname "$0")/../support/execlib.sh"

for module in h5py netCDF4 tables; do
    "$python" -c "import $module" 2>/dev/null ||
        fail "no $module: apt-get install python3-h5py python3-netcdf4 python3-tables"
done

mkdir plain swum
(cd plain && expect_status 0 "$python" "$support/exec_h5py.py")
(cd swum && expect_status 0 swim "$python" "$support/exec_h5py.py")
for name in plain/*.h5; do
    [ "$name" = plain/text.h5 ] || same_dump "$name" "swum/${name#plain/}"
done
passed "h5py: modes, errors, descriptors, links and drivers are what they were"

make_x() {
    "$python" - x.h5 <<'PYTHON'
import sys
import netCDF4
with netCDF4.Dataset(sys.argv[1], "w") as d:
    d.createDimension("n", 10)
    d.createVariable("x", "i4", ("n",))[:] = 1
PYTHON
}

# x_is N: all of x, as plain h5py and as a program under exec reads it.
x_is() {
    local way
    for way in '' swim; do
        [ "$($way "$python" -c 'import h5py
print(sorted(set(h5py.File("x.h5", "r")["x"][:].tolist())))')" = "[$1]" ] || return 1
    done
}

# ends LIBRARY END STATUS VALUE
ends() {
    make_x
    expect_status "$3" swim "$python" "$support/exec_ends.py" "$1" x.h5 "$2"
    x_is "$4" || fail "$1 $2: x is not $4"
    expect_status 0 swim --wait 5 "$python" -c 'import h5py; h5py.File("x.h5", "r+").close()'
    [ -z "$(ls x.h5.* 2>/dev/null)" ] || fail "$1 $2: something lies beside the file"
}

for library in h5py netCDF4 tables; do
    ends $library close 0 2
    ends $library end 0 2
    ends $library exit3 3 1
    ends $library raise 1 1
    ends $library _exit 0 1
    ends $library SIGTERM 143 1
    ends $library SIGHUP 129 1
    ends $library SIGINT 130 1
    ends $library SIGKILL 137 1
    passed "$library: status 0 commits what is open, and no other end does"
done

make_x
"$python" -c 'import h5py; f = h5py.File("x.h5", "r+"); f["y"] = f["x"][:]; f["y"][...] = 5'
cat >hold.py <<'PYTHON'
import sys
import h5py
f = h5py.File("x.h5", "r+")
f["x"][...] = 7
f.flush()
print("held", flush=True)
sys.stdin.readline()
f.close()
PYTHON
mkfifo go
swim "$python" hold.py <go >held &
holder=$!
exec 9>go
await grep -q held held
readers=("h5py.File('x.h5', 'r')['x']" "netCDF4.Dataset('x.h5')['x']"
    "tables.open_file('x.h5').root.x")
for reader in "${readers[@]}"; do
    expect_status 0 swim "$python" -W ignore -c "import h5py, netCDF4, tables
d = $reader; print(set(d[:].tolist()))"
    expect_output '{1}'
done
expect_status 1 swim --wait 1 "$python" -c 'import h5py; h5py.File("x.h5", "r+")'
grep -q 'OSError: .*UPDATE held by .*python3' "$tmp/err" || fail "$(cat "$tmp/err")"
passed "what is not committed is seen by nobody, and a second writer is told whom it waits for"

for i in 1 2; do
    swim "$python" -c "import h5py
with h5py.File('x.h5', 'r+') as f: f['y'][$i] = f['x'][0] + $i" >"queue.$i" 2>&1 &
    queue[i]=$!
done
echo >&9
exec 9>&-
wait "$holder" "${queue[1]}" "${queue[2]}" || fail "$(cat queue.?)"
expect_status 0 "$python" -c 'import h5py; print(h5py.File("x.h5", "r")["y"][:3].tolist())'
expect_output '[5, 8, 9]'
passed "writers queue"

# A handler of the program's own is called as ever.
cat >handler.py <<'PYTHON'
import os, signal, sys
import h5py
f = h5py.File("x.h5", "r+")
f["x"][...] = 9
signal.signal(signal.SIGTERM, lambda *a: (f.close(), sys.exit(0)))
try:
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()
except KeyboardInterrupt:
    print("interrupted", flush=True)
os.kill(os.getpid(), signal.SIGTERM)
signal.pause()
PYTHON
expect_status 0 swim "$python" handler.py
expect_output interrupted
x_is 9 || fail "the program's handler did not commit"
passed "handlers of the program's own are its own"
