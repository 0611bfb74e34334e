#!/usr/bin/env bash
# h5swim exec with files in several parts, files that lead to others, and HDF5's SWMR
# mode: by h5py.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/execlib.sh
. "$(dirname "$0")/../support/execlib.sh"

# --- drivers of HDF5 itself
cat >drivers.py <<'PY'
import os
import sys
import h5py
import numpy as np

data = np.arange(20000, dtype="i4")
kinds = {
    "family": ("family%d.h5", dict(driver="family", memb_size=40000)),
    "split": ("split", dict(driver="split")),
    "core": ("core.h5", dict(driver="core", backing_store=True)),
    "stdio": ("stdio.h5", dict(driver="stdio")),
}
for kind, (name, options) in kinds.items():
    for mode, factor in (("w", 1), ("r+", 2)):
        with h5py.File(name, mode, **options) as f:
            if mode == "w":
                f["x"] = data
            f["x"][...] = factor * data
            # an open file under h5swim would have one of these beside it
            beside = [n for n in os.listdir(".") if "swim" in n]
            assert not beside, (kind, beside)
    with h5py.File(name, "r", **options) as f:
        assert (f["x"][:] == 2 * data).all(), kind
print(*sorted(n for n in os.listdir(".") if n != sys.argv[0]))
PY
for how in plain exec; do
    mkdir $how
    cp drivers.py $how
    (
        cd $how
        if [ $how = plain ]; then
            expect_status 0 "$python" drivers.py
        else
            expect_status 0 swim "$python" drivers.py
        fi
        [ ! -s "$tmp/err" ] || fail "$how: $(cat "$tmp/err")"
        mv "$tmp/out" "$tmp/$how.names"
    )
done
cmp "$tmp/plain.names" "$tmp/exec.names" || fail "the drivers make other files"
rm -r plain exec
expect_status 0 swim "$steps" multi=multi put=1 driver get close
expect_output driver=another x=1
[ -z "$(ls multi*swim* 2>/dev/null)" ] || fail "beside it: $(ls multi*)"
expect_status 0 "$steps" multi=again put=1 driver get close
for part in multi-?.h5; do
    [ -e "again${part#multi}" ] || fail "$part is none of HDF5 alone"
done
[ -z "$(ls "$SWIM_SERVER_DIR")" ] || fail "a lock was taken"
passed "family, split, multi, core and stdio files are left to HDF5"

# --- links
cat >links.py <<'PY'
import h5py
with h5py.File("to.h5", "w") as f:
    f["x"] = [1] * 10
with h5py.File("from.h5", "w") as f:
    f["link"] = h5py.ExternalLink("to.h5", "/x")
    layout = h5py.VirtualLayout((10,), "i8")
    layout[:] = h5py.VirtualSource("to.h5", "x", (10,))
    f.create_virtual_dataset("v", layout, fillvalue=9)
PY
expect_status 0 swim "$python" links.py
cat >write.py <<'PY'
import h5py
import sys
with h5py.File("from.h5", "r+") as f:
    x = f["link"] # its file is open as long as this is
    x[:] = 2
    f.flush()
    print("up", flush=True)
    sys.stdin.readline()
PY
mkfifo go
"$h5swim" exec -- "$python" write.py <go >up 2>&1 &
writer=$!
exec 8>go
await grep -q up up
show='import h5py
f = h5py.File("from.h5")
print(f["link"][9], f["v"][0])'
expect_status 0 swim "$python" -c "$show"
expect_output '1 1'
echo >&8
wait "$writer" || fail "the writer: $(cat up)"
exec 8>&-
expect_status 0 swim "$python" -c "$show"
expect_output '2 2'
expect_status 0 "$python" -c "$show"
expect_output '2 2'
passed "files that links lead to have sessions of their own"

# --- a source that is locked by a plain program
"$python" -c 'import h5py, sys
f = h5py.File("to.h5", "r+")
print("up", flush=True)
sys.stdin.readline()' <go >up &
writer=$!
exec 8>go
await grep -q up up
expect_status 0 swim --wait 1 "$python" -c 'import h5py
f = h5py.File("from.h5")
print(f["v"][0])'
expect_output 9
grep -qE "^h5swim: follow a link: open .*/to.h5 for reading: process $writer .*without a lock of h5swim" \
    "$tmp/err" || fail "not told: $(cat "$tmp/err")"
exec 8>&-
wait "$writer"
passed "a source of a virtual dataset that cannot be opened is told"

# --- SWMR mode
expect_status 0 swim "$python" -c 'import h5py
with h5py.File("swmr.h5", "w", libver="latest") as f:
    f["x"] = 1
    f.swmr_mode = True
    f["x"][...] = 2'
expect_line '^h5swim: start HDF5.s SWMR mode of .*/swmr.h5: others see .*closed, not before'
expect_status 0 "$python" -c 'import h5py; print(h5py.File("swmr.h5")["x"][()])'
expect_output 2
expect_status 0 swim "$python" -c 'import h5py
print(h5py.File("swmr.h5", "r", libver="latest", swmr=True)["x"][()])'
expect_line 'opened for HDF5.s SWMR mode, so without h5swim'
passed "a writer that turns to SWMR mode is told what that means"

# --- h5clear takes the mark of a killed plain SWMR writer away, as a transaction
"$python" -c 'import h5py, os
f = h5py.File("mark.h5", "w", libver="latest")
f["x"] = 1
f.swmr_mode = True
os._exit(0)'
expect_status 1 swim "$steps" read=mark.h5
expect_line 'h5clear -s mark.h5'
expect_status 0 swim h5clear -s mark.h5
expect_status 0 swim "$python" -c 'import h5py; print(h5py.File("mark.h5")["x"][()])'
expect_output 1
passed "h5clear works on it"
