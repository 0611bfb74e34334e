#!/usr/bin/env bash
# h5swim view: what is in a file, its statistics, and pictures of it.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
"$python" - <<'PY'
import h5py, numpy as np
rng = np.random.default_rng(7)
with h5py.File("a.h5", "w") as f:
    d = (1e6 + rng.normal(size=(5, 37, 73))).astype("f4")
    d[:, :6, :9] = -999
    v = f.create_dataset("g/speed", data=d, chunks=(1, 20, 30), compression=4, shuffle=True,
                         maxshape=(None, 37, 73))
    v.attrs["units"] = "m/s"
    v.attrs["_FillValue"] = np.float32(-999)
    for n, x, u in (("time", np.arange(5) * 6., "hours since 2000-01-01"),
                    ("lat", np.linspace(-90, 90, 37), "degrees_north")):
        f[n] = x
        f[n].attrs["units"] = u
        f[n].make_scale(n)
    v.dims[0].attach_scale(f["time"])
    v.dims[1].attach_scale(f["lat"])
    f.create_dataset("quad", data=[[0, 1], [np.nan, .5]])
    f.create_dataset("north", data=[[0., 0], [1, 1]])
    f["y"] = [10., 20]
    f["y"].attrs["units"] = "degrees_north"
    f["y"].make_scale("y")
    f["north"].dims[0].attach_scale(f["y"])
    f["line"] = np.arange(200.)
    f["far"] = [[-1.7e308, 1.7e308], [0, 1]]
    f["reach"] = [-1.7e308, 1e308, 1.7e308]
    f["ratio"] = np.eye(4)
    f["ratio"].attrs["units"] = "1"
    f["ends"] = np.array([1, np.nan, np.inf, -np.inf, 4])
    f["wide"] = np.array([2**63 - 1, 2**63 - 3])
    p = f.create_dataset("packed", data=np.array([10, 20, -1], "i2"))
    p.attrs.update(scale_factor=.5, add_offset=100., _FillValue=np.int16(-1))
    f["text"] = np.array([b"alpha", b"b"])
    f["words"] = np.array(["uno", "due"], dtype=object)
    f["pair"] = np.array([(1.5, 2, "xx")], dtype=[("a", "f4"), ("b", ">i4"), ("s", "S3")])
    f.create_dataset("mode", data=np.array([0, 1, 7], "u1"),
                     dtype=h5py.enum_dtype({"OFF": 0, "ON": 1}, "u1"))
    lists = f.create_dataset("lists", (2,), dtype=h5py.vlen_dtype("i4"))
    lists[0] = [1, 2, 3]
    f["link"] = np.array([f["quad"].ref], dtype=h5py.ref_dtype)
    f["nothing"] = h5py.Empty("f4")
    f["norows"] = np.zeros((0, 4))
    f["one"] = 3.25
    f["names:1"] = np.zeros(3)
    f["e\x1b[31m\n\u202e\\"] = [1]
    f["e\x1b[31m\n\u202e\\"].attrs["a\x07\x9b"] = "x\x1b]0;y\x07"
    f.attrs["title"] = "a file"
    f.attrs["version"] = "of two\nlines"
    f.create_dataset("large/month", (8300, 8300), "u1", chunks=(830, 830), fillvalue=3)
    x = f.create_dataset("large/x", (150 * 10**6, 2, 2), "u1", chunks=(10**6, 2, 2), fillvalue=3)
    s = f.create_dataset("large/long", (150 * 10**6,), "f8", chunks=(10**6,), fillvalue=.5)
    s.attrs["units"] = "m"
    s.make_scale("long")
    x.dims[0].attach_scale(s)
    f.create_dataset("large/endless", (10**6, 10**6), "f8", chunks=(1000, 1000))
