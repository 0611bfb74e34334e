#!/usr/bin/env bash
# h5swim check and h5swim recover: what is said of a file, and what is made of it.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"

leave_journal=$SWIM_BUILD/tests/leave_journal
mkdir "$tmp/work"
cd "$tmp/work"

# make_file: a.h5 of 20,000 doubles, 0 to 19,999, alone in the folder; $place of the first.
make_file() {
    rm -rf -- * .[!.]*
    place=$("$python" -c 'import h5py, numpy
with h5py.File("a.h5", "w", libver="latest") as f:
    d = f.create_dataset("values", data=numpy.arange(20000.))
    print(d.id.get_offset())')
    size=$(stat -c %s a.h5)
}
# values FILE: those that are not as they were made, as PLACE:VALUE.
values() {
    "$python" -c 'import h5py, sys
with h5py.File(sys.argv[1], "r") as f:
    v = f["values"][:]
print(*("%d:%g" % (i, x) for i, x in enumerate(v) if x != i))' "$1"
}
# json PYTHON: statements over the output of the last --json, in d.
json() {
    "$python" -c 'import json, sys
d = json.load(open(sys.argv[1], encoding="utf-8"))
exec(sys.argv[2])' "$tmp/out" "$1" || { cat "$tmp/out" >&2; fail "--json: $1"; }
}
# All that is in the folder, with the times of everything; what is in the files, which
# counts as an access.
times() { find . -printf '%p %y %s %m %n %i %T@ %C@ %A@\n' | sort; }
sums() { find . -type f -exec sha256sum {} + | sort; }
# check STATUS HEADLINE: the command says so, and nothing has changed, also for --json
# and for recover without a decision.
check() {
    local before after name
    before=$(sums)
    find . -type f -exec touch -a -d '2001-01-01' {} +
    before="$(times) $before"
    expect_status "$1" "$h5swim" check a.h5 --json
    name=$2
    json "assert d['schema'] == 1 and d['verdict'] == '${name%%:*}'
assert (d['why'] is None) == (d['verdict'] in ('clean', 'recoverable'))
assert d['file'] == '$PWD/a.h5'"
    cp "$tmp/out" "$tmp/json"
    expect_status "$1" "$h5swim" recover a.h5
    cp "$tmp/out" "$tmp/plan"
    expect_status "$1" "$h5swim" check a.h5
    after="$(times) $(sums)"
    [ "$before" = "$after" ] || fail "check changed something: $(diff <(echo "$before") <(echo "$after"))"
    head -n 1 "$tmp/out" | grep -qE -- "^$2" || fail "not \"$2\": $(cat "$tmp/out")"
    [ ! -s "$tmp/err" ] || fail "on stderr: $(cat "$tmp/err")"
    ! sed 1d "$tmp/out" | grep -vqE '^  [^ ]' || fail "facts are not indented: $(cat "$tmp/out")"
    cp "$tmp/json" "$tmp/out"
}
# says PATTERN: a fact of the last check.
says() {
    "$h5swim" check a.h5 >"$tmp/facts" || true
    grep -qE -- "$1" "$tmp/facts" || fail "not said: $1: $(cat "$tmp/facts")"
}
poke() { printf '%s' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }
left_beside() { find . -type f ! -name a.h5 | sort | tr '\n' ' '; }

for command in check recover; do
    expect_status 0 "$h5swim" $command --help
    grep -q "^Usage: h5swim $command FILE" "$tmp/out" || fail "$command --help"
    if [ "$(wc -l <"$tmp/out")" -gt 40 ] || [ "$(wc -L <"$tmp/out")" -gt 80 ]; then
        fail "$command --help does not fit a screen"
    fi
    expect_status 2 "$h5swim" $command
    expect_line "^h5swim $command: name a file \(see"
    expect_status 2 "$h5swim" $command a b
    expect_line "^h5swim $command: name one file"
    expect_status 2 "$h5swim" $command a --jsn
    expect_line "^h5swim $command: option --jsn: there is no such option"
    expect_status 1 "$h5swim" $command none.h5
    expect_line "^h5swim $command: look at .*/work/none.h5: No such file or directory"
    echo text >text.h5
    expect_status 1 "$h5swim" $command text.h5
    expect_line "text.h5: it is no HDF5 file"
    expect_status 1 "$h5swim" $command .
    expect_line "it is not a regular file"
    mkfifo pipe.h5
    expect_status 1 timeout 20 "$h5swim" $command pipe.h5
    expect_line "it is not a regular file"
    rm pipe.h5
done
expect_status 2 "$h5swim" recover a --apply --discard
expect_line "^h5swim recover: --apply and --discard are one or the other"
for wait in x 1x '' -1; do
    expect_status 2 "$h5swim" recover a --apply --wait "$wait"
    expect_line "^h5swim recover: --wait $wait: it is no number of seconds"
done
expect_status 1 "$h5swim" recover text.h5 --apply
expect_line "it is no HDF5 file"
make_file
"$h5swim" check a.h5 >/dev/full 2>"$tmp/err" && fail "a full disk is not noticed"
expect_line 'write what was found: it failed'
passed "wrong use is told in a line"

make_file
check 0 'clean: .*/work/a.h5$'
json 'assert d["journal"] is None and d["beside"] == [] and d["writer"] is None
assert d["superblock"]["state"] == "whole" and d["bytes"] == d["committed_bytes"]'
says 'HDF5 +it has a superblock of version 3 that is whole'
ln -s a.h5 link.h5
expect_status 0 "$h5swim" check link.h5
grep -q "^clean: $PWD/a.h5" "$tmp/out" || fail "a link is not followed"
rm link.h5
"$leave_journal" a.h5 0 "$place"
check 0 clean:
json 'assert d["journal"]["state"] == "empty" and d["journal"]["commits"] == 0
assert d["uncommitted_bytes"] == 10 and d["journal"]["uncommitted_bytes"] > 0'
says 'tail +10 bytes at the end of the file belong to no commit'
says 'journal .*a.h5.swimlog, .*nothing is committed in it; the next writer removes it'
make_file
truncate -s -1 a.h5
check 5 'damaged: .*it is cut off: it has [0-9]+ of the [0-9]+ bytes'
make_file
poke a.h5 30 x
check 5 'damaged: .*the checksum of its superblock is wrong'
make_file
touch a.h5.swimnew
check 0 clean:
json 'assert d["beside"] == [d["file"] + ".swimnew"]'
says 'beside +.*a.h5.swimnew$'
passed "clean and damaged files are told apart, and nothing changes"

make_file
"$leave_journal" a.h5 3 "$place"
check 0 'recoverable: .*/a.h5: 3 commits in its journal'
json "j = d['journal']
assert j['state'] == 'valid' and j['commits'] == j['number'] == 3 and not j['copying']
assert abs(j['when_ns'] / 1e9 - $(date +%s)) < 300 and j['fence'] == 1
assert j['covered_bytes'] == 24 and d['committed_bytes'] == $size + 24
assert d['apply']['possible'] and d['discard']['possible']"
says 'commits +3 up to number 3, which cover 24 (B|bytes) in 3 places'
grep -qE '^  --apply +copies what is committed' "$tmp/plan" || fail "no plan: $(cat "$tmp/plan")"
grep -qE '^  --discard +makes the file anew' "$tmp/plan" || fail "no plan: $(cat "$tmp/plan")"
if [ "$(id -u)" = 0 ]; then
    chmod 755 "$tmp" . && chmod 555 . && chmod 644 a.h5*
    expect_status 0 setpriv --reuid=65534 --regid=65534 --clear-groups "$h5swim" check a.h5
    grep -q '^recoverable: ' "$tmp/out" || fail "others may look: $(cat "$tmp/out")"
    chmod 755 .
fi
[ -z "$(ls "$SWIM_SERVER_DIR")" ] || fail "a lock server was started to look at"
passed "a journal is told of, without a lock server and to those who may only read"

# hold_file COMMITS: a live writer has a.h5.
hold_file() {
    coproc WRITER { exec "$leave_journal" a.h5 "$1" "$place" hold; }
    # shellcheck disable=SC2153 # coproc sets it
    writer_pid=$WRITER_PID
    read -r -t 10 word <&"${WRITER[0]}" || fail "no writer"
    [ "$word" = held ] || fail "the writer says $word"
}
end_writer() {
    local fd=${WRITER[1]}
    exec {fd}>&-
    wait "$writer_pid" || fail "the writer ended with $?"
}
make_file
hold_file 2
check 0 'recoverable: .*2 commits'
json "assert d['writer'] == {'pid': $writer_pid, 'alone': True}"
says "writer +process $writer_pid is writing in a session"
for what in apply discard; do
    expect_status 4 "$h5swim" recover a.h5 --$what --wait 1
    expect_line "recover .*a.h5: another program has it open \(process $writer_pid; let it end\)"
done
end_writer
hold a.h5 read
expect_status 4 "$h5swim" recover a.h5 --apply --wait 0
expect_line "$(hostname):$holder_pid"
let_go
expect_status 1 "$h5swim" recover a.h5 --apply --redis "unix://$tmp/no.sock"
expect_line "no.sock"
[ "$(left_beside)" = "./a.h5.swimlog " ] || fail "left: $(left_beside)"
passed "a live holder is named, and not disturbed"

expect_status 0 "$h5swim" recover a.h5 --apply
grep -qE '^recover --apply copies what is committed' "$tmp/out" || fail "$(cat "$tmp/out")"
grep -qE '^clean: ' "$tmp/out" || fail "no verdict: $(cat "$tmp/out")"
[ "$(values a.h5)" = "0:-1 512:-2" ] || fail "values: $(values a.h5)"
[ "$(left_beside)" = "" ] || fail "left: $(left_beside)"
expect_status 0 "$h5swim" recover a.h5 --apply -q
[ ! -s "$tmp/out" ] || fail "--quiet says: $(cat "$tmp/out")"
make_file
"$leave_journal" a.h5 2 "$place"
expect_status 0 "$h5swim" recover a.h5 --discard
[ "$(values a.h5) $(stat -c %s a.h5)" = " $size" ] || fail "values: $(values a.h5)"
[ "$(left_beside)" = "./a.h5.swimlog.discarded ./a.h5.swimsaved " ] || fail "left: $(left_beside)"
check 0 clean:
make_file
"$leave_journal" a.h5 0 "$place"
expect_status 0 "$h5swim" recover a.h5 --apply
[ "$(values a.h5)$(left_beside) $(stat -c %s a.h5)" = " $size" ] || fail "not tidied up"
passed "what a killed writer left is applied or given up"

foreign() {
    make_file
    "$leave_journal" a.h5 "$1" "$place"
    HDF5_USE_FILE_LOCKING=FALSE "$python" -c 'import h5py
with h5py.File("a.h5", "r+") as f:
    f["values"][7] = -70
    f["values"][513] = -71
    f["other"] = 5'
}
foreign 2
check 5 'foreign: .*the first 4096 bytes of the file, .*were changed from outside'
json 'assert d["changed_from_outside"]'
says '^  --apply +makes the file anew'
says 'HDF5 +the file itself, without its journal, has a superblock'
was=$(sha256sum <a.h5)
expect_status 0 "$h5swim" recover a.h5 --discard
[ "$(sha256sum <a.h5)" = "$was" ] || fail "the file is not left as it is"
[ "$(values a.h5)" = "7:-70 513:-71" ] || fail "values: $(values a.h5)"
[ "$(left_beside)" = "./a.h5.swimlog.discarded " ] || fail "left: $(left_beside)"
check 0 clean:
json 'assert d["beside"] == [d["file"] + ".swimlog.discarded"]'
foreign 2
was=$(sha256sum <a.h5)
log=$(sha256sum <a.h5.swimlog)
expect_status 0 "$h5swim" recover a.h5 --apply
[ "$(values a.h5)" = "0:-1 7:-70 512:-2 513:-71" ] || fail "values: $(values a.h5)"
[ "$(sha256sum <a.h5.swimsaved)" = "$was" ] || fail "the file is not kept"
[ "$(sha256sum <a.h5.swimlog.discarded)" = "$log" ] || fail "the journal is not kept"
check 0 clean:
rm a.h5.swimlog.discarded
"$leave_journal" a.h5 1 "$((place + 80))"
poke a.h5 "$((place + 82))" x
check 5 'foreign: '
expect_status 1 "$h5swim" recover a.h5 --apply
expect_line 'a.h5.swimsaved is there from before and would be lost \(move it'
foreign 0
check 5 foreign:
expect_status 5 "$h5swim" recover a.h5 --apply
expect_line 'nothing that is committed .* can be read, so there is nothing to apply'
make_file
"$leave_journal" a.h5 1 "$place"
cp a.h5 b && mv b a.h5
check 5 'foreign: .*another file has taken the name'
make_file
"$leave_journal" a.h5 2 "$place"
cp a.h5 copy.h5
cp a.h5.swimlog copy.h5.swimlog
expect_status 1 "$h5swim" exec -- h5dump copy.h5
grep -q 'copy.h5.swimlog is the journal of another file, .* which this is a copy of (see' "$tmp/err"
expect_status 0 "$h5swim" recover copy.h5 --apply
[ "$(values copy.h5)" = "0:-1 512:-2" ] || fail "values: $(values copy.h5)"
rm copy.h5*
passed "a file that others changed is recovered as decided, and nothing is lost"

make_file
"$leave_journal" a.h5 3 "$place"
poke a.h5.swimlog 350 x # in the second commit's frame
check 5 'damaged: .*commits up to number 3 came after it'
json 'j = d["journal"]
assert j["state"] == "broken" and j["commits"] == 1 and j["lost_up_to"] == 3
assert j["readable_bytes"] <= j["broken_at"] <= 350'
says 'readable +[0-9]+ bytes of the journal, up to commit 1$'
# Who opens it is told, and the last who leaves does not tidy it up.
before=$(sums)
expect_status 1 "$h5swim" exec -- h5dump a.h5
grep -q 'a.h5: its journal is damaged at byte [0-9]*, and commits up to number 3' "$tmp/err" ||
    fail "a reader: $(cat "$tmp/err")"
expect_status 1 "$h5swim" exec -- "$python" -c 'import h5py; h5py.File("a.h5", "r+")'
grep -q 'its journal is damaged at byte .*h5swim recover' "$tmp/err" || fail "a writer: $(cat "$tmp/err")"
expect_status 5 "$h5swim" view a.h5
expect_line 'its journal is damaged at byte'
[ "$(sums)" = "$before" ] || fail "a damaged journal has changed"
expect_status 0 "$h5swim" recover a.h5 --apply
[ "$(values a.h5)" = "0:-1" ] || fail "values: $(values a.h5)"
[ "$(left_beside)" = "./a.h5.swimlog.discarded ./a.h5.swimsaved " ] || fail "left: $(left_beside)"
make_file
"$leave_journal" a.h5 3 "$place"
poke a.h5.swimlog 20 x
check 5 'damaged: .*its header is damaged'
expect_status 5 "$h5swim" recover a.h5 --apply
expect_line 'there is nothing to apply'
expect_status 0 "$h5swim" recover a.h5 --discard
[ "$(values a.h5)" = "" ] || fail "values: $(values a.h5)"
make_file
truncate -s -1 a.h5
expect_status 5 "$h5swim" recover a.h5 --apply
expect_line 'a.h5 is damaged: it is cut off'
passed "of a damaged journal what can be read is applied"
