#!/usr/bin/env bash
# h5swim exec with the tools of HDF5, netCDF, NCO and CDO: they give what they give
# without it, and while somebody writes they see the state before.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/execlib.sh
. "$(dirname "$0")/../support/execlib.sh"

for tool in ncdump nccopy ncgen ncks cdo h5dump h5ls h5repack h5copy; do
    command -v $tool >/dev/null ||
        fail "no $tool: apt-get install hdf5-tools netcdf-bin nco cdo"
done

# hdf5_steps looks at "x" alone, of 1000 int.
"$python" - <<'PYTHON'
import netCDF4
import numpy as np
with netCDF4.Dataset("before.nc", "w") as d:
    d.createDimension("lat", 20)
    d.createDimension("lon", 50)
    d.createDimension("n", 1000)
    for name, values in (("lat", np.linspace(-85, 85, 20)), ("lon", np.arange(0, 360, 7.2))):
        d.createVariable(name, "f8", (name,))[:] = values
    d["lat"].units, d["lon"].units = "degrees_north", "degrees_east"
    t = d.createVariable("t", "f4", ("lat", "lon"), zlib=True, chunksizes=(5, 25))
    t[:] = np.arange(1000).reshape(20, 50)
    t.units = "K"
    d.createVariable("x", "i4", ("n",))[:] = 1
PYTHON
cp before.nc a.nc

# In memory, which h5dump of HDF5 1.14 shows.
addresses='s/DATASET [0-9]+/DATASET/'

# reads COMMAND...: prints the same without exec, with it, and with it while a writer
# has changed the file.
reads() {
    expect_status 0 "$@"
    sed -E "$addresses" "$tmp/out" >"$tmp/want"
    for state in '' 'beside a writer'; do
        [ -z "$state" ] || hold open=a.nc put=2
        expect_status 0 swim "$@"
        [ -z "$state" ] || let_go
        sed -E "$addresses" "$tmp/out" | cmp "$tmp/want" - || fail "$* $state: not what it prints without exec"
        cp before.nc a.nc
    done
    passed "$*"
}
reads ncdump a.nc
reads ncks a.nc
reads cdo -s outputf,%g,10 -selname,t a.nc
reads h5dump a.nc
reads h5ls -rv a.nc

# writes COMMAND...: makes out.nc from a.nc, alike in the three cases.  What they note of
# time and command in attributes is left out.
show() {
    ncdump "$1" | grep -vE '^netcdf|:history|:NCO|:_NCProperties'
}
writes() {
    rm -f out.nc
    expect_status 0 "$@"
    show out.nc >want
    for state in '' 'beside a writer'; do
        rm -f out.nc
        [ -z "$state" ] || hold open=a.nc put=2
        expect_status 0 swim "$@"
        [ -z "$state" ] || let_go
        show out.nc >got
        cmp want got || fail "$* $state: not what it makes without exec"
        [ -z "$(find . -name 'out.nc.*')" ] || fail "$*: something lies beside out.nc"
        cp before.nc a.nc
    done
    passed "$*"
}
writes nccopy -d 5 a.nc out.nc
writes ncks -O -v t a.nc out.nc
writes cdo -s -f nc4 mulc,2 -selname,t a.nc out.nc
writes h5repack -f GZIP=2 a.nc out.nc
ncdump a.nc >a.cdl
writes ncgen -4 -o out.nc a.cdl
"$steps" create=simple.h5 put=4 close
h5copy_thrice() {
    rm -f copy.h5
    for v in a b c; do "$@" h5copy -i simple.h5 -o copy.h5 -s /x -d "/$v" || return; done
}
h5copy_thrice
mv copy.h5 plain.h5
h5copy_thrice swim
same_dump plain.h5 copy.h5
passed "h5copy, three times into one file"

# An output that others have open for reading is replaced under them.
cp before.nc out.nc
hold read=out.nc
expect_status 0 swim cdo -s -O -f nc4 mulc,2 -selname,t a.nc out.nc
let_go
expect_status 0 swim ncatted -h -a units,t,o,c,mK out.nc
ncdump -h out.nc >header
grep -q 'units = "mK"' header || fail "ncatted changed nothing"
passed "an output that is being read is replaced; an attribute is changed in place"

# h5dump, h5ls and h5clear go on to the next driver of HDF5 when one cannot open a file.
cp simple.h5 refused.h5
head -c 200 /dev/zero | tr '\0' x >refused.h5.swimlog
cp refused.h5 kept.h5
for tool in 'h5dump -d /x' h5ls 'h5clear -s'; do
    # shellcheck disable=SC2086 # words
    expect_status 1 swim $tool refused.h5
    [ "$(grep -c '^h5swim exec: .*refused.h5.swimlog: it is no journal' "$tmp/err")" -eq 1 ] ||
        fail "$tool: it does not say why, once: $(cat "$tmp/err")"
done
cmp refused.h5 kept.h5 || fail "what was refused was written to"
expect_status 1 swim --redis redis://127.0.0.1:1 h5dump simple.h5
grep -q '^h5swim exec: .*connect to lock server' "$tmp/err" ||
    fail "h5dump without a lock server: $(cat "$tmp/err")"
passed "a file that h5swim refuses is not read by another driver, and the tool says why"
