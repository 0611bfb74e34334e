#!/usr/bin/env bash
# h5swim kernel test: the kernels of this tree pass; each mistake of the kernels made for
# it is found, and said where it is.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache
ulimit -S -s 8192 # one of the kernels uses all of it
whole='block 0 of 1 \(offset\+count 0\+4, 0\+11, 0\+37\)'

# finds KERNEL MISTAKE CHECK PATTERN [OPTION...]: status 1, one line WRONG, of that check,
# which begins as the pattern says; checks after it are skipped.
finds() {
    local kernel=$1 mistake=$2 check=$3 pattern=$4
    shift 4
    expect_status 1 "$h5swim" kernel test "$support/kernels/$kernel.c" --set "mistake=$mistake" "$@"
    grep -E '^WRONG' "$tmp/out" > wrong || fail "$kernel $mistake: nothing is WRONG"
    expect_line "^WRONG  $check +$pattern" wrong
    [ "$(tail -n 1 "$tmp/out")" = "$kernel: FAILED" ] || fail "$kernel $mistake: another last line"
    passed "$kernel: $mistake"
}
# passes WHAT OPTION...: with status 0 and no word on stderr.
passes() {
    expect_status 0 "$h5swim" kernel test "$@"
    [ ! -s "$tmp/err" ] || { cat "$tmp/err" >&2; fail "words on stderr: kernel test $*"; }
    tail -n 1 "$tmp/out" | grep -q ': passed$' || fail "another last line: kernel test $*"
}
map() { finds mistakes "$@" --set level=1; }
refused() { # STATUS PATTERN OPTION...
    local status=$1 pattern=$2
    shift 2
    expect_status "$status" "$h5swim" kernel test "$@"
    expect_line "$pattern"
    [ ! -s "$tmp/out" ] || fail "refused, and words on stdout: kernel test $*"
}

