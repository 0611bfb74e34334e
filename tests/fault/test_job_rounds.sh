#!/usr/bin/env bash
# A process of a job - reader, writer, spawner, rank, driver or mpirun, lock server - is
# killed at a random moment, and the job resumed, until it is done: the result is the
# same to the last bit as that of a job that nobody disturbed, and nothing is left.
# SWIM_ROUNDS jobs (30, with SWIM_LONG=1 1000); SWIM_SEED repeats a run.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

rounds=30
if [ "${SWIM_LONG:-}" = 1 ]; then rounds=1000; fi
rounds=${SWIM_ROUNDS:-$rounds}
seed=${SWIM_SEED:-$((EPOCHSECONDS % 32768))}
RANDOM=$seed
echo "SWIM_SEED=$seed"
mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_SERVER_IDLE_S=20 SWIM_LEASE_MS=2000 NAP_MS=0
"$python" - <<'PY'
import h5py, numpy as np
u = np.random.default_rng(5).random((60, 256), dtype="f4")
with h5py.File("in.h5", "w") as f:
    f.create_dataset("U", data=u, chunks=(1, 64))
PY
cat >pair.c <<'C'
#include <stdlib.h>
#include <unistd.h>
#include <h5swim/kernel.h>
static int apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    const float *u = b->inputs[0]->data;
    const char *ms = getenv("NAP_MS");
    (void)state;
    (void)err;
    usleep((useconds_t)atoi(ms ? ms : "0") * 1000);
    for (uint64_t i = 0; i < b->inputs[0]->count; i++) {
        ((float *)b->outputs[0]->data)[i] = u[i] / 3;
        ((float *)b->outputs[1]->data)[i] = u[i] * u[i];
    }
    return SWIM_OK;
}
static const struct swim_port in[] = {{.name = "u", .type = SWIM_TYPE_F32}};
static const struct swim_port out[] = {{.name = "y", .type = SWIM_TYPE_F32},
                                       {.name = "z", .type = SWIM_TYPE_F32}};
SWIM_KERNEL_DEFINE(.name = "pair", .kind = SWIM_KERNEL_MAP, .n_inputs = 1, .n_outputs = 2,
                   .inputs = in, .outputs = out, .apply = apply);
C
cat >map.yaml <<'YAML'
kernel: pair.c
inputs: {u: {file: in.h5, dataset: U}}
outputs: {y: {file: map.h5, dataset: Y}, z: {file: map2.h5, dataset: Z}}
block: [1, 256]
YAML
cat >sum.yaml <<YAML
kernel: $support/kernels/breaks_sum.c
inputs: {u: {file: in.h5, dataset: U}}
outputs: {y: {file: sum.h5, dataset: Y}}
block: [6, 64]
YAML
"$h5swim" run map.yaml --quiet
"$h5swim" run sum.yaml --quiet
mkdir want
mv ./*.h5 want
mv want/in.h5 .
same() { # FILE...
    "$python" - "$@" <<'PY' || fail "round $round (seed $seed): the result is not the undisturbed one"
import h5py, numpy as np, sys
for name in sys.argv[1:]:
    f, want = h5py.File(name), h5py.File("want/" + name)
    assert sorted(f) == sorted(want), (name, sorted(f), sorted(want))
    for d in "YZ":
        if d in want:
            a, b = f[d][()], want[d][()]
            assert a.tobytes() == b.tobytes(), (name, d, np.argwhere(a != b)[:, 0], a[a != b])
            assert sorted(f[d].attrs) == sorted(want[d].attrs), (name, list(f[d].attrs))
PY
}

export NAP_MS=15
pick() { # of the arguments
    [ $# -gt 0 ] || return 0
    shift $((RANDOM % $#))
    echo "$1"
}
# victim LAUNCHED ROLE
victim() {
    local rank
    # shellcheck disable=SC2046 # lists of numbers
    rank=$(pick $(below "$1"))
    case $2 in
    launcher) echo "$1" ;;
    rank) echo "$rank" ;;
    server) server_pids | tr ' ' '\n' | sort -n | head -n 1 ;;
    *)
        [ -n "$rank" ] || return 0
        of_rank "$rank" "$2"
        ;;
    esac
}
declare -A killed=()
kill_one() { # LAUNCHED
    local roles=(reader writer spawner rank launcher reader writer rank server) role pid
    role=${roles[$((RANDOM % ${#roles[@]}))]}
    pid=$(victim "$1" "$role") || true
    case $(readlink "/proc/${pid:-0}/exe") in
    */h5swim | */redis-server | */orterun | */prterun) ;;
    *) return 0 ;; # it is over already
    esac
    kill -KILL "$pid" 2>/dev/null || return 0
    killed[$role]=$((${killed[$role]:-0} + 1))
    last=$role
}
launch() {
    case $((RANDOM % 3)) in
    0) "$h5swim" run "$@" ;;
    1) "$h5swim" run "$@" -n 2 --readers 1 ;;
    2) mpirun --oversubscribe -n 2 "$h5swim" run "$@" --readers 1 ;;
    esac
}
# Open MPI's mpirun hangs now and then when it has nobody left (4.1, in the end of PMIx).
free_launcher() { # LAUNCHED
    local alone=0
    while kill -0 "$1" 2>/dev/null; do
        if [ -n "$(run_pids)" ]; then alone=0; else alone=$((alone + 1)); fi
        [ $alone -lt 10 ] || kill -KILL "$1"
        sleep 1
    done
}
runs=0
for ((round = 1; round <= rounds; round++)); do
    job=$(pick map sum)
    rm -f map.h5* map2.h5* sum.h5*
    for ((try = 0; ; try++)); do
        [ $try -lt 20 ] || fail "round $round (seed $seed): $job is not done after 20 runs: $(cat err)"
        kills=$((try < 4 ? 1 + RANDOM % 2 : 0))
        last=none
        runs=$((runs + 1))
        (launch "$job.yaml" --resume --quiet 2>err) &
        sleep 0.05
        launched=$(below $! | head -n 1)
        for ((k = 0; k < kills; k++)); do
            sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
            kill_one "${launched:-0}"
        done
        ended=$!
        free_launcher "$launched" &
        freeing=$!
        status=0
        wait $ended || status=$?
        kill $freeing 2>/dev/null || true
        wait $freeing 2>/dev/null || true
        if [ $status = 0 ] && [ "$last" != launcher ]; then break; fi
        grep -q 'h5swim: ' err || [ "$last" != none ] || fail "round $round (seed $seed): status $status without a word"
    done
    await no_process # ranks go on without their driver
    case $job in map) files=(map.h5 map2.h5) ;; *) files=(sum.h5) ;; esac
    [ "$(echo ./*.h5* | wc -w)" = $((${#files[@]} + 1)) ] || fail "round $round (seed $seed): left beside: $(echo ./*.h5*)"
    same "${files[@]}"
done
passed "$rounds jobs with the same bits, in $runs runs, killed: $(for role in "${!killed[@]}"; do printf '%s %s  ' "$role" "${killed[$role]}"; done)"
"$h5swim" serve stop --force >/dev/null 2>&1 || true # it would wait for others, 20 s
