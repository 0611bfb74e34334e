#!/usr/bin/env bash
# h5swim calc: random expressions against numpy; what outputs are and say; wrong
# expressions and arguments; the cache of kernels; resuming; ranks.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

mkdir "$tmp/work" "$tmp/random"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache
"$python" - <<'PY'
import h5py, numpy as np
r = np.random.default_rng(3)
with h5py.File("in.h5", "w") as f:
    for name in ("U", "V"):
        d = f.create_dataset(name, data=r.normal(size=(40, 30, 20)).astype("f4"), chunks=(4, 30, 20))
        d.attrs["units"], d.attrs["standard_name"] = "m s-1", "eastward_wind"
        d.attrs["cell_methods"], d.attrs["note"] = "time: mean", "kept"
    f["U"][0, 0, :5] = np.nan
    f["N"] = np.arange(24000, dtype="i2").reshape(40, 30, 20) % 256
    f["N"].attrs["_FillValue"] = np.int16(255)
    f["HALF"] = np.linspace(0, 1, 24000).astype("f2").reshape(40, 30, 20)
    f["PACKED"] = (np.arange(24000).reshape(40, 30, 20) % 1000).astype("i2")
    f["PACKED"].attrs["scale_factor"] = np.float32(0.5)
    f["SMALL"] = np.ones((40, 30), "f4")
    f["ONE"] = np.float32(2.5)
    f["TEXT"] = np.array([b"a", b"b"])
    f.create_dataset("a b:c/it's", data=np.ones((40, 30, 20), "f4"))
PY
uv=(u=in.h5:/U v=in.h5:/V)
calc() { "$h5swim" calc "$@"; }

# number CODE: what is so in Python of the output, o, and the inputs, i.
number() {
    "$python" - <<PY || fail "not so: $1"
import h5py, numpy as np, sys
o, i = h5py.File("out.h5"), h5py.File("in.h5")
u, v = i["U"][:], i["V"][:]
gone = lambda d: d[()] == d.attrs["_FillValue"]
sys.exit(not ($1))
PY
    passed "$1"
}

# --- results ------------------------------------------------------------------------

(cd "$tmp/random" && "$python" "$support/random_calc.py" "$h5swim" "${SWIM_CALC_SEED:-1}" "${SWIM_CALC_COUNT:-60}") ||
    fail "random expressions"

expect_status 0 calc "sqrt(u*u + v*v)" "${uv[@]}" out=out.h5:/deep/S --quiet
number 'o["deep/S"].dtype == "f4" and np.array_equal(o["deep/S"][~np.isnan(u)], np.sqrt(u*u + v*v)[~np.isnan(u)])'
number 'np.array_equal(gone(o["deep/S"]), np.isnan(u)) and o["deep/S"].chunks == (4, 30, 20)'
number 'o["deep/S"].attrs["long_name"] == b"sqrt(u*u + v*v)" or o["deep/S"].attrs["long_name"] == "sqrt(u*u + v*v)"'
number 'not {"units", "standard_name", "cell_methods"} & set(o["deep/S"].attrs) and "note" in o["deep/S"].attrs'
number '"h5swim calc sqrt(u*u + v*v) u=in.h5:/U" in str(o.attrs["history"])'

expect_status 0 calc $'u *\n  v' "${uv[@]}" out=out.h5:/L --overwrite --quiet
number 'str(o["L"].attrs["long_name"]).strip("b\x27") == "u * v" and "calc u *   v u=" in str(o.attrs["history"])'
expect_status 0 calc "u > v" "${uv[@]}" out=out.h5:/C --overwrite --quiet
number 'o["C"].dtype == "u1" and np.array_equal(o["C"][:], u > v) and o["C"].attrs["_FillValue"] == 255'
expect_status 0 calc "n - 1" n=in.h5:/N out=out.h5:/D --overwrite --quiet
number 'o["D"].dtype == "f8" and np.array_equal(gone(o["D"]), i["N"][:] == 255) and np.count_nonzero(o["D"][:] == 254) == 0'
# 255 is missing in the input, and a value of the result.
expect_status 0 calc "n + 1" n=in.h5:/N out=out.h5:/D --overwrite --quiet --type int32
number 'o["D"].dtype == "i4" and np.array_equal(o["D"][:] == 255, i["N"][:] == 254)'
number 'np.array_equal(gone(o["D"]), i["N"][:] == 255)'
expect_status 0 calc "h * 2" h=in.h5:/HALF out=out.h5:/H --overwrite --quiet
number 'o["H"].dtype == "f4" and np.array_equal(o["H"][:], i["HALF"][:].astype("f4") * 2)'
expect_status 0 calc "p" p=in.h5:/PACKED out=out.h5:/P --overwrite --quiet
number 'o["P"].dtype == "f4" and np.array_equal(o["P"][:], i["PACKED"][:] * np.float32(0.5))'
expect_status 0 calc "one * 2" one=in.h5:/ONE out=out.h5:/O --overwrite --quiet
number 'o["O"][()] == 5'
expect_status 0 calc --overwrite --quiet -- "-U10" "U10=in.h5:/a b:c/it's" out=out.h5:/O
number '(o["O"][:] == -1).all()'
# The input's dataset behind a link and twice.
expect_status 0 calc "a - b" a=in.h5:/U b=./in.h5:/U out=out.h5:/O --overwrite --quiet
number '(o["O"][:][~np.isnan(u)] == 0).all()'

