#!/usr/bin/env bash
# h5swim kernel new: what it writes compiles without a word, is formatted as this tree,
# passes its own test at once, and runs; nothing is overwritten.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache H5SWIM=$h5swim
for tool in h5import h5dump; do
    command -v "$tool" > /dev/null || fail "hdf5-tools are missing: no $tool"
done

# The longest name there may be moves no line of the format.
long=a$(printf '%063d' 0)
kinds=(map stencil reduce window filter)
for kind in "${kinds[@]}"; do
    for name in "my_$kind" k "$long"; do
        mkdir "$kind-$name"
        expect_status 0 "$h5swim" kernel new "$name" --kind "$kind" --dir "$kind-$name"
        [ ! -s "$tmp/err" ] || fail "words on stderr"
        (
            cd "$kind-$name"
            [ "$(echo *)" = "$name.c $name.yaml ${name}_test.sh" ] || fail "other files: $(echo *)"
            if grep -n '@[A-Z]*@' -- *; then fail "a place was not filled in"; fi
            for cc in gcc clang; do
                "$cc" -std=c11 -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
                    -Wvla -Werror -I"$SWIM_SOURCE/framework/include" -fsyntax-only "$name.c"
            done
            clang-format --style="file:$SWIM_SOURCE/.clang-format" --dry-run -Werror "$name.c"
            shellcheck -x "${name}_test.sh"
        )
    done
    passed "$kind: files"
done

# Its test, from another folder; and the job by hand, as its comments say.
for kind in "${kinds[@]}"; do
    expect_status 0 "./$kind-my_$kind/my_${kind}_test.sh"
    grep -qx "my_$kind: passed" "$tmp/out" || fail "the kernel was not tested alone"
    grep -qx "my_$kind: kernel and job are well" "$tmp/out" || fail "the job was not tested"
    (
        cd "$kind-my_$kind"
        "$python" -c 'import h5py, numpy as np
h5py.File("input.h5", "w")["X"] = 10 * np.random.default_rng(3).random((20, 30), dtype="f4")'
        expect_status 0 "$h5swim" run "my_$kind.yaml" --dry-run
        expect_status 0 "$h5swim" run "my_$kind.yaml" -n 2 --quiet
    )
    passed "$kind: test and job"
done
"$python" - <<'PY'
import h5py, numpy as np
def of(kind, name): return h5py.File(f"{kind}-my_{kind}/my_{kind}.h5")[name][:]
def x(kind): return h5py.File(f"{kind}-my_{kind}/input.h5")["X"][:].astype("f8")
assert np.allclose(of("map", "Y"), 2 * x("map") + 1, rtol=1e-6)
p = np.pad(x("stencil"), ((0, 0), (1, 1)), mode="edge")
assert np.allclose(of("stencil", "Y"), (p[:, :-2] + p[:, 1:-1] + p[:, 2:]) / 3, rtol=1e-6)
assert np.allclose(of("reduce", "MEAN"), x("reduce").mean(0), rtol=1e-6)
methods = h5py.File("reduce-my_reduce/my_reduce.h5")["MEAN"].attrs["cell_methods"]
assert methods in ("dim_0: mean", b"dim_0: mean"), methods
w = x("window")
assert np.allclose(of("window", "Y"), (w[1:] + w[:-1]) / 2, rtol=1e-6)
f = x("filter").astype("f4")
place = of("filter", "PLACE")
assert np.array_equal(of("filter", "VALUE"), f[tuple(place.T)])
assert np.array_equal(place[np.lexsort(place.T[::-1])], np.argwhere(f > 8))
PY
expect_status 0 "$h5swim" kernel test stencil-my_stencil/my_stencil.c --set reach=3
expect_status 0 "$h5swim" kernel test stencil-my_stencil/my_stencil.c --set reach=0 --shape 1
expect_status 0 "$h5swim" kernel test window-my_window/my_window.c --set length=5
expect_status 0 "$h5swim" kernel test window-my_window/my_window.c --set length=1 --shape 1
expect_status 0 "$h5swim" kernel test filter-my_filter/my_filter.c --set limit=-30 --shape 40
passed "results"

# The test notices when the kernel is another.
for kind in "${kinds[@]}"; do
    cp -r "$kind-my_$kind" "spoilt-$kind"
