#!/usr/bin/env bash
# The examples of h5swim/file.h do what they say, several at a time.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_SERVER_IDLE_S=5
examples=$SWIM_BUILD/tests

# at_once COMMAND...: four of it, which all end well
at_once() {
    local pids=() pid
    for _ in 1 2 3 4; do
        "$@" 2>"$tmp/err" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || fail "$*: $(cat "$tmp/err")"; done
}
# holds CONDITION: of the file f, by plain h5py
holds() {
    /usr/bin/python3 -c "import h5py; f = h5py.File('a.h5', 'r'); assert $1, '''$1'''" ||
        fail "not so: $1"
}

at_once "$examples/object_append" a.h5 /log/x 1 2 3
holds "list(f['log/x'][:]) == [1, 2, 3] * 4"
passed "four processes append to one dataset"

at_once "$examples/object_transaction" a.h5 /one /two 5
holds "(f['one'][()], f['two'][()]) == (-20, 20)"
expect_status 1 "$examples/object_transaction" a.h5 /one /log 5
holds "f['one'][()] == -20"
passed "money moves whole or not at all"

"$examples/object_attributes" a.h5 /log unit 'm/s'
"$examples/object_attributes" a.h5 /log name wind
[ "$("$examples/object_attributes" a.h5 /log unit)" = m/s ] || fail "the unit"
[ "$("$examples/object_attributes" a.h5 /log no)" = none ] || fail "the default"
[ "$("$examples/object_attributes" a.h5 /log | tr '\n' ' ')" = "name unit " ] || fail "the names"
holds "dict(f['log'].attrs) == {'name': 'wind', 'unit': 'm/s'}"
passed "attributes are set, read and listed"

"$examples/object_tree" a.h5 /new/group | diff - <(
    cat <<'TREE'
/log  group
/log/x  dataset of float64, 12
/new  group
/new/group  group
/one  dataset of int64
/two  dataset of int64
TREE
) || fail "the tree"
passed "a file is shown as a tree"

"$examples/h5pyswmr" b.h5 2>"$tmp/err" || fail "h5pyswmr: $(cat "$tmp/err")"
[ ! -e b.h5.swimlog ] || fail "a journal is left"
passed "processes share a handle"
