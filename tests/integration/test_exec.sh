#!/usr/bin/env bash
# h5swim exec with a C program that knows HDF5 alone: which files become transactions and
# which are left alone, what is refused, how programs end.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/execlib.sh
. "$(dirname "$0")/../support/execlib.sh"

# --- the command
expect_status 2 "$h5swim" exec
expect_line 'exec: which command'
expect_status 2 "$h5swim" exec --wait soon -- true
expect_line '--wait soon: it is not a number of seconds'
expect_status 2 "$h5swim" exec --sync maybe -- true
expect_line 'neither commit nor none'
expect_status 2 "$h5swim" exec --wiat 3 -- true
expect_line 'did you mean "--wait"'
expect_status 127 "$h5swim" exec -- no-such-program
expect_line 'exec: run no-such-program: there is no such command'
expect_status 127 "$h5swim" exec -- ./no-such-program
expect_line 'No such file'
expect_status 126 "$h5swim" exec -- /etc/passwd
expect_line 'Permission denied'
expect_status 126 "$h5swim" exec -- /etc
expect_line 'is a directory'
expect_status 5 "$h5swim" exec -- sh -c 'exit 5'
expect_status 143 "$h5swim" exec -- sh -c 'kill -TERM $$'
# shellcheck disable=SC2016 # for the shell that is run
show_preload='printf "%s\n" "$LD_PRELOAD"'
# shellcheck disable=SC2016
expect_status 0 "$h5swim" exec --wait 7 --sync none --redis unix:///x -- sh -c \
    'printf "%s %s %s\n" "$SWIM_WAIT" "$SWIM_SYNC" "$SWIM_REDIS_URL"'
expect_line '^7 none unix:///x$' "$tmp/out"
LD_PRELOAD=libm.so.6 expect_status 0 "$h5swim" exec -- sh -c "$show_preload"
expect_line 'libh5swim-preload.so:libm.so.6$' "$tmp/out"
expect_status 0 "$h5swim" exec -- "$h5swim" exec -- sh -c "$show_preload"
expect_line '^[^:]*libh5swim-preload.so$' "$tmp/out"
expect_status 0 "$h5swim" exec -- redis-server --version # takes much thread-local storage
passed "options, environment and exit statuses"

cmake --install "$SWIM_BUILD" --prefix "$tmp/prefix" >/dev/null
expect_status 0 "$tmp/prefix/bin/h5swim" exec -- "$steps" create=installed.h5 put=1 close
expect_status 0 "$tmp/prefix/bin/h5swim" exec -- sh -c "$show_preload"
expect_line "^$(realpath "$tmp")/prefix/lib/libh5swim-preload.so\$" "$tmp/out"
mv "$tmp/prefix/lib/libh5swim-audit.so" "$tmp/prefix/audit"
expect_status 126 "$tmp/prefix/bin/h5swim" exec -- true
expect_line 'find libh5swim-audit.so beside'
mkdir "$tmp/with blank"
mv "$tmp/prefix/audit" "$tmp/prefix/lib/libh5swim-audit.so"
mv "$tmp/prefix" "$tmp/with blank"
expect_status 126 "$tmp/with blank/prefix/bin/h5swim" exec -- true
expect_line 'no blanks and colons'
rm -r "$tmp/with blank"
passed "it finds what it preloads where it is installed"

printf 'int main(void) { return 0; }\n' >empty.c
cc -static -o static empty.c
expect_status 126 "$h5swim" exec -- ./static
expect_line 'statically linked'
printf '#!%s/static\n' "$PWD" >script
chmod +x script
expect_status 126 "$h5swim" exec -- ./script
expect_line 'statically linked'
cc -o other empty.c
printf '\xb7\0' | dd of=other bs=1 seek=18 conv=notrunc status=none # e_machine: AArch64
expect_status 126 "$h5swim" exec -- ./other
expect_line 'another architecture'
if [ "$(id -u)" -eq 0 ]; then
    cp /bin/true setuid
    chown 65534 setuid
    chmod 4755 setuid
    expect_status 126 "$h5swim" exec -- ./setuid
    expect_line 'other rights than yours'
fi
passed "programs that nothing can be loaded into are refused"

# --- which files
expect_status 0 swim "$steps" create=a.h5 put=1 driver close read=a.h5 get close
expect_output 'driver=sec2' 'x=1'
[ -z "$(ls a.h5.* 2>/dev/null)" ] || fail "something lies beside a.h5"
for pid in $(server_pids); do
    ! grep -q libh5swim- "/proc/$pid/maps" || fail "the lock server has loaded $(grep libh5swim- "/proc/$pid/maps")"