done
sed -i 's/s->plus)/s->plus + 1)/' spoilt-map/my_map.c
sed -i 's/sum \/ n/sum/' spoilt-stencil/my_stencil.c
sed -i 's/parts\[i\].n += more/parts[i].n = more/' spoilt-reduce/my_reduce.c
sed -i 's/k < s->length; k/k + 1 < s->length; k/' spoilt-window/my_window.c
sed -i 's/in->offset\[d\] + //' spoilt-filter/my_filter.c
expect_status 1 ./spoilt-map/my_map_test.sh
grep -q '^it should be      3 5 7' "$tmp/out" || fail "the job's results were not compared"
expect_status 1 ./spoilt-stencil/my_stencil_test.sh
grep -q '^it should be      1.33333 3 4' "$tmp/out" || fail "the job's results were not compared"
expect_status 1 ./spoilt-reduce/my_reduce_test.sh
grep -q '^WRONG  merge' "$tmp/out" || fail "the kernel alone was not tested"
expect_status 1 ./spoilt-window/my_window_test.sh
grep -q '^it should be      3 4 5' "$tmp/out" || fail "the job's results were not compared"
expect_status 1 ./spoilt-filter/my_filter_test.sh
grep -q '^WRONG  cuts' "$tmp/out" || fail "the kernel alone was not tested"
sed -i 's/> s->limit/>= s->limit/' filter-my_filter/my_filter.c
expect_status 1 ./filter-my_filter/my_filter_test.sh
grep -qx 'in output value' "$tmp/out" || fail "another output"
sed -i 's/>= s->limit/> s->limit/' filter-my_filter/my_filter.c
sed -i 's/PLACE 0 3/PLACE 0 2/' filter-my_filter/my_filter_test.sh
expect_status 1 ./filter-my_filter/my_filter_test.sh
grep -qx 'in output place' "$tmp/out" || fail "the second output was not compared"
passed "the tests notice"

# With a second input in kernel and job, the test wants a line for it, and no more.
cp -r map-my_map two
cd two
sed -i 's/+ s->plus/+ s->plus + (double)z[i]/
    s/^    float \*y = .*/    const float *z = block->inputs[1]->data;\n&/
    s/^    {"x", .*/&\n    {"z", SWIM_TYPE_F32, "=x", "more"},/' my_map.c
sed -i 's/^  x: .*/&\n  z: {file: other.h5, dataset: any}/' my_map.yaml
sed -i "s/^inputs='.*[0-9]/&\nz g\/Z 3,4 0 0 0 0 0 0 0 0 0 0 0 5/; s/ 25'/ 30'/" my_map_test.sh
expect_status 0 ./my_map_test.sh
grep -qx "my_map: kernel and job are well" "$tmp/out" || fail "the job was not tested: $(cat "$tmp/out")"
cd ..
passed "two inputs"

# Without HDF5's tools the kernel alone is tested, and that is said.
mkdir bare
for program in bash cat dirname gcc cc ld as; do ln -s "$(command -v "$program")" bare; done
expect_status 0 env PATH="$tmp/work/bare" ./map-my_map/my_map_test.sh
grep -q '^the job was not tested: that wants h5import and h5dump' "$tmp/out" || fail "it does not say what it left out"
expect_status 0 "$h5swim" kernel new here
if [ ! -f here.c ] || [ ! -x here_test.sh ] || [ -x here.c ]; then fail "not written here, as they should be"; fi
grep -q SWIM_KERNEL_MAP here.c || fail "without --kind it is no map"

# refused STATUS PATTERN OPTION...: and nothing is changed.
everything() { find . ! -type d -printf '%p %s %T@\n' -o -printf '%p\n' | sort; }
refused() {
    local status=$1 pattern=$2
    shift 2
    everything > "$tmp/before"
    expect_status "$status" "$h5swim" kernel new "$@"
    expect_line "$pattern"
    everything | cmp -s - "$tmp/before" || fail "something was changed: kernel new $*"
}
for file in taken.c taken.yaml taken_test.sh; do
    mkdir "with-$file"
    echo mine > "with-$file/$file"
    refused 1 "make with-$file/$file: it exists; nothing was written: take another name, or another --dir" taken --dir "with-$file"
done
mkdir dangling
ln -s nowhere dangling/taken.c
refused 1 'make dangling/taken.c: it exists' taken --dir dangling
for name in Wind 2wind _wind wind-speed 'wind speed' '' ../wind "a${long}" wïnd; do
    refused 2 'is no name of a kernel: small letters, digits and _, beginning with a letter, 64 at most' "$name"
done
refused 1 'make nowhere/wind.c: No such file or directory' wind --dir nowhere
refused 1 'make here.c/wind.c: Not a directory' wind --dir here.c
refused 1 'make /proc/wind.c: ' wind --dir /proc
refused 2 '--kind wants map, stencil, reduce, window or filter, not filters;' wind --kind filters
refused 2 'option --kinds: there is no such option; did you mean "--kind"\?' wind --kinds map
refused 2 'it takes one NAME;'
refused 2 'it takes one NAME;' one two
passed "what cannot be written is refused"

# A file that cannot be written whole is not left: the disk is full.
mkdir full
if mount -t tmpfs -o size=4k,nr_inodes=10 none full 2> /dev/null; then
    on_exit "umount '$tmp/work/full'"
    expect_status 1 "$h5swim" kernel new wind --dir full
    expect_line '^h5swim: write full/wind.*: No space left on device$'
    [ -z "$(ls full)" ] || fail "parts are left: $(ls full)"
    passed "a full disk"
fi
expect_status 0 "$h5swim" kernel new --help
expect_status 0 "$h5swim" kernel test --help
expect_status 2 "$h5swim" kernel news
expect_line 'list, info, new or test, not news'
