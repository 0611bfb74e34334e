# shellcheck shell=bash
# jobstore.sh - a job with a row of in.h5:U in each block, of NAP_MS (20) each until there
# is the file "go", and two outputs in out.h5: Y, twice U, and Z, U plus one; and programs
# beside it.  With GATHER=N no block is done before N readers have one each.  Sourced after
# testlib.sh.
: "${tmp:?source testlib.sh first}" "${h5swim:?}" "${python:?}"

job_store_files() {
    "$python" - <<'PY'
import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    f.create_dataset("U", data=np.zeros((120, 64), dtype="f4"), chunks=(4, 64))
PY
    cat > pair.c <<'C'
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <h5swim/kernel.h>
static size_t gathered(void)
{
    glob_t found;
    const size_t n = glob("gather.*", 0, NULL, &found) ? 0 : found.gl_pathc;
    globfree(&found);
    return n;
}
static void gather(size_t wanted)
{
    const struct timespec nap = {0, 10000000};
    char name[32];
    snprintf(name, sizeof(name), "gather.%d", (int)getpid());
    close(open(name, O_CREAT | O_WRONLY, 0600));
    while (gathered() < wanted)
        nanosleep(&nap, NULL);
}
static int apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    const long all = getenv("NAP_MS") ? atol(getenv("NAP_MS")) : 20;
    const float *u = b->inputs[0]->data;
    (void)state;
    (void)err;
    if (getenv("GATHER"))
        gather((size_t)atol(getenv("GATHER")));
    for (long ms = all; ms > 0 && access("go", F_OK) != 0; ms -= 20) {
        const struct timespec nap = {0, (ms < 20 ? ms : 20) * 1000000};
        nanosleep(&nap, NULL);
    }
    for (uint64_t i = 0; i < b->inputs[0]->count; i++) {
        ((float *)b->outputs[0]->data)[i] = 2 * u[i];
        ((float *)b->outputs[1]->data)[i] = u[i] + 1;
    }
    return SWIM_OK;
}
static const struct swim_port in[] = {{.name = "u", .type = SWIM_TYPE_F32}};
static const struct swim_port out[] = {{.name = "y", .type = SWIM_TYPE_F32},
                                       {.name = "z", .type = SWIM_TYPE_F32}};
SWIM_KERNEL_DEFINE(.name = "pair", .kind = SWIM_KERNEL_MAP, .n_inputs = 1, .n_outputs = 2,
                   .inputs = in, .outputs = out, .apply = apply);
C
    cat > pair.yaml <<'YAML'
kernel: pair.c
inputs: {u: {file: in.h5, dataset: U}}
outputs:
  y: {file: out.h5, dataset: Y, fill: -1, chunks: [1, 64]}
  z: {file: out.h5, dataset: Z, fill: -1, chunks: [1, 64]}
block: [1, 64]
YAML
    echo 0 >commits
    "$h5swim" run pair.yaml --dry-run >/dev/null # compiles the kernel
}

# Until there is a file "enough": all of U is n, in the nth commit, whose number goes to
# the file "commits".
input_writer() {
    "$h5swim" exec -- "$python" - <<'PY'
import h5py, os
n = 0
while not os.path.exists("enough"):
    n += 1
    with h5py.File("in.h5", "r+") as f:
        f["U"][:] = n
        f.require_dataset(f"more/{n % 7}", (500,), "i4")[:] = n
        if n % 7 == 3:
            del f["more"]
    with open("commits.new", "w") as f:
        print(n, file=f)
    os.rename("commits.new", "commits")
PY
}

# one_state FILE: the outputs are those of one n, and finished.
one_state() {
    "$python" - "$1" <<'PY' || fail "the result is not that of one state of the input"
import h5py, sys
f = h5py.File(sys.argv[1], "r")
n = f["Z"][0, 0] - 1
assert n >= 0 and (f["Y"][:] == 2 * n).all() and (f["Z"][:] == n + 1).all(), sorted(set(f["Z"][:, 0]))
assert "h5swim_unfinished" not in f["Y"].attrs and "h5swim_unfinished" not in f["Z"].attrs
PY
}

# Opens out.h5 again and again until it is finished by a new job; how many states it saw
# goes to the file "states".  Once it reads there is a file "reading".
output_reader() {
    "$h5swim" exec -- "$python" - <<'PY'
import h5py, time
states, running, until = set(), False, time.time() + 60
while time.time() < until:
    with h5py.File("out.h5", "r") as f:
        open("reading", "w").close()
        y, z = f["Y"][:], f["Z"][:]
        marks = ["h5swim_unfinished" in f[d].attrs for d in "YZ"]
    running = running or marks[0]
    if not running:
        continue
    assert marks[0] == marks[1], marks
    done = (y != -1).sum(1)
    assert set(done) <= {0, 64}, done
    assert ((y != -1) == (z != -1)).all(), "one output of a block without the other"
    states.add(int(done.sum()) // 64)
    if not marks[0]:
        assert (done == 64).all()
        break
else:
    raise SystemExit("the job did not come to its end")
with open("states", "w") as f:
    print(len(states), file=f)
PY
}

# Opens out.h5 when it is new, and reads it again and again until there is "enough".
reader_stays() {
    "$h5swim" exec -- "$python" - <<'PY'
import h5py, os, time
while True:
    f = h5py.File("out.h5", "r")
    if "h5swim_unfinished" in f["Y"].attrs:
        break
    f.close()
first = f["Y"][:], f["Z"][:]
while not os.path.exists("enough"):
    for d, was in zip("YZ", first):
        assert (f[d][:] == was).all()
    assert "h5swim_unfinished" in f["Y"].attrs
    time.sleep(0.01)
PY
}
