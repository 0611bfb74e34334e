#!/usr/bin/env bash
# What cmake --install puts in place serves users outside: command, kernels, library by
# pkg-config and by the CMake package, a kernel built against the installed headers.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

# Put in place for a prefix, below another root, as packages are made, and then moved away.
DESTDIR=$tmp/root cmake --install "$SWIM_BUILD" --prefix /opt/h5swim >/dev/null
[ "$(ls "$tmp/root")" = opt ] || fail "DESTDIR holds more than the prefix: $(ls "$tmp/root")"
mv "$tmp/root/opt/h5swim" "$tmp/prefix"
if grep -rlF -e "$SWIM_BUILD" -e "$SWIM_SOURCE/" -e "$tmp" "$tmp/prefix" >"$tmp/out"; then
    fail "these name where they were built: $(cat "$tmp/out")"
fi
# shellcheck disable=SC2016 # for sh, and for grep
find "$tmp/prefix" -type f -exec sh -c 'readelf -d "$@" 2>/dev/null' sh {} + |
    grep -E 'R(UN)?PATH' | grep -vE '\[\$ORIGIN(/[.][.])*\]' >"$tmp/out" &&
    fail "libraries are looked for elsewhere: $(cat "$tmp/out")"
passed "what is installed may be anywhere"

mkdir "$tmp/outside"
cd "$tmp/outside"
export SWIM_CACHE_DIR=$tmp/cache
cp "$support/bin/hold_lock.c" "$support/bin/instrument.c" \
    "$SWIM_SOURCE/tests/examples/object_transaction.c" .
sed 's/"wind_speed"/"outside"/' "$SWIM_SOURCE/kernels/wind_speed.c" >outside.c
touch locked

PKG_CONFIG_PATH=$tmp/prefix/lib/pkgconfig
export PKG_CONFIG_PATH
# by_pkg_config PROGRAM: locks, or objects and transactions.
by_pkg_config() {
    # shellcheck disable=SC2046 # a list of flags
    cc -o "$1" "$1.c" $(pkg-config --cflags --libs h5swim) -Wl,-rpath,"$tmp/prefix/lib"
}
by_pkg_config hold_lock
expect_status 0 ./hold_lock locked read </dev/null
grep -qx held "$tmp/out" || fail "the program of pkg-config did not get its lock"
by_pkg_config object_transaction
expect_status 0 ./object_transaction accounts.h5 /one /two 5
[ "$(pkg-config --variable=kerneldir h5swim)" -ef "$tmp/prefix/lib/h5swim/kernels" ] ||
    fail "kerneldir of h5swim.pc leads elsewhere"
[ "$(pkg-config --modversion h5swim)" = "$("$h5swim" --version | grep -oE '[0-9]+[.][0-9.]+' | head -n 1)" ] ||
    fail "h5swim.pc is of version $(pkg-config --modversion h5swim)"

cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.20)
project(elsewhere C)
find_package(h5swim 0.1 REQUIRED)
add_executable(by_cmake hold_lock.c)
target_link_libraries(by_cmake h5swim::h5swim)
add_executable(instrument instrument.c)
target_link_libraries(instrument h5swim::h5swim)
h5swim_add_kernel(outside outside.c)
if(NOT EXISTS ${H5SWIM_KERNEL_DIR}/slope.so)
    message(FATAL_ERROR "no kernels in ${H5SWIM_KERNEL_DIR}")
endif()
END
cmake -S . -B build -DCMAKE_PREFIX_PATH="$tmp/prefix" >/dev/null
cmake --build build >/dev/null
expect_status 0 build/by_cmake locked read </dev/null
"$python" -c 'import h5py
h5py.File("rows.h5", "w").create_dataset("U", (0, 3), "f4", maxshape=(None, 3), chunks=(1, 3))'
expect_status 0 build/instrument rows.h5 4 0 end # h5swim/store.h and HDF5
"$python" -c 'import h5py
assert h5py.File("rows.h5")["U"].shape == (4, 3)'
passed "programs outside are built by pkg-config and by CMake"

# The installed command finds its kernels and compiles others, away from the build tree.
command=$tmp/prefix/bin/h5swim
expect_status 0 "$command" kernel list
for kernel in "$SWIM_BUILD"/lib/h5swim/kernels/*.so; do
    grep -qE "^$(basename "$kernel" .so) +[a-z]+ " "$tmp/out" || fail "not in the list: $kernel"
done
expect_status 0 "$command" kernel info slope
grep -qE 'radius +real +6371000 +m ' "$tmp/out" || fail "kernel info does not show the radius"
expect_status 0 "$command" kernel info "$SWIM_SOURCE/kernels/wind_speed.c" --json
"$python" -c 'import json, sys
k = json.load(open(sys.argv[1]))
assert k["kind"] == "map" and [i["name"] for i in k["inputs"]] == ["u", "v"], k' "$tmp/out"
expect_status 2 "$command" kernel info wind_sped
expect_line 'wind_speed'
"$python" -c 'import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    f["U"], f["V"] = np.full((3, 3), 3, "f4"), np.full((3, 3), 4, "f4")'
printf '%s\n' 'inputs: {u: {file: in.h5, dataset: U}, v: {file: in.h5, dataset: V}}' \
    'outputs: {speed: {file: out.h5, dataset: S}}' 'kernel: none' >job.yaml
for kernel in "$SWIM_SOURCE/kernels/wind_speed.c" wind_speed "$PWD/build/outside.so"; do
    expect_status 0 "$command" run job.yaml --quiet --overwrite --set kernel="$kernel"
    "$command" exec -- "$python" -c 'import h5py
assert (h5py.File("out.h5")["S"][:] == 5).all()' || fail "$kernel"
done
SWIM_KERNEL_PATH=$PWD/build expect_status 0 "$command" kernel info outside
passed "the installed command finds kernels, and makes others"

# A missing library is named together with its package.
if PKG_CONFIG_LIBDIR=/nonexistent PKG_CONFIG_PATH='' cmake -S "$SWIM_SOURCE" -B none >"$tmp/out" 2>&1; then
    fail "configured without libraries"
fi
tr -s '\n ' ' ' <"$tmp/out" | grep -q 'not found by pkg-config: install it with apt install libhdf5-dev' ||
    fail "no word on what to install: $(cat "$tmp/out")"
