#!/usr/bin/env bash
# h5swim help and the manual pages: one text each, complete, and without a warning of those
# who format them.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

cd "$tmp"
manual=$SWIM_BUILD/manual
framework=$SWIM_SOURCE/framework
commands=(run calc exec view report check recover locks top metrics serve selftest kernel 'kernel new'
    'kernel test' help)
topics=(job kernel lock store file signals errors environment)

# --- in the terminal -------------------------------------------------------------------
expect_status 0 "$h5swim" --help
cp out usage
expect_status 0 "$h5swim" help
cmp -s out usage || fail "help and --help differ"
for word in "${commands[@]}"; do
    [[ $word == *' '* ]] || grep -qE "^  $word +[a-z]" usage || fail "--help does not name $word"
    read -ra words <<<"$word"
    expect_status 0 "$h5swim" "${words[@]}" --help
    cp out direct
    expect_status 0 "$h5swim" help "${words[@]}"
    head -n "$(wc -l < direct)" out | cmp -s - direct || fail "help $word is not $word --help"
    [ ! -s err ] || fail "help $word: $(cat err)"
done
expect_status 0 "$h5swim" help kernel
grep -q '^Usage: h5swim kernel list' out || fail "help kernel without the command"
grep -q 'SWIM_KERNEL_DEFINE()' out || fail "help kernel without the interface"
for word in "${topics[@]}"; do
    expect_status 0 "$h5swim" help "$word"
    [ "$(wc -l < out)" -gt 15 ] || fail "help $word: $(cat out)"
    [ "$(wc -L < out)" -le 100 ] || fail "help $word: a line that is too long for a terminal"
    ! grep -nE '^ ?\* |/\* h5swim/|#include|__cplusplus|^    SWIM_API ' out || fail "help $word shows machinery"
    grep -qw "$word" usage || fail "--help does not name the topic $word"
done
expect_status 2 "$h5swim" help enviroment
expect_line 'no topic "enviroment"; did you mean "environment"'
expect_status 2 "$h5swim" help a b c
expect_line 'name one topic'
expect_status 2 "$h5swim" help --maek x
expect_line 'did you mean "--make"'
expect_status 1 "$h5swim" help --make usage/below
expect_line 'make folder usage.*: '
passed "help"

# --- nothing is left out ---------------------------------------------------------------
expect_status 0 "$h5swim" help errors
grep -oE '^ +SWIM_ERR_[A-Z]+ = -[0-9]+' "$framework/include/h5swim/error.h" | tr -d '=-' > codes
[ "$(wc -l < codes)" -ge 11 ] || fail "codes: $(cat codes)"
while read -r name number; do
    awk -v name="$name" '$1 == name {on = 1} on && $1 ~ /^SWIM_ERR_/ && $1 != name {exit} on' out > one
    grep -qE "^$name +code -$number, \"[a-z/]+\", exit status [0-9]+:" one || fail "no row for $name"
    grep -q 'Remedy: ' one || fail "no remedy for $name"
done < codes
for status in 0 1 2 3 4 5 128+N; do
    grep -qE "^${status/+/\\+} +[a-z]" out || fail "no exit status $status"
done

expect_status 0 "$h5swim" help environment
grep -rhoE 'getenv\("[A-Z0-9_]+"' "$framework" --include=*.c | cut -d'"' -f2 | sort -u |
    grep -vxE 'HOME|PATH|GLIBC_TUNABLES|SLURM_STEP_NUM_NODES|OMPI_COMM_WORLD_LOCAL_SIZE' > variables
[ "$(wc -l < variables)" -ge 20 ] || fail "variables: $(cat variables)"
while read -r name; do grep -qw "$name" out || fail "help environment does not name $name"; done < variables

expect_status 0 "$h5swim" help job
sed -nE '/_keys\[\] = \{/,/^\};/p' "$framework"/batch/job{,_kernels,_pack}.c |
    grep -oE '\{"[a-z0-9_]+", ' | cut -d'"' -f2 | sort -u > keys
[ "$(wc -l < keys)" -ge 20 ] || fail "keys: $(cat keys)"
while read -r name; do grep -qE "(^| |\")$name(\"|:| |$)" out || fail "help job does not name $name"; done < keys
awk '/^    kernel:/ {on = 1} on && !/^    / {exit} on {print substr($0, 5)}' out > job.yaml
"$python" -c 'import h5py, numpy as np
with h5py.File("winds.nc", "w") as f:
    f["UWND"] = f["VWND"] = np.ones((2, 3), "f4")'
