#!/usr/bin/env bash
# The guides beside the code: their commands print what is shown, the tests that they name
# are there, and so are the files that they and README.md lead to.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

# A document that shows something else than what happens is refused.
mkdir "$tmp/bin" "$tmp/work"
cd "$tmp/work"
refused() {
    printf '%s\n' "$@" >document.md
    expect_status 1 "$python" "$support/blocks.py" --run document.md
}
sh='```sh' text='```text' end='```'
refused $sh 'echo one; echo two >&2' $end $text one $end
refused $sh 'echo one' $end $text one two $end
refused $sh 'echo "12 blocks in 3 s"' $end $text '13 blocks in 4 s' $end
refused $sh 'echo "a b"' $end $text '... c' $end
refused $sh 'echo one; false; true' $end $text one $end
refused $sh true $end $sh false $end
# shellcheck disable=SC2016 # text
{
    refused '`made`:' '' '```yaml' 'a: 1' $end $sh 'grep "a: 2" made' $end
    printf '%s\n' '`made`:' '' '```yaml' 'a: $1' $end $sh 'x=5; cat made; echo b; echo c' $end \
        $text 'a: ...' '...' 'c' $end $sh 'echo "$x in 7 ms"' $end $text '5 in 0.3 ms' $end >document.md
}
expect_status 0 "$python" "$support/blocks.py" --run document.md
rm document.md made
passed "what is not as it is shown is noticed"

# As their readers would, in an empty folder, with h5swim in the PATH.
ln -s "$h5swim" "$tmp/bin/h5swim"
ln -s "$python" "$tmp/bin/python3"
export PATH=$tmp/bin:$PATH PYTHONDONTWRITEBYTECODE=1
for guide in lock/OPERATING exec/H5PY store/LOG; do
    mkdir "$tmp/work/${guide#*/}"
    cd "$tmp/work/${guide#*/}"
    expect_status 0 "$python" "$support/blocks.py" --run "$SWIM_SOURCE/framework/$guide.md"
    ! grep -q '^0 blocks' "$tmp/out" || fail "$guide: its blocks are not seen"
    passed "$guide.md: $(cat "$tmp/out")"
done

# Tests, by their names in ctest, of cmocka programs with ": NAME" for one of theirs.
documents=("$SWIM_SOURCE"/README.md "$SWIM_SOURCE"/kernels/*.md "$SWIM_SOURCE"/framework/*.md
    "$SWIM_SOURCE"/framework/*/*.md)
ctest --test-dir "$SWIM_BUILD" -N | sed -n 's/^ *Test *#[0-9]*: //p' >"$tmp/tests"
kinds=$(sed 's/[.].*//' "$tmp/tests" | sort -u | paste -sd'|')
grep -hoE "\`($kinds)\.[a-z0-9_]+(: [a-z0-9_]+)?\`" "${documents[@]}" | tr -d '`' | sort -u >"$tmp/named"
[ "$(wc -l <"$tmp/named")" -ge 60 ] || fail "tests are not seen: $(cat "$tmp/named")"
while IFS=': ' read -r test one; do
    grep -qx "$test" "$tmp/tests" || fail "a guide names $test, which there is not"
    [ -z "$one" ] || grep -qE "^static void $one\(void \*\*" "$SWIM_SOURCE/tests/${test/.//test_}.c" ||
        fail "a guide names $one of $test, which there is not"
done <"$tmp/named"
# Each guarantee has one.
grep -E '^\| .* \|( [SFHDL ]+)? \| ' "$SWIM_SOURCE/framework/GUARANTEES.md" >"$tmp/rows"
[ "$(wc -l <"$tmp/rows")" -ge 28 ] || fail "guarantees are not seen"
if grep -vE "\`($kinds)\.[^|]* \|\$" "$tmp/rows"; then fail "a guarantee without a test"; fi
passed "$(wc -l <"$tmp/named") tests are named, and there; $(wc -l <"$tmp/rows") guarantees have theirs"

# Files of the tree; the documents are installed.
cmake --install "$SWIM_BUILD" --prefix "$tmp/prefix" >/dev/null
for document in "${documents[@]}"; do
    # shellcheck disable=SC2016 # for grep
    grep -oE '`(framework|kernels|jobs|tests|slurm)/[^` *]+`' "$document" | tr -d '`' | sort -u >"$tmp/named" || true
    while read -r file; do
        [ -e "$SWIM_SOURCE/$file" ] || fail "${document#"$SWIM_SOURCE/"} names $file, which there is not"
    done <"$tmp/named"
done
for document in "${documents[@]}"; do
    document=${document#"$SWIM_SOURCE/"}
    cmp "$SWIM_SOURCE/$document" "$tmp/prefix/share/doc/h5swim/$document" || fail "$document is not installed"
    [ "$document" = README.md ] || grep -q "\`$document\`" "$SWIM_SOURCE/README.md" ||
        fail "README.md does not lead to $document"
done
passed "what documents name is there; README.md leads to each of them, and they are installed"
