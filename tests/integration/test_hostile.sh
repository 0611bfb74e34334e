#!/usr/bin/env bash
# In a folder where anybody may make files, what somebody has put in the place of a
# journal, or of a file that is to be made, is neither believed nor followed nor waited
# for: readers, writers, check and recover say so, and nothing changes but what recover
# is told to put aside.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/execlib.sh
. "$(dirname "$0")/../support/execlib.sh"

mkdir -m 1777 place
cd place
swim "$steps" create=f.h5 put=7 close >"$tmp/out"
echo "of somebody else" >victim
touch -d 2001-01-01 victim

print_victim() { stat -c '%i %h %a %U %Y %s' victim && cat victim; }
print_victim >"$tmp/victim"

# tricked NAME COMMAND...: COMMAND makes f.h5NAME.
tricked() {
    local name=f.h5$1 step
    shift
    "$@"
    sha256sum f.h5 >"$tmp/file"
    for step in read=f.h5 open=f.h5; do
        expect_status 1 swim --wait 5 "$steps" "$step"
        expect_line "^${step%=*}=f.h5 failed: open .*/$name: it .*no journal to be believed" \
            "$tmp/out"
    done
    expect_status 5 swim_timed check f.h5
    expect_status 5 swim_timed recover f.h5
    sha256sum -c --status "$tmp/file" || fail "$*: the file has changed"
    expect_status 0 swim_timed recover f.h5 --discard
    if [ -e "$name" ] || [ -L "$name" ]; then fail "$*: it is still there"; fi
    swim "$steps" read=f.h5 get close >"$tmp/out"
    expect_output x=7
    rm -rf "$name.discarded"
    print_victim | cmp - "$tmp/victim" || fail "$*: the victim has changed"
    passed "$*"
}

swim_timed() { timeout 60 "$h5swim" "$@"; }

tricked .swimlog ln -s victim f.h5.swimlog
tricked .swimlog ln -s nothing f.h5.swimlog
tricked .swimlog mkfifo f.h5.swimlog
tricked .swimlog mkdir f.h5.swimlog
if [ "$(id -u)" -eq 0 ]; then
    tricked .swimlog mknod f.h5.swimlog c 1 3
    of_another() { head -c 500 /dev/zero >f.h5.swimlog && chown 65534 f.h5.swimlog; }
    tricked .swimlog of_another
    # It may be what somebody else has committed: nobody is told to remove it.
    of_another
    expect_status 1 swim "$steps" read=f.h5
    expect_line 'it is of user 65534, .*may have committed something: let that one open' "$tmp/out"
    expect_status 5 swim_timed recover f.h5 --apply
    expect_line 'is of another user, who may have committed something in it: let that one run this'
    [ -s f.h5.swimlog ] || fail "it was taken away"
    rm f.h5.swimlog
fi
[ ! -e nothing ] || fail "a link was followed"

# A second name of the victim counts as one until it is gone.
ln victim f.h5.swimlog
print_victim >"$tmp/linked"
expect_status 1 swim "$steps" open=f.h5
expect_line 'it has other names \(hard links\), so it is no journal' "$tmp/out"
expect_status 5 swim_timed check f.h5
print_victim | cmp - "$tmp/linked" || fail "a hard link was written to"
rm f.h5.swimlog

# Links under the names of files that are made on the way.
for what in victim nothing; do
    ln -s $what f.h5.swimnew
    expect_status 1 swim "$steps" create=f.h5
    expect_line '/f.h5.swimnew: a symbolic link is there, which is not followed' "$tmp/out"
    rm f.h5.swimnew
    ln -s $what f.h5.swimlog.new
    expect_status 0 swim "$steps" open=f.h5 put=7 close
    [ ! -L f.h5.swimlog.new ] || fail "a link under the name of a new journal stays"
done
print_victim | cmp - "$tmp/victim" || fail "a link was followed"
[ ! -e nothing ] || fail "a link was followed"
swim "$steps" read=f.h5 get close >"$tmp/out"
expect_output x=7
passed "links under the names of files that are made on the way"
