#!/usr/bin/env bash
# The store on ext4 and tmpfs; a disk that gets full, one that is read-only; folders and
# files that may only be read.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"
# shellcheck source=tests/support/execlib.sh
. "$(dirname "$0")/../support/execlib.sh"

actor=$SWIM_BUILD/tests/store_actor
programs=(journal overlay txn txn_quiet txn_rewrite txn_snapshot txn_takeover verdict
    recover vfd store store_forms store_large store_links object object_dataset)

# not_tested WHAT: said so that nobody misses it.
not_tested() { printf '***** NOT TESTED: %s *****\n' "$*" | tee /dev/stderr; }

# mount_ext4 MB DIR: a file system of that size in a file.
mount_ext4() {
    mkdir "$2"
    truncate -s "$1M" "$2.img"
    if ! mkfs.ext4 -q -F -m 0 "$2.img" || ! mount -o loop "$2.img" "$2" 2>"$tmp/err"; then
        return 1
    fi
    on_exit "umount -l '$PWD/$2'"
}

# run_programs DIR: those of the tests that make files, in that folder.
run_programs() {
    local program
    for program in "${programs[@]}"; do
        TMPDIR=$1 timeout 200 "$SWIM_BUILD/tests/test_$program" >"$tmp/program" 2>&1 ||
            fail "$program on $(stat -f -c %T "$1"): $(cat "$tmp/program")"
    done
    [ -z "$(ls "$1")" ] || fail "left there: $(ls "$1")"
}

ext4=no
if mount_ext4 300 big; then ext4=yes; fi
if [ $ext4 = yes ]; then
    mkdir big/tests
    run_programs "$PWD/big/tests"
    passed "the tests of the store on ext4"
else
    not_tested "ext4, a full disk and a read-only one: no loop mount here ($(cat "$tmp/err"))"
fi
if [ "$(stat -f -c %T /dev/shm)" = tmpfs ]; then
    shm=$(mktemp -d /dev/shm/h5swim-test.XXXXXX)
    on_exit "rm -rf '$shm'"
    run_programs "$shm"
    passed "the tests of the store on tmpfs"
else
    not_tested "tmpfs: /dev/shm is none"
fi

# --- a disk that gets full
cat >set.py <<'PY'
import sys
import h5py
name, value = sys.argv[1], int(sys.argv[2])
n = 100000
with h5py.File(name, "a") as f:
    if "x" not in f:
        f.create_dataset("x", (n,), "i4")
        f.create_dataset("grown", (0,), "i4", maxshape=(None,), chunks=(1024,))
    f["x"][:] = value
    f["grown"].resize(len(f["grown"]) + n, 0)
    f["grown"][-n:] = value
    f.attrs["value"] = value
PY
cat >show.py <<'PY'
import sys
import h5py
with h5py.File(sys.argv[1]) as f:
    value = f.attrs["value"]
    assert (f["x"][:] == value).all()
    assert len(f["grown"]) % 100000 == 0 and (f["grown"][-100000:] == value).all()
    print(value)
PY
# A write with that many KiB left, of which it needs some 1200.
write_with_left() {
    local left=$1 free status=0 is
    free=$(df --output=avail -k full | tail -1)
    fallocate -l "$((free > left ? free - left : 0))K" full/filler
    timeout 60 "$h5swim" exec -- "$python" set.py full/a.h5 $((value + 1)) >"$tmp/write" 2>&1 || status=$?
    [ $status -eq 0 ] || grep -qE 'No space left|can.t (write|close)|[Uu]nable to' "$tmp/write" ||
        fail "with $left KiB: $(cat "$tmp/write")"
    "$h5swim" check full/a.h5 >"$tmp/check" || fail "with $left KiB: $(cat "$tmp/check")"
    is=$(swim "$python" show.py full/a.h5) || fail "with $left KiB it cannot be read"
    rm full/filler
    [ "$is" = "$(swim "$python" show.py full/a.h5)" ] || fail "with $left KiB it changes"
    [ "$is" = "$value" ] || [ "$is" = $((value + 1)) ] || fail "it is $is"
    [ $status -ne 0 ] || [ "$is" = $((value + 1)) ] || fail "with $left KiB it is lost"
    [ "$(echo full/a.h5.*)" = 'full/a.h5.*' ] || fail "left: $(echo full/a.h5.*)"
    [ "$("$python" show.py full/a.h5)" = "$is" ] || fail "HDF5 sees something else"
    if [ "$status" -eq 0 ]; then done_=$((done_ + 1)); else failed=$((failed + 1)); fi
    value=$is
}
if [ $ext4 = yes ]; then
    mount_ext4 16 full || fail "a second mount: $(cat "$tmp/err")"
    value=1 done_=0 failed=0
    swim "$python" set.py full/a.h5 $value
    for left in 0 4 8 40 200 390 400 420 600 790 800 820 1000 1200 1300 1600 3000; do
        write_with_left $left
    done
    if [ $done_ -lt 1 ] || [ $failed -lt 8 ]; then fail "$done_ writes, $failed failed"; fi
    free=$(df --output=avail -k full | tail -1)
    fallocate -l "$((free - 100))K" full/filler
    expect_status 1 swim "$python" set.py full/new.h5 1
    grep -q 'No space left' "$tmp/err" || fail "a new file: $(cat "$tmp/err")"
    rm full/filler
    [ "$(echo full/new*)" = 'full/new*' ] || fail "left: $(echo full/new*)"
    passed "on a full disk $failed of $((failed + done_)) writes fail, and the file is old or new"