PY
view() { expect_status 0 "$h5swim" view "$@"; }
has() { grep -qE -- "$1" "$tmp/out" || fail "no line with: $1: $(cat -v "$tmp/out")"; }
# numbers NAME DATASET: min, max, mean and std that are shown are those of numpy.
numbers() {
    "$python" - "$tmp/out" "$1" <<'PY' || fail "other numbers: $(cat "$tmp/out")"
import h5py, numpy as np, re, sys
text = open(sys.argv[1]).read()
v = h5py.File("a.h5", "r")[sys.argv[2]][...].astype("f8")
v[v == -999] = np.nan
seen, missing = map(int, re.search(r"values +(\d+), missing (\d+)", text).groups())
assert seen == v.size and missing == np.isnan(v).sum(), (seen, missing)
shown = re.search(r"min (\S+), max (\S+), mean (\S+), std (\S+)", text).groups()
for one, want in zip(shown, (np.nanmin(v), np.nanmax(v), np.nanmean(v), np.nanstd(v))):
    assert abs(float(one) - want) <= 1e-6 * abs(want), (one, want)
PY
}

view a.h5
has '^  /g/speed +5 x 37 x 73 +float32$'
has '^  /pair +1 +compound \{a: float32, b: int32, big-endian, s: strings of 3 bytes\}$'
has 'title = "a file"$'
grep -A 1 'version = "of two$' "$tmp/out" | grep -qE '^ {16}lines"$' || fail "an attribute of two lines: $(cat "$tmp/out")"
[ "$(head -n 1 "$tmp/out")" = "28 datasets below /" ] || fail "a list: $(cat "$tmp/out")"
view a.h5:large
[ "$(head -n 1 "$tmp/out")" = "4 datasets below large" ] || fail "of a group: $(cat "$tmp/out")"
passed "a list of what is in a file, or in a group"

view a.h5:g/speed --index -1 --width 40
has '^  type +float32$'
has '^  shape +5 x 37 x 73, may grow to any x 37 x 73$'
has '^  storage +chunked 1 x 20 x 30, 52\.8 KiB, in the file [0-9.]+ KiB$'
has '^  filters +shuffle, deflate 4$'
has '^  attributes +_FillValue = -999$'
has '^ +units = "m/s"$'
has '^  axes +time, 5 long: 0 to 24 hours since 2000-01-01$'
has '^  first +-999, .*, \.\.\.$'
has 'std [0-9.]+ m/s$'
has '^slice \[4, :, :\] at time 24 hours since 2000-01-01$'
has '^down: lat 90 to -90 degrees_north; across: index 0 to 72$'
numbers g/speed
for name in line one; do
    view "a.h5:/$name"
    numbers "$name"
done
view a.h5:ends
has '^  values +5, missing 1, infinite 2 \(all were read\)$'
has 'min 1, max 4, mean 2\.5, std 1\.5$'
view a.h5:ratio
has '^  attributes +units = "1"$'
has 'std [0-9.]+$'
! grep -qE 'std [0-9.]+ 1$|^0 .* 1 1' "$tmp/out" || fail "1 is shown as a unit"
view a.h5:wide
has 'min 9223372036854775805, max 9223372036854775807'
view a.h5:packed
has '^  packed +what follows is unpacked: number \* 0\.5 \+ 100$'
has '^  values +3, missing 1'
has 'min 105, max 110, mean 107\.5, std 2\.5$'
passed "a dataset, and statistics as numpy has them"

# What no kernel takes is shown all the same.
first() { view "a.h5:$1" && has "^  first +$2\$"; }
first text '"alpha", "b"'
first words '"uno", "due"'
first pair '\{a: 1\.5, b: 2, s: "xx"\}'
first mode 'OFF, ON, 7'
has '^  type +enum of uint8 \(OFF, ON\)$'
first lists '\[1, 2, 3\], \[\]'
first link 'a reference'
view a.h5:nothing
has '^  shape +empty$'
view a.h5:norows
has '^  shape +0 x 4'
view a.h5:names:1
has '^/names:1$'
passed "texts, compounds, enums, lists, and datasets with nothing in them"

