#!/usr/bin/env bash
# Completion in bash and zsh: what the tables of options have, and nothing else.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

completion=$SWIM_BUILD/manual/completion
mkdir "$tmp/work"
cd "$tmp/work"
mkdir folder
touch a.yaml b.yml data.h5 kernel.c 'with blank.yaml' server.pem

# --- bash ------------------------------------------------------------------------------
shellcheck "$completion/bash/h5swim" || fail "shellcheck of the completion"
cat > complete.sh <<'SH'
# complete.sh WORD...: what the last word can become, one a line, as Tab would offer it.
. "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMP_LINE="$*"
COMP_POINT=${#COMP_LINE}
function=$(complete -p h5swim | sed -E 's/.*-F ([^ ]+).*/\1/')
"$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
[ ${#COMPREPLY[@]} -eq 0 ] || printf '%s\n' "${COMPREPLY[@]}"
SH
# offers "WORDS" WORD...: for these words bash offers just those, in any order.
offers() {
    local want=$1 got
    shift
    got=$(bash complete.sh "$completion/bash/h5swim" h5swim "$@" | tr ' ' '\n' | sort | tr '\n' ' ')
    want=$(tr ' ' '\n' <<<"$want" | sort | tr '\n' ' ')
    [ "${got% }" = "${want% }" ] || fail "h5swim $*: offers \"$got\", not \"$want\""
}
offers 'calc check' c
offers 'serve selftest' se
offers '--readers --record --redis --resume' run --re
offers 'a.yaml b.yml folder with blank.yaml' run ''
offers 'a.yaml' run -q a
offers '--json' locks --js
offers '' run --readers ''
offers 'data.h5' check d
offers 'start status stop' serve ''
offers 'start' serve star
offers 'list info new test' kernel ''
offers '--dir --help --kind -h' kernel new -
offers '--shape --set' kernel test --s
offers 'folder kernel.c' kernel test ''
offers 'folder' kernel new --dir ''
offers 'server.pem' serve start --tls-cert s
offers 'environment errors exec' help e
offers '' selftest a
bash complete.sh "$completion/bash/h5swim" h5swim exec sor > programs
grep -qx sort programs || fail "exec offers no programs"
bash complete.sh "$completion/bash/h5swim" h5swim exec -- sort d > files
grep -qx data.h5 files || fail "exec: no files for the program"
passed "bash"

# --- the tables ------------------------------------------------------------------------
# Each option is explained by the help of its command, and each that is explained is there.
for word in run calc exec view report check recover locks top metrics serve selftest kernel 'kernel new' 'kernel test' help; do
    read -ra words <<<"$word"
    "$h5swim" "${words[@]}" --help | grep '^  -' > text
    bash complete.sh "$completion/bash/h5swim" h5swim "${words[@]}" -- | sort > has
    [ -s has ] || fail "no options of $word"
    while read -r option; do
        grep -qE -- "$option([ =,|\`\"]|\$|])" text || fail "$word --help does not explain $option"
    done < <(grep -e '^--' has)
    while read -r option; do
        grep -qx -- "$option" has || fail "$word has no $option, which its help explains"
    done < <(sed 's/   .*//' text | grep -oE -- '--[a-z][a-z0-9-]+')
done
passed "options and help"

# --- zsh -------------------------------------------------------------------------------
if ! command -v zsh >/dev/null; then
    passed "zsh is not installed"
    exit 0
fi
cat > complete.zsh <<'ZSH'
# complete.zsh FOLDER [LINE PATTERN]...: type LINE and Tab into a zsh that has the completion
# of FOLDER, until what it shows has PATTERN; the same with the next one.
zmodload zsh/zpty zsh/datetime
folder=$1
shift
until=$((EPOCHSECONDS + 300))
wait_for() {
    while [[ $seen != *$~1* ]]; do
        if zpty -r -t z part; then seen+=${part//[[:cntrl:]]/}; else sleep 0.1; fi
        if ((EPOCHSECONDS > until)); then
            print -ru2 -- "zsh does not come to \"$1\", but shows: ${(V)seen}"
            exit 1
        fi
    done
    seen=
}
seen=
zpty z "TERM=dumb zsh -f -i"
zpty -w z "PS1=; PS2=; unsetopt zle_bracketed_paste prompt_cr; fpath=($folder \$fpath); autoload -U compinit; compinit -D; LISTMAX=0; stty cols 200; print re''ady"
wait_for ready
while (($#)); do
    zpty -w -n z "$1"$'\t'
    wait_for $2
    zpty -w -n z $'\x15' # the line is empty again
    shift 2
done
zpty -d z
ZSH
zsh -f complete.zsh "$completion/zsh" 'h5swim chec' 'check ' \
    'h5swim run --over' '--overwrite' \
    'h5swim run --re' '--readers*--redis*--resume' \
    'h5swim run a' 'a.yaml' \
    'h5swim kernel new --ki' '--kind=' \
    'h5swim help envi' 'environment' \
    'h5swim locks --b' '--break=' \
    'h5swim exec --s' '--sync=' || fail "zsh"
passed "zsh"
