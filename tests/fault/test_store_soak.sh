#!/usr/bin/env bash
# h5py programs under h5swim exec that are killed and stopped at random, and their lock
# server with them: what each session reads is one committed state, nothing acknowledged
# is lost, and plain HDF5 finds the last state at the end.  SWIM_SOAK_SEED=N repeats what
# is done (not when; the machine decides that).  With SWIM_LONG=1 for 15 minutes.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

here=$SWIM_SOURCE/tests/fault
export PYTHONDONTWRITEBYTECODE=1
seed=${SWIM_SOAK_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
printf 'SWIM_SOAK_SEED=%s\n' "$seed"
seconds=30 least=50 killed=0
if [ "${SWIM_LONG:-}" = 1 ]; then seconds=900 least=1500 killed=10; fi
folder=$tmp/soak
mkdir "$folder"

# What went wrong stays, to be looked at.
give_up() {
    local kept=$SWIM_BUILD/tests/store-soak-$seed
    rm -rf "$kept"
    cp -r "$folder" "$kept"
    rm -f "$kept/redis.sock"
    printf 'the files and the histories are in %s\n' "$kept"
    fail "$1, seed $seed"
}

"$python" "$here/store_soak.py" "$folder" "$seed" $seconds $least "$h5swim" \
    "$(realpath "$SWIM_BUILD/lib/libh5swim.so")" || give_up "the soak"

for file in "$folder"/[0-9].h5; do
    "$h5swim" recover "$file" >"$tmp/out" 2>&1 || {
        cat "$tmp/out"
        give_up "recover $file"
    }
    # The last one that closed it may have met a lock server that was new.
    "$h5swim" recover "$file" --apply >"$tmp/out" 2>&1 || {
        cat "$tmp/out"
        give_up "recover $file --apply"
    }
    "$h5swim" check "$file" >"$tmp/out" 2>&1 || {
        cat "$tmp/out"
        give_up "check $file"
    }
    grep -q '^clean: ' "$tmp/out" || give_up "check does not call it clean: $file"
    h5dump "$file" >"$tmp/out" 2>&1 || give_up "h5dump $file"
    if grep -q 'h5dump error' "$tmp/out"; then give_up "h5dump meets an error: $file"; fi
done
left=$(find "$folder" -name '*.swim*')
[ -z "$left" ] || give_up "there is still $left"
"$python" "$here/store_soak_worker.py" looks "$folder" 0 0 ||
    give_up "HDF5 does not read the files to their end"
"$python" "$here/check_store_history.py" "$folder" --least $least \
    --killed $killed || give_up "the history"
passed "$seconds s of kills and stops"
