#!/usr/bin/env bash
# test_abi.sh [--renew] - libh5swim.so exports what the public headers declare, by the
# versions of libh5swim.map, and a program or kernel that was built with the headers of
# support/libh5swim.abi goes on working.
#
# --renew writes support/libh5swim.abi anew.  For what was added that is all; for anything
# else raise the version in CMakeLists.txt first, so that old programs do not start.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"

library=$SWIM_BUILD/lib/libh5swim.so
reference=$support/libh5swim.abi
headers=$SWIM_SOURCE/framework/include
cd "$tmp"
hdf5=$(pkg-config --cflags hdf5-serial 2>/dev/null || pkg-config --cflags hdf5)

# What is declared: gcc lists it, with the file of each.
for header in "$headers"/h5swim/*.h; do
    echo "#include <h5swim/${header##*/}>"
done >headers.c
# shellcheck disable=SC2086 # a list of flags
gcc -std=gnu11 -aux-info declared -fsyntax-only -I"$headers" $hdf5 headers.c
sed -n 's!^/\*.*/h5swim/[a-z]*[.]h:.*\*/ extern \(.*\);!\1!p' declared >prototypes
sed -n 's!.*\b\(swim_[a-z0-9_]*\) (.*!\1!p' prototypes | sort >names
[ "$(wc -l <names)" -gt 50 ] || fail "only $(wc -l <names) functions are declared"

# The map has them, and what is private; the library has what is in the map.
sed -n '/^H5SWIM_[0-9]/,/^}/s/^ *\(swim_[a-z0-9_]*\);.*/\1/p' "$SWIM_SOURCE/framework/libh5swim.map" |
    sort >map
diff names map >differences ||
    fail "<: only in a header, >: only in libh5swim.map: $(grep '^[<>]' differences)"
awk '/^H5SWIM_/ {node = $1} /^ *swim_/ {sub(";", "", $1); print $1 "@@" node}' \
    "$SWIM_SOURCE/framework/libh5swim.map" | sort >versioned
nm -D --defined-only --with-symbol-versions "$library" |
    awk '$2 != "A" {print $3}' | sort >exported
diff versioned exported >differences ||
    fail "<: only in libh5swim.map, >: only exported: $(grep '^[<>]' differences)"
nm -D --defined-only "$h5swim" | awk '{print $3}' | grep '^swim_' | sort >of_command
sed 's/@@.*//' versioned | comm -13 - of_command >beyond
[ ! -s beyond ] || fail "the command exports more than the headers: $(cat beyond)"
for header in kernel error; do
    grep "/h5swim/${header}[.]h:" declared | sed -n 's!.*\b\(swim_[a-z0-9_]*\) (.*!\1!p' |
        sort | comm -23 - of_command >missing
    [ ! -s missing ] || fail "the command does not export to kernels: $(cat missing)"
done
version=$(sed -n 's/^project(h5swim VERSION \([0-9]*\).*/\1/p' "$SWIM_SOURCE/CMakeLists.txt")
readelf -d "$library" | grep -q "SONAME.*\[libh5swim[.]so[.]$version\]" ||
    fail "not libh5swim.so.$version: $(readelf -d "$library" | grep SONAME)"
passed "$(wc -l <names) functions, all in the headers, $(wc -l <exported) symbols with a version"

# A library with the types of the headers, of which structures with members that nobody
# outside may know are no part.
if ! command -v abidw >/dev/null; then
    echo "SKIPPED: no abidw (apt install abigail-tools): types were NOT compared"
    exit 77
fi
{
    cat headers.c
    sed 's/$/ { __builtin_trap(); }/' prototypes
    echo 'SWIM_API const struct swim_kernel swim_kernel_v1 = {0};'
} >types.c
# shellcheck disable=SC2086 # a list of flags
gcc -std=gnu2x -g -O0 -w -fPIC -shared -Wl,-soname,"libh5swim.so.$version" -I"$headers" $hdf5 \
    -o libh5swim.so types.c
abidw --no-corpus-path --no-comp-dir-path --no-show-locs --type-id-style hash \
    --out-file now.abi libh5swim.so
if [ "${1:-}" = --renew ]; then
    cp now.abi "$reference"
    passed "$reference is that of version $(sed -n 's/^project(h5swim VERSION \([0-9.]*\).*/\1/p' "$SWIM_SOURCE/CMakeLists.txt")"
    exit 0
fi
abidiff --no-added-syms "$reference" now.abi >differences ||
    fail "old programs do not go on working (tests/integration/test_abi.sh says what to do): $(cat differences)"
passed "what was built with the headers of the last version goes on working"