expect_status 0 "$h5swim" check job.yaml
grep -q ' 0 errors, 0 warnings' out || fail "the job of help job: $(cat err)"
passed "all codes, variables and keys"

# --- pages -----------------------------------------------------------------------------
pages=("$manual/man/man1/h5swim.1")
for word in "${commands[@]}"; do pages+=("$manual/man/man1/h5swim-${word/ /-}.1"); done
for word in kernel lock store file signals; do pages+=("$manual/man/man3/h5swim-$word.3"); done
pages+=("$manual/man/man5/h5swim-job.5" "$manual/man/man7/h5swim-errors.7"
    "$manual/man/man7/h5swim-environment.7")
[ "$(find "$manual/man" -type f | wc -l)" -eq ${#pages[@]} ] || fail "pages: $(find "$manual/man" -type f)"

# words FILE: each once, without marks around them.
words() { tr -cs 'A-Za-z0-9_' '\n' < "$1" | sort -u; }
for page in "${pages[@]}"; do
    [ -s "$page" ] || fail "no page $page"
    groff -ww -man -Tascii -P-c -rLL=100n "$page" > rendered 2> warnings || fail "groff: $page"
    [ ! -s warnings ] || fail "groff $page: $(head -n 3 warnings)"
    for heading in NAME SYNOPSIS DESCRIPTION 'SEE ALSO'; do
        case $heading:$page in SYNOPSIS:*.[57]) continue ;; esac
        grep -qE "(^|[^a-zA-Z ])$heading\$" <(col -bx < rendered) || fail "$page has no $heading"
    done
    if command -v mandoc >/dev/null; then
        mandoc -Tlint -W warning "$page" > warnings || fail "mandoc $page: $(head -n 3 warnings)"
    fi
    # All that the help says stands in the page, whatever became of its form.
    name=${page##*/h5swim}
    name=${name#-}
    read -ra words <<<"$(sed -E 's/\.[0-9]$//; s/-/ /' <<<"$name")"
    [ "$name" != .1 ] || words=()
    "$h5swim" help "${words[@]}" > text
    case $name in
    kernel.1) "$h5swim" kernel --help > text ;;
    kernel.3) sed -i '1,/^Exit status/d' text ;;
    esac
    groff -man -Tascii -P-c -rLL=400n -rHY=0 "$page" 2>/dev/null | col -bx > rendered
    words text > wanted
    missing=$(comm -23 wanted <(words rendered) | grep -vxE 'Usage|Exit|status' || true)
    [ -z "$missing" ] || fail "$page lacks: $missing"
done
# Examples stay as they are, and what comes behind them is filled again.
groff -man -Tascii -P-c -rLL=100n -rHY=0 "$manual/man/man3/h5swim-lock.3" | col -bx > rendered
grep -qE '^ +held \\ asked   READ   UPDATE   WRITE$' rendered || fail "an example was changed"
grep -qE '^ +Admission is .* a +waiting +writer +goes +before' rendered || fail "prose is not filled"
if command -v mandoc >/dev/null; then passed "pages, by groff and mandoc"; else passed "pages, by groff"; fi

cmake --install "$SWIM_BUILD" --prefix "$tmp/prefix" >/dev/null
for name in h5swim.1 h5swim-run.1 h5swim-kernel.3 h5swim-job.5; do
    [ -s "$tmp/prefix/share/man/man${name##*.}/$name" ] || fail "$name is not installed"
done
for name in bash-completion/completions/h5swim zsh/site-functions/_h5swim; do
    [ -s "$tmp/prefix/share/$name" ] || fail "$name is not installed"
done
if command -v man >/dev/null; then
    MANWIDTH=100 man -l "$manual/man/man1/h5swim-run.1" > one 2> warnings || fail "man -l: $(cat warnings)"
    [ ! -s warnings ] || fail "man -l: $(cat warnings)"
    grep -q 'run a kernel over HDF5 datasets' one || fail "man -l: $(head one)"
    MANPATH=$tmp/prefix/share/man man 3 h5swim-lock > one 2> warnings || fail "man 3: $(cat warnings)"
    grep -q swim_session_open one || fail "man 3 h5swim-lock: $(head one)"
fi
passed "installed pages"
