#!/usr/bin/env bash
# The lock server goes away and comes back in the middle of a job, or the disk or a quota is
# full: the job waits and goes on, or stops with one line and can be resumed.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/jobstore.sh
. "$(dirname "$0")/../support/jobstore.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_LEASE_MS=8000 NAP_MS=20
socket=$tmp/redis.sock

redis_start() { # its data, if any, are in $tmp
    redis-server --port 0 --unixsocket "$socket" --dir "$tmp" --save '' --appendonly no \
        --daemonize yes --pidfile "$tmp/redis.pid" --logfile "$tmp/redis.log" >/dev/null
    await answers
}
answers() { redis-cli -s "$socket" ping 2>/dev/null | grep -q PONG; }
redis_stop() { # save or nosave
    redis-cli -s "$socket" shutdown "$1" >/dev/null 2>&1 || true
}
on_exit 'redis_stop nosave'
on_exit "umount '$tmp/work/full' '$tmp/work/quota' 2>/dev/null"
redis_start
export SWIM_REDIS_URL=unix://$socket
job_store_files

# outage NAME COMMAND...: what happens while the job is at it; $status is the job's.
outage() {
    local name=$1 job
    shift
    rm -f out.h5*
    "$h5swim" run pair.yaml -n 2 --readers 1 --quiet 2>err &
    job=$!
    await test -e out.h5.swimlog
    sleep 0.2
    kill -0 $job || fail "$name: the job is over too early for this test: $(cat err)"
    "$@"
    status=0
    wait $job || status=$?
}
come_back() { # SAVE SECONDS
    redis_stop "$1"
    sleep "$2"
    redis_start
}
goes_on() { # NAME COMMAND...
    outage "$@"
    [ $status = 0 ] || fail "$1: status $status: $(cat err)"
    one_state out.h5
    passed "$1: the job goes on"
}
goes_on "the lock server is started again without its data" come_back nosave 0.3
goes_on "the lock server is started again with its data" come_back save 0.3
rm -f "$tmp/dump.rdb"
flush() { redis-cli -s "$socket" flushall >/dev/null; }
goes_on "the lock server's data are flushed" flush

SWIM_LEASE_MS=1500
outage "gone" come_back nosave 4
[ $status = 1 ] || fail "status $status after the lock server was gone for longer than the lease: $(cat err)"
[ "$(grep -c '^h5swim: ' err)" = 1 ] || fail "not one line: $(cat err)"
grep -qE '^h5swim: .*lock.*[0-9]+ of 120 blocks are done, --resume goes on' err || fail "no word of --resume: $(cat err)"
expect_status 0 "$h5swim" run pair.yaml --resume --quiet
one_state out.h5
passed "the lock server is gone for longer than the lease: $(grep '^h5swim: ' err)"

# Whenever something is put on the disk the lock server is started again: also while the
# output is being finished, when a server that is new cannot tell whether others have it open.
cat >slow_disk.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>
int fdatasync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    int told = open("syncing", O_CREAT | O_WRONLY, 0600);
    if (told >= 0)
        close(told);
    usleep(300000);
    return real(fd);
}
C
cc -shared -fPIC -o slow_disk.so slow_disk.c -ldl
rm -f out.h5* syncing
NAP_MS=0 LD_PRELOAD=$PWD/slow_disk.so "$h5swim" run pair.yaml -n 1 --readers 1 --quiet --set 'block=[120, 64]' \
    --set 'outputs.y.chunks=[120, 64]' --set 'outputs.z.chunks=[120, 64]' 2>err &
job=$!
restarts=0
while kill -0 $job 2>/dev/null; do
    if [ -e syncing ]; then
        rm syncing
        come_back nosave 0
        restarts=$((restarts + 1))
    fi
    sleep 0.02
done
wait $job || fail "the job: $(cat err)"
[ $restarts -ge 4 ] || fail "the server was started again $restarts times alone"
[ ! -e out.h5.swimlog ] || fail "the result is in a journal yet"
one_state out.h5
passed "the lock server is started again $restarts times, also at the end: the result is in the file itself"

