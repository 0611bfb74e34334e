#!/usr/bin/env bash
# What cmake --install puts in place serves users outside: command, kernels, library by
# pkg-config and by the CMake package, a kernel built against the installed headers.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

cmake --install "$SWIM_BUILD" --prefix "$tmp/prefix" >/dev/null
mkdir "$tmp/outside"
cd "$tmp/outside"
export SWIM_CACHE_DIR=$tmp/cache
cp "$support/bin/hold_lock.c" program.c
touch locked

PKG_CONFIG_PATH=$tmp/prefix/lib/pkgconfig
export PKG_CONFIG_PATH
# shellcheck disable=SC2046 # a list of flags
cc -o by_pkg_config program.c $(pkg-config --cflags --libs h5swim) -Wl,-rpath,"$tmp/prefix/lib"
expect_status 0 ./by_pkg_config locked read </dev/null
grep -qx held "$tmp/out" || fail "the program of pkg-config did not get its lock"
[ "$(pkg-config --variable=kerneldir h5swim)" -ef "$tmp/prefix/lib/h5swim/kernels" ] ||
    fail "kerneldir of h5swim.pc leads elsewhere"

cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.20)
project(outside C)
find_package(h5swim REQUIRED)
add_executable(by_cmake program.c)
target_link_libraries(by_cmake h5swim::h5swim)
END
cmake -S . -B build -DCMAKE_PREFIX_PATH="$tmp/prefix" >/dev/null
cmake --build build >/dev/null
expect_status 0 build/by_cmake locked read </dev/null

# The installed command finds its kernels and compiles others, away from the build tree.
command=$tmp/prefix/bin/h5swim
expect_status 0 "$command" kernel list
for kernel in wind_speed climatology slope; do
    grep -qE "^$kernel +(map|reduce|stencil) " "$tmp/out" || fail "no kernel $kernel in the list"
done
expect_status 0 "$command" kernel info slope
grep -qE 'radius +real +6371000 +m ' "$tmp/out" || fail "kernel info does not show the radius"
expect_status 0 "$command" kernel info "$SWIM_SOURCE/kernels/wind_speed.c" --json
"$python" -c 'import json, sys
k = json.load(open(sys.argv[1]))
assert k["kind"] == "map" and [i["name"] for i in k["inputs"]] == ["u", "v"], k' "$tmp/out"
expect_status 1 "$command" kernel info wind_sped
expect_line 'wind_speed'
"$python" -c 'import h5py, numpy as np
with h5py.File("in.h5", "w") as f:
    f["U"], f["V"] = np.full((3, 3), 3, "f4"), np.full((3, 3), 4, "f4")'
printf 'kernel: %s\ninputs: {u: {file: in.h5, dataset: U}, v: {file: in.h5, dataset: V}}\noutputs: {speed: {file: out.h5, dataset: S}}\n' \
    "$SWIM_SOURCE/kernels/wind_speed.c" >job.yaml
expect_status 0 "$command" run job.yaml --quiet
"$python" -c 'import h5py
assert (h5py.File("out.h5")["S"][:] == 5).all()'

# A missing library is named together with its package.
if PKG_CONFIG_LIBDIR=/nonexistent PKG_CONFIG_PATH='' cmake -S "$SWIM_SOURCE" -B none >"$tmp/out" 2>&1; then
    fail "configured without libraries"
fi
tr -s '\n ' ' ' <"$tmp/out" | grep -q 'not found by pkg-config: install it with apt install libhdf5-dev' ||
    fail "no word on what to install: $(cat "$tmp/out")"
