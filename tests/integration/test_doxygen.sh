#!/usr/bin/env bash
# The public headers as a reference: Doxygen makes HTML of them without a warning, with all
# that they declare, and warns of what no comment explains.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

if ! command -v doxygen >/dev/null; then
    echo "skipped: there is no doxygen"
    exit 77
fi
cd "$tmp"
cp -r "$SWIM_SOURCE/framework/include/h5swim" headers

# pages INPUT FOLDER: by the settings of the target "reference".
pages() {
    sed -e "s,^INPUT .*,INPUT = $1 \\\\," "$SWIM_BUILD/reference/Doxyfile" >"$2.settings"
    echo "OUTPUT_DIRECTORY = $tmp/$2" >>"$2.settings"
    doxygen "$2.settings"
}

expect_status 0 pages "$tmp/headers" made
if [ -s "$tmp/err" ]; then fail "warnings: $(cat "$tmp/err")"; fi
[ -s made/html/index.html ] || fail "no page to begin with"
passed "the headers without a warning"

sed 's/<[^>]*>//g' made/html/*.html >texts
grep -hoE '^SWIM_API [^(]*\bswim_[a-z0-9_]+\(' headers/*.h | grep -oE '\bswim_[a-z0-9_]+\($' |
    tr -d '(' | sort -u >declared
grep -hoE "'swim_[a-z0-9_]+'" made/html/search/functions_*.js | tr -d "'" | sort -u >explained
[ "$(wc -l <declared)" -gt 50 ] || fail "few functions: $(cat declared)"
missing=$(comm -23 declared explained)
[ -z "$missing" ] || fail "not in the reference: $missing"
passed "all $(wc -l <declared) functions of the library"

# What a comment says arrives, also stars, and what stands behind a member.
for text in 'On SWIM_OK \*out is the caller&#39;s' 'longest wait; SWIM_LOCK_TRY' \
    'Collective|a fork|Fork:' 'held \\ asked +READ'; do
    grep -qE "$text" texts || fail "not in the pages: $text"
done
for header in headers/*.h; do
    sed '/\*\//q' "$header" >rules
    if ! grep -q 'Threads:' rules || ! grep -q 'Fork:' rules; then
        fail "$header does not begin with its rules for threads and forks"
    fi
done
passed "contracts, and rules for threads and forks"

sed -i 's/^#ifdef __cplusplus/SWIM_API int swim_unexplained(void);\n&/' headers/signals.h
expect_status 1 pages "$tmp/headers" worse
grep -q 'swim_unexplained.*not documented' "$tmp/err" || fail "no warning: $(cat "$tmp/err")"
passed "a function that nothing explains is a mistake"