done
expect_status 0 swim "$steps" core=c.h5 driver close
expect_output 'driver=core'
[ ! -e c.h5 ] || fail "the core driver wrote"
expect_status 0 swim "$steps" create=new.h5 put=3 read=new.h5
expect_status 1 swim "$steps" read=none.h5
grep -q 'errno = 2,' "$tmp/out" || fail "a missing file: $(cat "$tmp/out")"
mkfifo pipe
for what in pipe . none/new.h5; do
    plain_and_exec_agree "$steps" "create=$what"
done
for what in . none.h5; do
    plain_and_exec_agree "$steps" "open=$what"
done
expect_status 0 swim "$steps" swmr=a.h5 close
expect_line 'SWMR mode, so without h5swim'
passed "files of HDF5's usual driver are taken, and no others"

hold open=a.h5 put=2
expect_status 0 swim "$steps" read=a.h5 get close
expect_output 'x=1'
expect_status 1 swim --wait 1 "$steps" open=a.h5
grep -q "UPDATE held by .*job hdf5_steps" "$tmp/out" || fail "$(cat "$tmp/out")"
expect_status 1 swim --wait 0 "$steps" open=a.h5
"$h5swim" exec -- "$steps" open=a.h5 get put=3 close >"$tmp/second" 2>&1 &
second=$!
let_go
wait "$second" || fail "the second writer: $(cat "$tmp/second")"
expect_status 0 "$steps" read=a.h5 get
expect_output 'x=3'
grep -q 'x=2' "$tmp/second" || fail "it did not wait for the first: $(cat "$tmp/second")"
passed "a reader sees no half-made state, a second writer waits or is told"

mkfifo plain_writer
: >up
"$python" -c 'import h5py, sys
f = h5py.File("swmr.h5", "w", libver="latest")
f["x"] = 1
f.swmr_mode = True
print("up", flush=True)
sys.stdin.readline()' <plain_writer >up &
swmr_writer=$!
exec 8>plain_writer
await grep -q up up
expect_status 1 swim "$steps" read=swmr.h5
expect_line 'writes to it in HDF5.s SWMR mode'
exec 8>&-
wait "$swmr_writer"
passed "a file of a plain SWMR writer is told"

# --- external raw data
expect_status 1 swim "$steps" create=ext.h5 external=raw.bin close
grep -q 'external=raw.bin failed: create a dataset with values in external' "$tmp/out" ||
    fail "$(cat "$tmp/out")"
expect_status 0 "$steps" create=ext.h5 external=raw.bin write-external close
expect_status 0 swim "$steps" read=ext.h5 open-external close
expect_line 'warning: .*external files'
sum=$(cksum <raw.bin)
expect_status 1 swim "$steps" open=ext.h5 open-external write-external close
grep -q 'write-external failed: write to a dataset with values in external' "$tmp/out" ||
    fail "$(cat "$tmp/out")"
[ "$sum" = "$(cksum <raw.bin)" ] || fail "external data were written"
passed "external raw data are not written, and reading them is warned of"

# --- ends
expect_status 0 swim "$steps" create=big.h5 put=1 close
cp big.h5 before.h5
expect_status 1 swim bash -c 'trap "" XFSZ; ulimit -f 16; exec "$@"' - \
    "$steps" open=big.h5 groups=500 close say=on
grep -q '^close failed: .*File too large' "$tmp/out" || fail "$(cat "$tmp/out")"
grep -qx on "$tmp/out" || fail "it did not go on"
expect_status 0 "$steps" read=big.h5 get
expect_status 0 h5dump big.h5
mv "$tmp/out" after
expect_status 0 h5dump before.h5
cmp <(sed 1d after) <(sed 1d "$tmp/out") || fail "half of it was committed"
passed "a close that cannot commit fails, and the program lives"

# Its memory, too, has to be given back: a busy host may take longer, but not each time.
for _ in 1 2 3 4 5; do
    rm -f chunk.h5* "$tmp/chunk"
    cp big.h5 chunk.h5
    "$h5swim" exec -- "$steps" open=chunk.h5 chunk close >"$tmp/chunk" 2>&1 &
    victim=$!
    await grep -qs 'chunk begins' "$tmp/chunk"
    began=$(date +%s%N)
    kill -TERM "$victim"
    got=0
    wait "$victim" || got=$?
    took=$((($(date +%s%N) - began) / 1000000))
    [ "$got" -eq 143 ] || fail "status $got after SIGTERM: $(cat "$tmp/chunk")"
    [ "$took" -ge 1000 ] || break