expect_status 0 calc "u*3.6" u=in.h5:/U "out=out.h5:/K" --overwrite --quiet --type float64 \
    --chunks 5,30,20 --deflate 0 --fill -9 --units "km h-1" --set memory=8MiB
number 'o["K"].dtype == "f8" and o["K"].chunks == (5, 30, 20) and o["K"].compression is None'
number 'str(o["K"].attrs["units"]).strip("b\x27") == "km h-1" and (o["K"][0, 0, :5] == -9).all()'
number 'np.array_equal(o["K"][1:], (u[1:] * np.float32(3.6)).astype("f8"))'
expect_status 0 calc "u" u=in.h5:/U out=out.h5:/K --overwrite --quiet --deflate 6 \
    --set outputs.out.filters.fletcher32=true
number 'o["K"].compression_opts == 6 and o["K"].shuffle and o["K"].fletcher32'

# The same bits however many ranks; under a launcher, too.
expect_status 0 calc "sqrt(u*u + v*v)" "${uv[@]}" out=n1.nc:/S --quiet -n 1 --readers 1
expect_status 0 calc "sqrt(u*u + v*v)" "${uv[@]}" out=n3.nc:/S --quiet -n 3
compare n1.nc S n3.nc S
expect_status 0 mpirun -n 2 "$h5swim" calc "sqrt(u*u + v*v)" "${uv[@]}" out=mpi.nc:/S --quiet
compare n1.nc S mpi.nc S

# --- what is wrong ------------------------------------------------------------------

