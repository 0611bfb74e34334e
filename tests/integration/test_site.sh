#!/usr/bin/env bash
# What sites install by goes with this tree: the module file, the Spack package and the
# container recipe; and the table of README.md names tests that there are.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

packaging=$SWIM_SOURCE/framework/packaging

# The Spack package is Python, and knows all of CMake's options and no other.
"$python" - "$packaging/spack/package.py" "$tmp/package.pyc" <<'PY' || fail "package.py"
import py_compile, sys
py_compile.compile(sys.argv[1], sys.argv[2], doraise=True)
PY
# shellcheck disable=SC2046 # names of files without blanks
sed -n 's/^ *option(\(SWIM_[A-Z]*\) .*/\1/p' "$SWIM_SOURCE/CMakeLists.txt" \
    "$SWIM_SOURCE"/framework/*.cmake "$SWIM_SOURCE"/framework/*/CMakeLists.txt | sort >"$tmp/cmake"
grep -oE 'SWIM_[A-Z]+' "$packaging/spack/package.py" | sort -u >"$tmp/spack"
diff "$tmp/cmake" "$tmp/spack" >"$tmp/out" ||
    fail "<: options of CMake that package.py does not set, >: no options: $(cat "$tmp/out")"
# Each pkg-config module that is looked for has a package there.
sed -n 's/^swim_require(\([A-Z0-9]*\) .*/\1/p' "$SWIM_SOURCE/framework/dependencies.cmake" >"$tmp/libraries"
while read -r library; do
    grep -qi "depends_on(\"[a-z]*$library" "$packaging/spack/package.py" ||
        fail "package.py does not depend on $library"
done <"$tmp/libraries"
passed "the Spack package has the options and libraries of CMake"

# The container recipe: its steps are shell, and what they name in the tree is there.
sed -e ':a' -e '/\\$/{N;s/\\\n//;ba' -e '}' "$packaging/Containerfile" | sed -n 's/^RUN //p' >"$tmp/steps"
[ "$(wc -l <"$tmp/steps")" -ge 3 ] || fail "no steps in the Containerfile"
bash -n "$tmp/steps" || fail "the steps of the Containerfile"
grep -oE '/src/[a-z./-]+' "$tmp/steps" >"$tmp/named"
while read -r file; do
    [ -e "$SWIM_SOURCE/${file#/src/}" ] || fail "the Containerfile names $file"
done <"$tmp/named"
passed "the steps of the container recipe are in order"

# The module file, installed and then moved, brings the command.
cmake --install "$SWIM_BUILD" --prefix "$tmp/built" >/dev/null
mv "$tmp/built" "$tmp/prefix"
version=$("$h5swim" --version | grep -oE '[0-9]+[.][0-9.]+' | head -n 1)
if [ -e /usr/share/lmod/lmod/init/bash ]; then
    cat >"$tmp/with_module" <<END
. /usr/share/lmod/lmod/init/bash
module use "$tmp/prefix/share/modulefiles"
module load h5swim/$version
[ "\$(command -v h5swim)" = "$tmp/prefix/bin/h5swim" ] || exit 11
[ "\$H5SWIM_ROOT" -ef "$tmp/prefix" ] || exit 12
[ "\$(pkg-config --variable=includedir h5swim)" -ef "$tmp/prefix/include" ] || exit 13
module whatis h5swim 2>&1 | grep -q 'Version *: $version' || exit 14
h5swim kernel info slope >/dev/null || exit 15
module unload h5swim
! command -v h5swim
END
    env -i HOME="$tmp" PATH=/usr/bin:/bin bash --norc "$tmp/with_module" >"$tmp/out" 2>&1 ||
        fail "the module file, step $?: $(cat "$tmp/out")"
    passed "module load h5swim/$version brings the command, and module unload takes it away"
else
    echo "SKIPPED: the module file was NOT tested: no Lmod (apt install lmod)"
fi

# The table of what was run: the last column names tests, or all of tests/run.
sed -n '/^| Built and run with /,/^$/p' "$SWIM_SOURCE/README.md" | tail -n +3 | grep . >"$tmp/table"
[ "$(wc -l <"$tmp/table")" -ge 8 ] || fail "no table in README.md of what was run"
{
    echo tests/run
    ctest --test-dir "$SWIM_BUILD" -N | sed -n 's/^ *Test *#[0-9]*: //p'
} >"$tmp/tests"
while IFS='|' read -r _ what _ tests _; do
    # shellcheck disable=SC2016 # for grep
    named=$(grep -oE '`[^`]+`' <<<"$tests" | tr -d '`') || fail "$what: no test is named"
    for test in $named; do
        grep -qx "$test" "$tmp/tests" || fail "$what: there is no test $test"
    done
done <"$tmp/table"
passed "README.md names tests that there are"