done
[ "$took" -lt 1000 ] || fail "gone after $took ms"
# It was given back, not found with a dead holder.
lock_is_free() { ! "$h5swim" locks chunk.h5 | grep -q UPDATE; }
for _ in $(seq 50); do
    if lock_is_free; then break; fi
    sleep 0.02
done
lock_is_free || fail "it is still locked: $("$h5swim" locks chunk.h5)"
began=$(date +%s%N)
expect_status 0 swim --wait 5 "$steps" open=chunk.h5 get close
expect_output 'x=1'
[ $((($(date +%s%N) - began) / 1000000)) -lt 4000 ] || fail "the lock was not free"
expect_status 0 h5dump -A chunk.h5
! grep -q '"chunk"' "$tmp/out" || fail "the chunk is there"
passed "SIGTERM in a write of 256 MiB: gone after $took ms, old state, lock free"

# Ctrl-C at a program that does not handle it; bash has it ignored in the background.
mkfifo "$tmp/never"
env --default-signal=INT "$h5swim" exec -- "$steps" open=chunk.h5 put=2 say=held wait \
    <>"$tmp/never" >"$tmp/said" 2>&1 &
victim=$!
await grep -qx held "$tmp/said"
kill -INT "$victim"
expect_status 130 wait "$victim"
for _ in $(seq 50); do
    if lock_is_free; then break; fi
    sleep 0.02
done
lock_is_free || fail "it is still locked: $("$h5swim" locks chunk.h5)"
expect_status 0 swim "$steps" open=chunk.h5 get close
expect_output 'x=1'
passed "SIGINT: old state, lock free"

# --- an HDF5 that the program brings along
printf 'long H5Fopen(void) { return -1; }\nint H5open(void) { return 0; }\n' >own.c
cc -shared -fPIC -Wl,-soname,libhdf5-0a1b.so.103 -o libhdf5-0a1b.so.103 own.c
printf '#include <dlfcn.h>\n#include <stdio.h>\nint main(int n, char **v) { (void)n;
if (!dlopen(v[1], RTLD_NOW | (v[2] ? RTLD_DEEPBIND : 0))) return 3;
puts("loaded"); return 0; }\n' >loader.c
cc -o loader loader.c
expect_status 0 ./loader ./libhdf5-0a1b.so.103
for how in '' deep; do
    # shellcheck disable=SC2086 # none or one
    expect_status 126 swim ./loader ./libhdf5-0a1b.so.103 $how
    expect_line 'brings its own HDF5, ./libhdf5-0a1b.so.103, .*it is ended'
done
expect_status 0 swim --allow-own-hdf5 ./loader ./libhdf5-0a1b.so.103
expect_line 'brings its own HDF5, .*not protected$'
printf 'long H5Fopen(void);\nint main(void) { return H5Fopen() != -1; }\n' >linked.c
cc -o linked linked.c ./libhdf5-0a1b.so.103
LD_LIBRARY_PATH=$PWD expect_status 126 swim ./linked
expect_line 'brings its own HDF5'
cc -rdynamic -o inside linked.c own.c
expect_status 126 swim ./inside
expect_line 'in the program itself'
passed "a program with an HDF5 of its own is ended, or told"

# --- one that stands before HDF5 and calls it, as tracers do
cat >tracer.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
int64_t H5Fopen(const char *name, unsigned flags, int64_t fapl)
{
    int64_t (*next)(const char *, unsigned, int64_t) = dlsym(RTLD_NEXT, "H5Fopen");
    fprintf(stderr, "traced: %s\n", name);
    return next(name, flags, fapl);
}
C
for hash in gnu sysv; do
    cc -shared -fPIC -Wl,--hash-style=$hash -o tracer.so tracer.c
    expect_status 0 swim "$steps" create=traced.h5 put=1 close
    hold open=traced.h5 put=2
    LD_PRELOAD=$PWD/tracer.so expect_status 0 swim "$steps" read=traced.h5 get close
    expect_output x=1
    expect_line '^traced: traced.h5$'
    let_go
done
passed "a tracer that wraps HDF5 is none, and the file is locked"