bad() { # PATTERN ARGUMENT...
    local pattern=$1 before after
    shift
    before=$(find . -type f -exec cksum {} + | sort -k3)
    expect_status 2 calc "$@"
    expect_line "$pattern"
    [ ! -s "$tmp/out" ] || fail "stdout: $(cat "$tmp/out")"
    after=$(find . -type f -exec cksum {} + | sort -k3)
    [ "$before" = "$after" ] || fail "files have changed: $*"
    passed "$(cat "$tmp/err")"
}
out=out=none.h5:/S
bad '^h5swim calc: expression "sqrt\(u\*u\+w\)", column 10: unknown name "w"; did you mean "u"\?$' "sqrt(u*u+w)" "${uv[@]}" $out
bad 'column 1: unknown function "sqr"; did you mean "sqrt"' "sqr(u)+v" "${uv[@]}" $out
bad 'column 1: hypot takes 2 arguments, and is given 1' "hypot(u)" "${uv[@]}" $out
bad 'column 3: .*missing after "\+"' "u+" "${uv[@]}" $out
bad 'column 5: this parenthesis is not closed' "u*v*(u" "${uv[@]}" $out
bad 'column 2: no opening|column 2: there is no opening' "u)" "${uv[@]}" $out
bad 'column 2: "\^" means nothing here; a power is written \*\*' "u^2" "${uv[@]}" $out
bad 'column 5: & wants conditions' "u > 0 & v > 0" "${uv[@]}" $out
bad 'argument v=in.h5:/V: the expression "u\*u" does not use v' "u*u" "${uv[@]}" $out
bad 'argument out=FILE:/DATASET: it is missing' "u*v" "${uv[@]}"
bad 'there is no input' "1+1" $out
bad 'argument EXPRESSION: it is missing'
bad 'argument in.h5:/U: there is no name' "u" in.h5:/U $out
bad 'argument u=in.h5: there is no dataset; write NAME=FILE:/DATASET' "u" u=in.h5 $out
bad 'argument u=in.h5:U: a dataset begins with "/" here; write u=in.h5:/U$' "u" u=in.h5:U $out
bad 'column 6: unknown name "u"; an input is given as u=FILE:/DATASET$' "sqrt(u*u+v*v)"
bad 'argument sqrt=in.h5:/U: "sqrt" is a function' "sqrt" sqrt=in.h5:/U $out
bad 'argument u=in.h5:/V: u is given already' "u" u=in.h5:/U u=in.h5:/V $out
bad 'argument out=b.h5:/S: out is given already' "u" u=in.h5:/U $out out=b.h5:/S
bad 'argument u=gone.h5:/U: input u: there is no file gone.h5' "u" u=gone.h5:/U $out
bad 'in.h5' "u" u=in.h5:/UU $out
bad 'shapes do not match: input u \(in.h5:/U\) is 40 x 30 x 20, input s \(in.h5:/SMALL\) is 40 x 30' "u*s" u=in.h5:/U s=in.h5:/SMALL $out
bad 'TEXT' "u" u=in.h5:/TEXT $out
bad '[-]-type floot: "type": expected one of' "u" u=in.h5:/U $out --type floot
bad '[-]-chunks 1,x: .*whole number' "u" u=in.h5:/U $out --chunks 1,x
bad '[-]-deflate 11: "deflate": expected' "u" u=in.h5:/U $out --deflate 11
bad 'fill -1 of output "out" is not a value of its type uint8' "u>0" u=in.h5:/U $out --fill -1
bad '[-]-set kernel=x.c: h5swim calc sets kernel itself' "u" u=in.h5:/U $out --set kernel=x.c
bad '[-]-set inputs.w.file=x: h5swim calc sets inputs itself' "u" u=in.h5:/U $out --set inputs.w.file=x
bad 'unknown key "memry"' "u" u=in.h5:/U $out --set memry=1GiB
bad 'option --overwite: there is no such option; did you mean "--overwrite"' "u" u=in.h5:/U $out --overwite
bad 'option --resume: it cannot go with --overwrite' "u" u=in.h5:/U $out --resume --overwrite
bad 'out.h5' "u" u=in.h5:/U out=out.h5:/S
bad 'is also the input' "u" u=in.h5:/U out=in.h5:/S --overwrite
bad 'column 4: byte 0x0a|column 1' $'";\nsystem("x");//' u=in.h5:/U $out
many=()
for n in $(seq 17); do many+=("a$n=in.h5:/U"); done
bad 'more than 16 inputs' "a1" "${many[@]}" $out

# On a terminal the column is pointed at.
expect_status 0 "$python" - "$h5swim" <<'PY'
import os, pty, sys
seen = b""
def read(fd):
    global seen
    data = os.read(fd, 1000)
    seen += data
    return data
status = pty.spawn([sys.argv[1], "calc", "sqrt(u*u+w)", "u=in.h5:/U", "out=none.h5:/S"], read)
lines = seen.decode().splitlines()
good = status == 2 << 8 and lines[1] == "  sqrt(u*u+w)" and lines[2] == "           ^"
sys.exit(0 if good and len(lines) == 3 else f"{status}: {lines}")
PY

# --- the cache ----------------------------------------------------------------------

cat > "$tmp/counting-cc" <<'SH'
#!/bin/sh
case " $* " in *" -shared "*)
    echo "$*" >> "$(dirname "$0")/compiled"
    while [ "${HELD:-}" ] && [ ! -e "$HELD" ]; do sleep 0.01; done
    ;;