fi

# --- a disk that is read-only
# A file whose journal was settled, "clean.h5", and one whose was not, "a.h5": 1 is in
# the file, 2 in the journal.
make_pair() {
    (
        cd "$1"
        printf '%s\n' create 'put 1' close | "$actor" clean.h5
        printf '%s\n' create 'put 1' close 'open w' 'put 2' commit die | "$actor" a.h5
    ) >"$tmp/made" || true
    ! grep -q failed "$tmp/made" || fail "$(cat "$tmp/made")"
    [ -e "$1/a.h5.swimlog" ] || fail "no journal"
}
first_x='import h5py, sys
print(*[h5py.File(n)["x"][0] for n in sys.argv[1:]])'
all_of() { find "$1" -printf '%p %y %s %m %i %T@ %C@\n' | sort; }
if [ $ext4 = yes ]; then
    make_pair full
    mount -o remount,ro full
    was=$(all_of full)
    expect_status 0 swim "$python" -c "$first_x" full/clean.h5 full/a.h5
    expect_output '1 2'
    [ ! -s "$tmp/err" ] || fail "a reader complains: $(cat "$tmp/err")"
    expect_status 0 "$h5swim" check full/a.h5
    expect_status 1 "$h5swim" recover full/a.h5 --apply
    expect_line 'full/a.h5.*: Read-only file system'
    for name in clean a; do
        printf '%s\n' 'open w' | "$actor" full/$name.h5 >"$tmp/out" 2>&1
        expect_status 1 swim "$python" -c 'import h5py, sys
h5py.File(sys.argv[1], "r+")' full/$name.h5
        grep -qE 'Read-only file system|read only' "$tmp/err" || fail "$(cat "$tmp/err")"
    done
    expect_status 1 swim "$python" set.py full/new.h5 1
    grep -qE 'Read-only file system' "$tmp/err" || fail "$(cat "$tmp/err")"
    [ "$was" = "$(all_of full)" ] || fail "something changed"
    passed "on a read-only ext4 readers see what is committed, and writers are told"
fi

# --- what another user may only read
if [ "$(id -u)" -ne 0 ]; then
    not_tested "folders and files of others: not root"
    exit 0
fi
chmod 755 "$tmp" "$tmp/work"
start_redis "$tmp/redis.sock" --unixsocketperm 777
export SWIM_REDIS_URL=unix://$tmp/redis.sock
nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups -- timeout 60 "$@"; }

mkdir readable
make_pair readable
chmod 444 readable/*
chmod 555 readable
was=$(all_of readable)
expect_status 0 nobody "$h5swim" exec "$python" -c "$first_x" readable/clean.h5 readable/a.h5
expect_output '1 2'
[ ! -s "$tmp/err" ] || fail "a reader complains: $(cat "$tmp/err")"
expect_status 0 nobody "$h5swim" check readable/a.h5
for name in clean a none; do
    expect_status 1 nobody "$h5swim" exec "$python" set.py readable/$name.h5 1
    grep -q 'Permission denied' "$tmp/err" || fail "$(cat "$tmp/err")"
done
expect_status 1 nobody "$h5swim" recover readable/a.h5 --apply
expect_line 'Permission denied'
[ "$was" = "$(all_of readable)" ] || fail "something changed"
passed "readers of a read-only folder see what is committed and create nothing"

# The file may be written to, the folder not: there is no place for a journal.
mkdir writable
make_pair writable
rm writable/a.h5*
chmod 666 writable/clean.h5
was=$(all_of writable)
printf '%s\n' 'open w' 'put 5' close | nobody "$actor" writable/clean.h5 >"$tmp/out" 2>"$tmp/err"
expect_line 'create .*/clean.h5.swimlog: Permission denied; .*is lost'
expect_status 1 nobody "$h5swim" exec "$python" set.py writable/clean.h5 5
grep -q 'clean.h5.swimlog: Permission denied' "$tmp/err" || fail "$(cat "$tmp/err")"
[ "$was" = "$(all_of writable)" ] || fail "something changed"
passed "without a place for a journal nothing is written, and the line says so"

# A journal that may not be read hides nothing silently.
make_pair "$(mkdir -m 755 hidden && echo hidden)"
chmod 600 hidden/a.h5.swimlog
expect_status 1 nobody "$h5swim" exec "$python" -c "$first_x" hidden/a.h5
grep -q 'open .*/hidden/a.h5.swimlog: Permission denied' "$tmp/err" || fail "$(cat "$tmp/err")"
passed "a journal that may not be read is no reason to show an old state"
