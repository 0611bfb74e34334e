# shellcheck shell=bash
# modellib.sh - runs spin on the models in this folder; sourced by their tests after
# testlib.sh.
here=$SWIM_SOURCE/tests/model
model_cc=(gcc -O0) # most of the time goes into compiling
model_seconds=250
mkdir "${tmp:?made by testlib.sh}/model"

# search MODEL FLAG...: generate, compile and run the search; what it says is left in
# $tmp/model/out.  CLAIM=NAME picks a formula of the model.
search() {
    local model=$1 compile=(-DCOLLAPSE -DMEMLIM=7500) run=(-m2000000 -n)
    shift
    case " $* $model " in
    *" -DLIVENESS "*)
        compile+=(-DNFAIR=3)
        run+=(-a -f)
        ;;
    *" lease.pml "*)
        run+=(-a -N "$CLAIM")
        ;;
    *) compile+=(-DSAFETY) ;;
    esac
    (
        cd "$tmp/model" || exit
        rm -f ./*
        spin "$@" -a "$here/$model" >spin.log 2>&1 || fail "spin -a $model $*: $(cat spin.log)"
        "${model_cc[@]}" -w "${compile[@]}" -o pan pan.c 2>cc.log ||
            fail "${model_cc[*]} pan.c of $model $*: $(head -n 5 cc.log)"
        timeout "$model_seconds" ./pan "${run[@]}" >out 2>&1 ||
            fail "$model $*: the search ended with status $?: $(tail -n 5 out)"
    )
}

states() { sed -nE 's/^ *([0-9.e+]+) states, stored.*/\1/p' "$tmp/model/out"; }

# holds WHAT MODEL FLAG...: all states are looked at, and nothing is wrong in any.
holds() {
    local what=$1 begin=$SECONDS memory
    shift
    search "$@"
    if ! grep -q 'errors: 0$' "$tmp/model/out" || [ -z "$(states)" ] ||
        grep -qE 'max search depth too small|[Ss]earch not completed|MEMLIM|out of memory|hash-?factor|truncated|Bit statespace' \
            "$tmp/model/out"; then
        cat "$tmp/model/out" >&2
        fail "$what: it does not hold, or not all was looked at: $*"
    fi
    memory=$(sed -nE 's/^ *([0-9.]+)\s+total actual memory usage.*/\1/p' "$tmp/model/out")
    passed "$what: $(states) states, ${memory:-?} MB, $((SECONDS - begin)) s"
}

# What the search says when a property is broken.
declare -A broken=(
    [exclusion]='assertion violated .*believes'
    [told_holders]='assertion violated .*rival_holds'
    [fences]='assertion violated .*fence>newest'
    [stale]='assertion violated .*fence_of'
    [dead]='assertion violated .*lease\['
    [waiter]='acceptance cycle'
    [fairness]='assertion violated .*credit'
    [false_loss]='assertion violated .*!\(deadline\[i\]\)'
    [in_the_way]='assertion violated .*res==9'
)

# notices FLAG PROPERTY WHAT MODEL FLAG...: with that mistake in it, that property is broken.
notices() {
    local mistake=$1 pattern=${broken[$2]} what=$3 begin=$SECONDS
    shift 3
    search "$@" "-D$mistake"
    if ! grep -qE 'errors: [1-9]' "$tmp/model/out" || ! grep -qE "$pattern" "$tmp/model/out"; then
        cat "$tmp/model/out" >&2
        fail "$mistake is not noticed by: $what"
    fi
    passed "$mistake is noticed: $what ($(states) states, $((SECONDS - begin)) s)"
}