esac
exec cc "$@"
SH
chmod +x "$tmp/counting-cc"
compiled() { if [ -e "$tmp/compiled" ]; then grep -c '' "$tmp/compiled"; else echo 0; fi; }
export CC=$tmp/counting-cc
expect_status 0 calc "u*2 - v" "${uv[@]}" out=c.h5:/S --quiet -n 2
[ "$(compiled)" = 1 ] || fail "compiled $(compiled) times at first"
expect_status 0 calc " u * 2.0 -v" "${uv[@]}" out=c.h5:/S --quiet --overwrite
expect_status 0 calc "u*2 - v" u=in.h5:/N v=in.h5:/V out=c.h5:/S --quiet --overwrite --units m
[ "$(compiled)" = 1 ] || fail "compiled again for the same expression"
expect_status 0 calc "u*2 - v - 1" "${uv[@]}" out=c.h5:/S --quiet --overwrite
[ "$(compiled)" = 2 ] || fail "not compiled for another expression"
# Of two jobs that compile it at once the second one takes what the first one made.
# shellcheck disable=SC2016 # it is known when the test ends
on_exit 'touch "$tmp/go"'
HELD=$tmp/go "$h5swim" calc "u*5 - v" "${uv[@]}" out=d.h5:/S --quiet 2>"$tmp/held" &
held=$!
have_compiled() { [ "$(compiled)" = "$1" ]; }
await have_compiled 3
expect_status 0 calc "u*5 - v" "${uv[@]}" out=c.h5:/S --quiet --overwrite
made=$(find "$tmp/cache" -name '*.so' -printf '%T@ %i %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-)
touch "$tmp/go"
wait $held || fail "compiled beside another: $(cat "$tmp/held")"
[ "$(compiled)" = 4 ] || fail "compiled $(compiled) times by two at once"
[ "$(stat -c '%i %n' "${made#* }")" = "$made" ] || fail "a kernel in use is replaced: $made"
[ -z "$(find "$tmp/cache" -name '.*')" ] || fail "left in the cache: $(find "$tmp/cache" -name '.*')"
unset CC
passed "an expression is compiled once"

# --- the rest -----------------------------------------------------------------------

rm -f r.h5
expect_status 0 calc "u + v" "${uv[@]}" out=r.h5:/S --dry-run
grep -qF 'calc (map)' "$tmp/out" || fail "--dry-run: $(cat "$tmp/out")"
[ ! -e r.h5 ] || fail "--dry-run wrote"
expect_status 0 calc "u + v" "${uv[@]}" out=r.h5:/S --resume --json
"$python" -c 'import json, sys; r = json.load(open(sys.argv[1])); sys.exit(not (r["job"] == "calc" and r["status"] == "done" and r["outputs"][0]["dataset"] == "/S"))' "$tmp/out" ||
    fail "--json: $(cat "$tmp/out")"
expect_status 0 calc "u + v" "${uv[@]}" out=r.h5:/S --resume
grep -q 'complete already' "$tmp/out" || fail "--resume: $(cat "$tmp/out")"
expect_status 2 calc "u - v" "${uv[@]}" out=r.h5:/S --resume
expect_line 'r.h5'

# A job that was stopped goes on where it was; an expression that is not its own is told.
"$python" - <<'PY'
import h5py, numpy as np
with h5py.File("large.h5", "w") as f:
    f.create_dataset("U", data=np.random.default_rng(1).normal(size=(100, 100, 100)).astype("f4"), chunks=(1, 100, 100))
PY
slow=u # seconds of it
for n in $(seq 1001 1099); do slow+=" + abs(u)**${n/#1/1.}"; done
"$h5swim" calc "$slow" u=large.h5:/U out=k.h5:/S --quiet -n 1 --readers 1 --set 'block=[1,100,100]' &
pid=$!
await test -e k.h5.swimlog
kill -TERM $pid
status=0
wait $pid || status=$?
[ $status = 143 ] || fail "status $status after SIGTERM"
if "$h5swim" calc "$slow" u=large.h5:/U out=k.h5:/S --quiet 2>"$tmp/err"; then fail "a stopped job is begun again"; fi
expect_status 2 calc "$slow+1" u=large.h5:/U out=k.h5:/S --quiet --resume --set 'block=[1,100,100]'
grep -q 'params.expression is' "$tmp/err" || fail "not told: $(cat "$tmp/err")"
# Also when it has to be compiled again.
expect_status 0 env "SWIM_CACHE_DIR=$tmp/empty" "$h5swim" calc "$slow" u=large.h5:/U out=k.h5:/S --quiet --resume \
    --set 'block=[1,100,100]'
expect_status 0 calc "$slow" u=large.h5:/U out=whole.h5:/S --quiet --set 'block=[1,100,100]'
compare k.h5 S whole.h5 S

expect_status 0 calc --source "where(u > v, u, nan)" "${uv[@]}"
sed -n '/^static void loop_float/,/^}/p' "$tmp/out" | grep -qF 't2 ? t3 : (float)t4' || fail "--source prints another loop"
mv "$tmp/out" own.c
printf '%s\n' 'kernel: own.c' 'params: {expression: mine}' 'inputs: {u: {file: in.h5, dataset: U}, v: {file: in.h5, dataset: V}}' \
    'outputs: {out: {file: own.h5, dataset: S}}' > own.yaml
expect_status 0 "$h5swim" run own.yaml --quiet
expect_status 0 "$h5swim" kernel info ./own.c
passed "the source is a kernel like any other"

expect_status 0 calc --help
[ "$(grep -c '' "$tmp/out")" -le 40 ] || fail "the help is longer than a screen"
if grep -E ".{89}" "$tmp/out"; then fail "the help is wider than a screen"; fi
"$h5swim" --help | grep -q '^  calc ' || fail "h5swim --help does not name calc"