# The private lock server is killed when the result is in its file, and nobody starts it
# again: what remains to be done is done all the same.
cat >kill_late.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#define PARTIALS "sum.h5.h5swim-partials"
static int is_copied; /* in this process, once there are partial results */
static int is_named(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    return strcmp(slash ? slash + 1 : path, name) == 0;
}
int unlink(const char *path)
{
    int (*real)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");
    if (is_named(path, "sum.h5.swimlog") && access(PARTIALS, F_OK) == 0)
        is_copied = 1;
    return real(path);
}
int open(const char *path, int flags, ...)
{
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    va_list more;
    va_start(more, flags);
    int mode = flags & O_CREAT ? va_arg(more, int) : 0;
    va_end(more);
    if (is_copied && is_named(path, PARTIALS)) {
        close(real("copied", O_CREAT | O_WRONLY, 0600));
        while (access("killed", F_OK) != 0)
            usleep(1000);
    }
    return real(path, flags, mode);
}
C
cc -shared -fPIC -o kill_late.so kill_late.c -ldl
cat >sum.yaml <<YAML
kernel: $support/kernels/breaks_sum.c
inputs: {u: {file: in.h5, dataset: U}}
outputs: {y: {file: sum.h5, dataset: Y}}
block: [6, 16]
YAML
env -u SWIM_REDIS_URL "$h5swim" run sum.yaml --quiet
mv sum.h5 sum_want.h5
(
    unset SWIM_REDIS_URL
    LD_PRELOAD=$PWD/kill_late.so exec "$h5swim" run sum.yaml --quiet 2>err
) &
job=$!
await test -e copied
! h5dump -A sum.h5 | grep -q h5swim_unfinished || fail "the result is not finished yet"
# shellcheck disable=SC2046 # a list of numbers
kill -KILL $(server_pids)
touch killed
wait $job || fail "the job: $(cat err)"
[ "$(echo sum.h5*)" = sum.h5 ] || fail "left beside the result: $(echo sum.h5*) ($(cat err))"
! grep '^h5swim: ' err || fail "it complains"
diff <(h5dump -d Y sum_want.h5 | tail -n +2) <(h5dump -d Y sum.h5 | tail -n +2) || fail "the result is another"
passed "the private lock server is killed when the result is there: nothing is left beside it"

# full NAME DIR MESSAGE ROOM...: there is no room for the output in DIR until ROOM makes it.
full() {
    local name=$1 dir=$2 message=$3 big
    shift 3
    big=(pair.yaml --quiet --set inputs.u.file=big.h5 --set 'outputs.y.chunks=[1, 16384]' --set 'block=[1, 16384]'
        --set 'outputs.z.chunks=[1, 16384]' --set "outputs.y.file=$dir/out.h5" --set "outputs.z.file=$dir/out.h5")
    NAP_MS=1 expect_status 1 "$h5swim" run "${big[@]}" -n 2
    expect_line "out.h5(.swimlog)?: $message; [0-9]+ of 64 blocks are done, --resume goes on"
    passed "$name: $(cat "$tmp/err")"
    NAP_MS=1 expect_status 1 "$h5swim" run "${big[@]}" --resume
    "$@"
    NAP_MS=1 expect_status 0 "$h5swim" run "${big[@]}" -n 2 --resume
    "$python" - "$dir/out.h5" <<'PY' || fail "$name: the result after room was made"
import h5py, numpy as np, sys
u, f = h5py.File("big.h5")["U"][:], h5py.File(sys.argv[1])
assert np.array_equal(f["Y"][:], 2 * u) and np.array_equal(f["Z"][:], u + 1) and len(f["Y"].attrs) >= 2
PY
    passed "$name: with room it goes on to the right result"
}
"$python" - <<'PY'
import h5py, numpy as np
with h5py.File("big.h5", "w") as f:
    f.create_dataset("U", data=np.random.default_rng(3).random((64, 16384), dtype="f4"), chunks=(1, 16384))
PY
mkdir full
if mount -t tmpfs -o size=3m tmpfs full 2>"$tmp/err"; then
    full "disk full" full 'No space left on device' mount -o remount,size=32m full
else
    echo "***** NOT TESTED: a full disk, no tmpfs can be mounted here ($(cat "$tmp/err")) *****"
fi
# Of the file systems with quotas btrfs is the one that most kernels have all of.
with_quota() {
    mkdir quota && truncate -s 300M quota.img && mkfs.btrfs -q quota.img && mount -o loop quota.img quota &&
        btrfs quota enable quota && btrfs subvolume create quota/mine && btrfs qgroup limit 3M quota/mine
}
if with_quota >"$tmp/out" 2>"$tmp/err"; then
    full "quota" quota/mine 'Disk quota exceeded' btrfs qgroup limit 64M quota/mine
else
    echo "***** NOT TESTED: a quota, no btrfs can be mounted here ($(tail -n 1 "$tmp/err")) *****"
fi
