#!/usr/bin/env bash
# The progress line on terminals of several kinds.  What it says at each width:
# unit.progress.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache
"$python" - <<'PY'
import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    f.create_dataset("U", data=np.arange(20 * 64, dtype="f4").reshape(20, 64), chunks=(1, 64))
PY
slow_job 50
"$h5swim" run slow.yaml --dry-run >/dev/null # compiles
if ! script -qec true typescript >/dev/null 2>&1; then
    echo "skipped: there are no pseudo-terminals here"
    exit 77
fi
# on_terminal COLUMNS VARIABLE...: what the terminal gets, line by line, in lines.
on_terminal() {
    local columns=$1
    shift
    env -u NO_COLOR "$@" script -qec \
        "stty cols $columns; '$h5swim' run slow.yaml -n 2 --readers 1 --overwrite --record none" typescript >/dev/null
    "$python" - <<'PY'
import re
text = open("typescript", newline="").read()
lines = re.split("\r|\n", text)
open("lines", "w").write("\n".join(line for line in lines if "/20 blocks" in line) + "\n")
PY
}
longest() { sed 's/\x1b\[[0-9;]*[mK]//g' lines | wc -L; }

on_terminal 120 TERM=xterm
grep -q $'\033\[K.*slow' lines || fail "no line that is rewritten: $(cat -v typescript)"
sed 's/\x1b\[[0-9;]*[mK]//g' lines |
    grep -qE '^slow \[=*\.*\] [0-9]+/20 blocks  [0-9.]+ GB/s in, [0-9.]+ out  ETA [0-9?]+( s)?  locks [0-9]+ %  2 ranks$' ||
    fail "not all of it: $(cat -v lines)"
grep -q $'\033\[32m' lines || fail "no colours: $(cat -v lines)"
on_terminal 120 TERM=xterm NO_COLOR=1
grep -q '/20 blocks' lines || fail "no line"
if grep -q $'\033\[[0-9;]*m' typescript; then fail "colours in spite of NO_COLOR"; fi
on_terminal 30 TERM=xterm
grep -q '/20 blocks' lines || fail "no line on a narrow terminal"
[ "$(longest)" -lt 30 ] || fail "wider than the terminal: $(cat -v lines)"
on_terminal 80 TERM=dumb
if grep -q $'\033' typescript; then fail "escapes on a terminal that knows none: $(cat -v typescript)"; fi
passed "the line fits the terminal, and has colours where they are wanted"

# A log: the first line comes after ten seconds, whole and without escapes.
slow_job 1200
"$h5swim" run slow.yaml -n 1 --readers 2 --overwrite --record none >/dev/null 2>log
grep -qE '^slow \[=*\.*\] [0-9]+/20 blocks  [0-9.]+ GB/s in, [0-9.]+ out  ETA [0-9]+ s  locks [0-9]+ %$' log ||
    fail "no line in a log: $(cat log)"
if grep -q $'\033\|\r' log; then fail "escapes in a log: $(cat -v log)"; fi
passed "a log has lines now and then"

# Who waits for an input is told why, by one line of one process.
hold in.h5 WRITE
"$h5swim" calc "u + 1" u=in.h5:/U out=told.h5:/Y --readers 2 >/dev/null 2>told &
told=$!
"$h5swim" calc "u + 1" u=in.h5:/U out=quiet.h5:/Y --quiet >/dev/null 2>quiet &
quiet=$!
await test -s told
sleep 0.2 # by now the other one would have spoken too
[ ! -s quiet ] || fail "told in spite of --quiet: $(cat quiet)"
let_go
wait $told || fail "the job that told did not end: $(cat told)"
wait $quiet || fail "the quiet job did not end: $(cat quiet)"
[ "$(grep -cE "^h5swim: waiting: READ of .*/in.h5: [0-9.]+ s waited: WRITE held by .*job hold" told)" = 1 ] ||
    fail "not told once for whom the job waits: $(cat told)"
passed "a job tells for whom it waits"