# Pictures.
esc=$'\033'
csi=$'\033['
block=$'\xe2\x96\x80'
picture() { LC_ALL=C.UTF-8 expect_status 0 "$h5swim" view "$@" --width 4 --color always; }
COLORTERM=truecolor picture a.h5:quad
low="2;68;1;84m" high="2;253;231;37m" middle="2;33;144;141m" gray="2;110;110;110m"
[ "$(sed -n '/^down/,$p' "$tmp/out" | sed -n 2,3p)" = \
    "${csi}38;$low${csi}48;$low$block$block${csi}38;$high${csi}48;$high$block$block${csi}0m
${csi}38;$gray${csi}48;$gray$block$block${csi}38;$middle${csi}48;$middle$block$block${csi}0m" ] ||
    fail "blocks: $(cat -v "$tmp/out")"
has "^0 .* 1   $esc\\[48;${gray}  $esc\\[0m missing\$"
COLORTERM='' picture a.h5:quad
[ "$(sed -n '/^down/,$p' "$tmp/out" | sed -n 2p)" = \
    "${csi}38;5;53m${csi}48;5;53m$block$block${csi}38;5;220m${csi}48;5;220m$block$block${csi}0m" ] ||
    fail "256 colours: $(cat -v "$tmp/out")"
letters() { sed -n '/^down/,$p' "$tmp/out" | sed -n "2,\$p"; }
view a.h5:quad --width 8
[ "$(letters)" = "....@@@@
....@@@@
    ++++
    ++++
0 .:-=+*#%@ 1   blank: missing" ] || fail "characters: $(cat "$tmp/out")"
view a.h5:north --width 4
[ "$(letters)" = "@@@@
....
0 .:-=+*#%@ 1" ] || fail "the north is not on top: $(cat "$tmp/out")"
has '^down: y 20 to 10 degrees_north; across: index 0 to 1$'
view a.h5:line --width 10
[ "$(tail -n 3 "$tmp/out")" = "  ********
**********
from 9.5 to 189.5" ] || fail "a curve: $(cat "$tmp/out")"
# A range that is more than a number holds.
view a.h5:far --width 4
[ "$(letters)" = "..@@
++++
-1.7e+308 .:-=+*#%@ 1.7e+308" ] || fail "a range of 3.4e308: $(cat "$tmp/out")"
COLORTERM=truecolor picture a.h5:far
[[ $(letters | sed -n 1p) == "${csi}38;$low"*"${csi}38;$high"* ]] || fail "colours of 3.4e308: $(cat -v "$tmp/out")"
[[ $(tail -n 1 "$tmp/out") == "-1.7e+308 ${csi}48;$low "*"${csi}48;$high "*" 1.7e+308" ]] ||
    fail "a legend of 3.4e308: $(cat -v "$tmp/out")"
view a.h5:reach --width 3
[ "$(tail -n 11 "$tmp/out")" = "  *
  *
 **
 **
 **
 **
 **
 **
 **
***
from -1.7e+308 to 1.7e+308" ] || fail "a curve of 3.4e308: $(cat "$tmp/out")"
view a.h5:g/speed --no-picture
! grep -q '^slice' "$tmp/out" || fail "a picture all the same"
# Of a long axis the ends are read alone.
"$python" - "$h5swim" <<'PY' || fail "coordinates that are not shown are read"
import resource, subprocess, sys
subprocess.run([sys.argv[1], "view", "a.h5:large/x", "--index", "-2", "--no-picture"], stdout=open("x.out", "w"), check=True)
most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss # KiB
assert most < 800000, most
PY
grep -q '^  axes  *long, 150000000 long: 0\.5 to 0\.5 m$' x.out || fail "a long axis: $(cat x.out)"
# On a terminal: colours, unless NO_COLOR is set.
terminal() { script -qec "$h5swim view a.h5:quad" /dev/null </dev/null >"$tmp/out"; }
COLORTERM='' TERM=xterm NO_COLOR='' LC_ALL=C.UTF-8 terminal
has "$esc\\[38;5;53m.*$block"
TERM=xterm NO_COLOR=1 LC_ALL=C.UTF-8 terminal
! grep -q "$esc" "$tmp/out" || fail "colours with NO_COLOR"
passed "pictures, in colours and in characters"

view a.h5:large/month --no-picture
has '^  values +[0-9]+, missing 0 \(a sample: [0-9]+ of [0-9]+ blocks, of 68890000 values; --all reads all\)$'
has 'min 3, max 3, mean 3, std 0$'
view a.h5:large/month --all --width 10
has '^  values +68890000, missing 0 \(all were read\)$'
has '^slice \[:, :\] \(of each cell a part of the values was read\)$'
"$h5swim" view a.h5:large/endless --all >"$tmp/out" 2>"$tmp/err" &
pid=$!
reads() { "$h5swim" locks | grep -q ' READ '; }
await reads
kill -TERM $pid
status=0
wait $pid || status=$?
[ $status = 143 ] || fail "told to go it ends with $status"
nobody() { "$h5swim" locks --sessions | grep -q ' 0 sessions\|no lock server'; }
await nobody
passed "large ones by a sample that is named; a signal ends it"

# While others write: what is committed last.
cp a.h5 b.h5
coproc WRITER { exec "$h5swim" exec -- "$python" -c 'import h5py, sys
f = h5py.File("b.h5", "r+")
f["quad"][0, 0] = -5
f["quad"].attrs["note"] = "new"
f.flush()
print("written", flush=True)
sys.stdin.readline()
f.close()'; }
read -r -t 60 _ <&"${WRITER[0]}" || fail "the writer says nothing"
# shellcheck disable=SC2153 # coproc sets it
pid=$WRITER_PID
view b.h5:quad
has '^  values +4, missing 1'
has 'min 0, max 1'
! grep -q note "$tmp/out" || fail "what is not committed is seen"
echo >&"${WRITER[1]}"
wait "$pid" || fail "the writer: $?"
view b.h5:quad
has 'min -5, max 1'
has 'note = "new"'
# What was committed and lies in the journal is seen, and stays there.
place=$("$python" -c 'import h5py; print(h5py.File("a.h5", "r")["line"].id.get_offset())')
cp a.h5 c.h5
"$SWIM_BUILD/tests/leave_journal" c.h5 1 "$place"
before=$(sha256sum c.h5 c.h5.swimlog)
view c.h5:line
has 'min -1, max 199'
[ "$before" = "$(sha256sum c.h5 c.h5.swimlog)" ] || fail "the file or its journal was changed"
passed "the last committed state, and nothing is changed"

for locale in C C.UTF-8; do
    LC_ALL=$locale expect_status 0 "$h5swim" view a.h5
    cp "$tmp/out" "$tmp/list"
    LC_ALL=$locale expect_status 0 "$h5swim" view $'a.h5:e\033[31m\n\xe2\x80\xae\\'
    cat "$tmp/list" "$tmp/out" >"$tmp/both"
    "$python" - "$tmp/both" <<'PY' || fail "a terminal could act on it: $(cat -v "$tmp/out")"
import sys, unicodedata
text = open(sys.argv[1], encoding="utf-8", newline="").read()
bad = [c for c in text if c != "\n" and unicodedata.category(c)[0] == "C"]
assert not bad, bad
assert r"/e\x1b[31m\x0a\xe2\x80\xae" in text and r"a\x07" in text and r"x\x1b]0;y\x07" in text, text
PY
done
passed "nothing that a terminal acts on comes out"

expect_status 2 "$h5swim" view a.h5:quat
expect_line 'no dataset quat in a.h5; did you mean /quad'
expect_status 2 "$h5swim" view a.h5 --index 3
expect_line '--index 3: it is for one dataset: give FILE:DSET'
expect_status 1 "$h5swim" view none.h5:x
expect_line 'open none.h5: No such file'
echo text >plain.txt
expect_status 2 "$h5swim" view plain.txt
expect_line 'plain.txt: it is not an HDF5 file'
expect_status 2 "$h5swim" view a.h5:g/speed --index 5
expect_line 'axis 0 goes from 0 to 4, not to 5'
expect_status 2 "$h5swim" view a.h5:g/speed --index 1,2
expect_line '1 axis before the last two'
expect_status 2 "$h5swim" view a.h5:g/speed --index x
expect_line 'no list of numbers'
expect_status 2 "$h5swim" view a.h5:g/speed --width 0
expect_status 2 "$h5swim" view a.h5 --color blue
expect_status 2 "$h5swim" view a.h5 --wdith 3
expect_line 'did you mean "--width"'
expect_status 2 "$h5swim" view
expect_status 0 "$h5swim" view --help
[ "$(wc -L <"$tmp/out")" -le 88 ] || fail "the help is too wide"
[ "$(wc -l <"$tmp/out")" -le 40 ] || fail "the help is too long"
passed "wrong usage"