# All kernels that are built here, with what they must be told.
for so in "$SWIM_BUILD"/lib/h5swim/kernels/*.so; do
    name=$(basename "$so" .so)
    settings=()
    case $name in
    cast) settings=(--set type=float32) ;;
    rolling_mean) settings=(--set length=3) ;;
    threshold) settings=(--set value=0) ;;
    histogram) settings=(--set low=-20 --set high=20) ;;
    *) ;; # --set for parameters without a default, --shape for what 4,11,37 does not suit
    esac
    passes "$so" "${settings[@]}"
    passed "$name"
done
passes wind_speed
grep -qE '^ok +plan +of 4 x 11 x 37 inputs, types as declared; speed: float32, 4 x 11 x 37$' "$tmp/out" ||
    fail "no line on what wind_speed plans"
for kernel in pair total where find along; do passes "$support/kernels/$kernel.c"; done
passes "$support/kernels/total.c" --set keep=1 --shape 5,6
passes "$support/kernels/pair.c" --shape 1
# Of integers it has more outputs than of what was planned first.
passes "$support/kernels/bins.c"
grep -qE '^ok +missing +computes with missing values, int16$' "$tmp/out" || fail "no integers were tried of bins"
passes "$support/kernels/bins.c" --set bins=9000000
grep -qE '^note +missing +not looked at, the outputs are too large: give a smaller --shape; .*int16$' "$tmp/out" ||
    fail "no note on outputs without room: $(cat "$tmp/out")"
passes slope --shape 300,300
grep -q '(in one block, in thirds, in rows)' "$tmp/out" || fail "90000 single elements were tried"
passed "kernels without a mistake"

# Maps: memory.
passes "$support/kernels/mistakes.c" --set mistake=none --set level=1
map overrun memory "apply\(\), $whole: writes to data\[1628\] of output y, 1 element beyond its end"
map underrun memory "apply\(\), $whole: writes to data\[-1\] of output y, 1 element before its start"
map over_late memory 'apply\(\), block 814 of 1628 \(offset\+count 2\+1, 0\+1, 0\+1\): writes to data\[2\] of output y, 2 elements beyond its end; data in single elements'
map reads_over memory "apply\(\), $whole: (reads|touches) data\[1628\] of input u, 1 element beyond its end"
map reads_under memory "apply\(\), $whole: (reads|touches) data\[-2\] of input v, 2 elements before its start"
map writes_input memory "apply\(\), $whole: (writes to|touches) data\[5\] of input v, which must not be changed"
map null memory "apply\(\), $whole: (writes to|touches) address 0x0: a pointer that is NULL"
map deep memory "apply\(\), $whole: [a-z ]+ address 0x[0-9a-f]+, which is in no buffer"

# Maps: how it ends.
map aborts memory "apply\(\), $whole: ends by signal 6 \(Aborted\)"
map exits memory "apply\(\), $whole: ends the process with exit\(3\)"
map exits_well memory 'apply\(\), block 1 of 18 \(offset\+count 0\+2, 0\+4, 13\+13\): ends the process with exit\(0\)'
map loops memory "apply\(\), $whole: has not returned for 3 s" --timeout 3
map refuses memory 'apply\(\), block 2 of 18 \(offset\+count 0\+2, 0\+4, 26\+11\): fails: no wind at all'
map open_exit plan 'open\(\): ends the process with exit\(5\)'
map plan_crash plan 'plan\(\): (writes to|touches) address 0x8'
map plan_refuses plan 'plan\(\): these winds are upside down; --shape and --type make other data$'
map plan_changes plan 'plan\(\): plans other outputs or halos the second time'
map close_crash plan 'close\(\): (writes to|touches) address 0x10'

# Maps: outputs, state, cuts, missing values.
map forgets output '2 elements of the outputs are never written, first y\(0, 1, 3\)'
map adds output '1628 elements of the outputs: y\(0, 0, 0\) is -?[0-9.]+ in one run, and -?[0-9.]+ in another: it depends on what was in memory'
map unset_state output '1628 elements of the outputs: y\(0, 0, 0\) .*: it depends on what was in memory'
map unset_local output '1628 elements of the outputs: y\(0, 0, 0\) .*: it depends on what was in memory'
map counts state '1628 elements of the outputs: y\(0, 0, 0\) is -?[0-9.]+ at first, and -?[0-9.]+ when the block is computed a second time'
map sums state '1628 elements of the outputs: y\(0, 0, 0\) .* when the block is computed a second time'
map keeps_first state '1628 elements of the outputs: y\(0, 0, 0\) .* when the blocks come in reverse order'
map numbers_opens state '[0-9]+ elements of the outputs: y\(0, 0, 13\) .* when the kernel is opened anew for each block'
map knows_block cuts '[0-9]+ elements of the outputs: y\(0, 0, 13\) is .* when the data are one block, and .* when they are in thirds'
passes "$support/kernels/mistakes.c" --set mistake=loses --set level=1
grep -E '^note' "$tmp/out" > note || true
expect_line 'note +missing +234 elements of the outputs have a value where the inputs are missing, first z\(0, 0, 0\)' note

# Stencils.
passes "$support/kernels/mistakes_stencil.c"
grep -qE '^ok +edges +nearest, reflect, wrap, constant$' "$tmp/out" || fail "no line on edges"
grep -qE '^note +missing +plan\(\): it knows float32 and int32; with missing values, int16$' "$tmp/out" ||
    fail "no int16 was tried of a kernel that takes any type"
passes "$support/kernels/mistakes_stencil.c" --type i32
passes "$support/kernels/mistakes_stencil.c" --type float32
passes "$support/kernels/mistakes_stencil.c" --set mistake=flat
grep -qE '^ok +plan +of 11 x 37 inputs' "$tmp/out" || fail "no data of two axes were tried"
passes "$support/kernels/mistakes_stencil.c" --set mistake=no_wrap
grep -qE '^note +edges +plan\(\): the world is flat; edges: wrap$' "$tmp/out" || fail "no note on wrap"
finds mistakes_stencil beyond cuts '[0-9]+ elements of the outputs: y\(0, 0, 12\) .* when they are in thirds'
finds mistakes_stencil writes_halo memory "apply\(\), $whole: (writes to|touches) data\[-1\] of input x, which must not be changed"
finds mistakes_stencil wrong_wrap edges '[0-9]+ elements of the outputs: y\(0, 0, [0-9]+\) .*: edges: wrap'
finds mistakes_stencil none plan 'plan\(\): it knows float32 and int32; --shape and --type make other data$' --type u8

# Reduces.
passes "$support/kernels/mistakes_sum.c"
grep -qE '^ok +merge +parts merged in order give the whole but for [0-9.e-]+ of the largest value \(not the same bits\)$|^ok +merge +parts merged in order give the whole, to the bit$' "$tmp/out" ||
    fail "no line on merging"
finds mistakes_sum no_acc memory "acc_bytes\(\), $whole: says 0 bytes"
finds mistakes_sum acc_grows memory "acc_bytes\(\), $whole: says 3258 bytes, for the first, which has the most outputs, 3257"
finds mistakes_sum partial_over memory "partial\(\), $whole: writes to byte 3256 of the accumulator, 1 byte beyond its end"
finds mistakes_sum finish_over memory "finish\(\), $whole: writes to data\[407\] of output sum, 1 element beyond its end"
finds mistakes_sum finish_acc memory "finish\(\), $whole: (writes to|touches) byte 0 of the accumulator, which must not be changed"
finds mistakes_sum merge_other memory 'merge\(\), block 0 of 9 \(offset\+count 0\+4, 0\+4, 0\+13\): (writes to|touches) byte 8 of the other accumulator, which must not be changed'
finds mistakes_sum merge_refuses memory 'merge\(\), block 0 of 9 .*: fails: nothing goes together'
finds mistakes_sum forgets output '1 element of the outputs is never written, first sum\(0, 0\)'
finds mistakes_sum carries state '[0-9]+ elements of the outputs: sum\(0, 0\) is .* when the block is computed a second time'
finds mistakes_sum merge_sets merge '407 elements of the outputs: sum\(0, 0\) is .* from one partial\(\) over all, and .* from parts that were merged'
finds mistakes_sum partial_sets merge '407 elements of the outputs: sum\(0, 0\) is .* from one partial\(\) over all'
finds mistakes_sum slices_set merge '[0-9]+ elements of the outputs: sum\(0, 0\) is .* from one partial\(\) over all, and .* from partial\(\) over its parts'
finds mistakes_sum pointer elsewhere '.*: accumulators of another process: are there pointers in them\?'

# Windows: along the first axis, rows of 4 x 11.
window() { finds mistakes_window "$@"; }
whole='block 0 of 1 \(offset\+count 0\+37, 0\+4, 0\+11\)'
passes "$support/kernels/mistakes_window.c"
grep -qE '^ok +plan +of 37 x 4 x 11 inputs, .*; y: float32, 37 x 4 x 11$' "$tmp/out" || fail "other data for windows"
grep -qE '^ok +edges +nearest, reflect, wrap, constant, none$' "$tmp/out" || fail "no line on edges of windows"
passes "$support/kernels/mistakes_window.c" --set mistake=steps
passes "$support/kernels/mistakes_window.c" --set mistake=round
grep -qE '^ok +edges +nearest, reflect, wrap, constant, none$' "$tmp/out" || fail "more outputs where edges wrap"
passes "$support/kernels/mistakes_window.c" --set mistake=whole
grep -qE '^ok +edges +windows of the whole axis have none$' "$tmp/out" || fail "edges of whole windows"
passes "$support/kernels/mistakes_window.c" --set mistake=no_wrap
grep -qE '^note +edges +plan\(\): time does not come back; edges: wrap$' "$tmp/out" || fail "no note on wrap"
passes "$support/kernels/along.c" --set lo=2 --set hi=3 --set step=2
passes rolling_mean --set length=30 # 8 rows without an edge, 37 with others
passes "$support/kernels/along.c" --set axis=2 --set lo=-1 --set hi=-1
passes rolling_mean --set length=4 --set step=3 --set window=trailing --set axis=lat --shape 3,20,5
window overrun memory "apply\(\), $whole: writes to data\[1628\] of output y, 1 element beyond its end"
window underrun memory "apply\(\), $whole: writes to data\[-1\] of output y, 1 element before its start"
window reads_over memory "apply\(\), $whole: (reads|touches) data\[1716\] of input x, 1 element beyond its end"
window reads_under memory "apply\(\), $whole: (reads|touches) data\[-45\] of input x, 1 element before its start"
window whole_over memory "apply\(\), $whole: (reads|touches) data\[1628\] of input x, 1 element beyond its end"
window writes_input memory "apply\(\), $whole: (writes to|touches) data\[0\] of input x, which must not be changed"
window writes_halo memory "apply\(\), $whole: (writes to|touches) data\[-44\] of input x, which must not be changed"
window forgets output '4 elements of the outputs are never written, first y\(33, 0, 10\); data in rows'
window carries state '1628 elements of the outputs: y\(0, 0, 0\) is .* when the block is computed a second time'
window counts_rows cuts '[0-9]+ elements of the outputs: y\(13, 0, 0\) is .* when they are in thirds: more is read than the windows of the rows'
window beside cuts '[0-9]+ elements of the outputs: y\(0, 0, 3\) is .* when they are in thirds'
window wrong_wrap edges '[0-9]+ elements of the outputs: y\(13, 0, 0\) is .*: edges: wrap'
window no_window plan 'plan\(\): .*plans windows along axis 0 with step 0: its plan\(\) has to call swim_plan_window\(\)$'
window other_axis plan 'plan\(\): .*plans neighbours along axis 1, its windows are along axis 0$'
expect_status 1 "$h5swim" kernel test rolling_mean --set length=5 --shape 4
grep -qE '^WRONG  plan +plan\(\): .*a window of 5 rows does not fit into axis 0 .*; --shape and --type make other data$' "$tmp/out" ||
    fail "a window longer than the axis"

# Filters.
filter() { finds mistakes_filter "$@"; }
whole='block 0 of 1 \(offset\+count 0\+4, 0\+11, 0\+37\)'
passes "$support/kernels/mistakes_filter.c"
grep -qE '^ok +plan +of .* inputs, .*; value: float32, up to 1628; place: int64, up to 1628 x 3$' "$tmp/out" || fail "another table"
grep -qE '^ok +rows +416 rows are found$' "$tmp/out" || fail "other rows"
passes "$support/kernels/mistakes_filter.c" --set mistake=all
passes "$support/kernels/mistakes_filter.c" --set mistake=beyond_its_rows
passes "$support/kernels/mistakes_filter.c" --set mistake=nothing
grep -qE '^note +rows +no row is found: give parameters with which some are' "$tmp/out" || fail "no note on no rows"
[ "$(grep -c '^skip' "$tmp/out")" -eq 4 ] || fail "something was compared where there is nothing"
filter overrun memory "apply\(\), $whole: writes to data\[1628\] of output value, 1 element beyond its end"
filter reads_over memory "apply\(\), $whole: (reads|touches) data\[1628\] of input x, 1 element beyond its end"
filter reads_under memory "apply\(\), $whole: (reads|touches) data\[-1\] of input x, 1 element before its start"
filter writes_input memory "apply\(\), $whole: (writes to|touches) data\[3\] of input x, which must not be changed"
filter many memory "apply\(\), $whole: says that it wrote 1629 rows of output value: there is room for 1628"
filter uneven memory "apply\(\), $whole: says that it wrote 416 rows of output value and 0 of output place"
filter forgets output '3 elements of the outputs are never written, first place\(2, 0\)'
filter stale output 'the table has 416 rows in one run, and 415 in another: it depends on what was in memory before'
filter numbers state '416 elements of the outputs: value\(0\) is 0 at first, and 25 when the block is computed a second time'
filter own_place cuts '[0-9]+ elements of the outputs: place\(0, [12]\) is .* when they are in thirds: it heeds how they are cut \(rows are shown'
filter one_each cuts 'the table has 1 row when the data are one block, and 18 when they are in thirds: it heeds how they are cut$'
filter input_axis plan 'plan\(\): .*plans axis 1 of a table of rows as input axis 0'
filter no_axis plan 'plan\(\): .*plans a table without an axis for its rows$'

# For programs.
expect_status 1 "$h5swim" kernel test "$support/kernels/mistakes_sum.c" --set mistake=forgets --json
"$python" - "$tmp/out" <<'PY'
import json, sys
r = json.load(open(sys.argv[1]))
assert r["kernel"] == "mistakes_sum" and r["kind"] == "reduce" and r["passed"] is False
assert r["path"].endswith(".so")
assert [c["check"] for c in r["checks"]] == ["load", "plan", "memory", "output", "state", "merge", "elsewhere", "missing"]
assert [c["result"] for c in r["checks"]] == ["ok", "ok", "ok", "wrong"] + 4 * ["skipped"]
assert "sum(0, 0)" in r["checks"][3]["text"]
PY
expect_status 0 "$h5swim" kernel test --json wind_speed
"$python" -c 'import json, sys; assert json.load(open(sys.argv[1]))["passed"] is True' "$tmp/out"

# Words that the kernel prints are none of the report.
sed 's/(void)state;/(void)state; puts("here I am");/; s/#include/#include <stdio.h>\n&/' "$support/kernels/pair.c" > talks.c
expect_status 0 "$h5swim" kernel test talks.c
if grep -q 'here I am' "$tmp/out"; then fail "words of the kernel are in the report"; fi
passed "reports"

# What cannot be tested.
refused 2 'mistakes: parameters without a default: give --set mistake=\.\.\. --set level=\.\.\.$' "$support/kernels/mistakes.c"
refused 2 'parameters without a default: give --set level=\.\.\.$' "$support/kernels/mistakes.c" --set mistake=none
refused 2 '^h5swim: --set level=11: parameter "level" of kernel mistakes: "11" is not between 0 and 9' "$support/kernels/mistakes.c" --set mistake=none --set level=11
refused 2 '^h5swim: --set levels=1: kernel mistakes has no parameter "levels"; did you mean "level"\?' "$support/kernels/mistakes.c" --set mistake=none --set level=1 --set levels=1
refused 2 '--set wants NAME=VALUE, not level;' wind_speed --set level
refused 2 '--shape wants sizes above 0, as in 4,11,37, not 3,0;' wind_speed --shape 3,0
refused 2 '--shape wants sizes with commas between, not 3x4;' wind_speed --shape 3x4
refused 2 'outputs of such data are too large: give a smaller --shape' wind_speed --shape 30000,30000
refused 2 '--type wants i8 \.\.\. u64, f32 or f64, not text;' wind_speed --type text
refused 2 '--timeout wants seconds, .*, not soon;' wind_speed --timeout soon
refused 2 'option --jason: there is no such option; did you mean "--json"\?' wind_speed --jason
refused 2 'it takes one FILE\.c, FILE\.so or NAME;'
refused 1 'unknown kernel "wind_sped"; did you mean "wind_speed"\?' wind_sped
refused 1 'there is no|no such file|No such file' nothing.c
sed 's/SWIM_KERNEL_MAP/(enum swim_kernel_kind)6/' "$support/kernels/pair.c" > other.c
refused 1 'unknown kind 6' other.c
passed "what cannot be tested is refused"

# No process is left: neither of a kernel that was ended, nor when the command is killed.
no_process || fail "a process is left: $(run_pids)"
"$h5swim" kernel test "$support/kernels/mistakes.c" --set mistake=loops --set level=1 --timeout 600 > "$tmp/out" 2>&1 &
pid=$!
runs_kernel() { [ -n "$(below "$pid")" ]; }
await runs_kernel
kill -KILL "$pid"
wait "$pid" || true
await no_process
passed "no process is left"
