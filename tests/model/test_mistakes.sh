#!/usr/bin/env bash
# A model that cannot fail shows nothing: each mistake in the protocol breaks the property
# that one would expect.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/model/modellib.sh
. "$SWIM_SOURCE/tests/model/modellib.sh"

# Few states each: most of the time goes into compiling, which clang does in half of it.
if command -v clang >/dev/null; then model_cc=(clang -O0); fi

two_writers=(lock.pml -DOPEN -DASK0=4 -DASK1=4)
raise_and_read=(lock.pml -DOPEN -DASK0=2 -DASK1=1)

notices NO_PURGE waiter "a waiter waits for ever" "${two_writers[@]}" -DLIVENESS -DCRASHES=1
notices PURGE_BY_CLIENT_CLOCK exclusion "two hold" "${two_writers[@]}"
notices NO_EPOCH exclusion "two hold" "${two_writers[@]}" -DLOSSES=1
notices WAITER_RENEWS waiter "a waiter waits for ever" "${two_writers[@]}" -DLIVENESS \
    -DCRASHES=1
notices FENCE_RESET fences "a fence does not grow" "${two_writers[@]}" -DLOSSES=1 -DFENCES
notices HANDOFF_TO_DEAD dead "a lock is handed to the dead" "${two_writers[@]}" -DCRASHES=1
notices NO_TOMBSTONE waiter "a waiter waits for ever" "${two_writers[@]}" -DLIVENESS -DFAULTS=1
CLAIM=no_two_holders notices LEASE_FROM_ANSWER told_holders "two hold" lease.pml
CLAIM=no_two_holders notices NO_EPOCH told_holders "two hold" lease.pml
notices FENCE_STANDS_STILL stale "a stale write has no smaller fence" "${two_writers[@]}" \
    -DLAPSES=1 -DFENCES -DWRITES
notices READERS_PASS fairness "readers pass a WRITE that waits" lock.pml -DOPEN -DN=3 \
    -DFAIRNESS -DASK0=1 -DASK1=4 -DASK2=1

# Mistakes that no other test would see.
notices REVIVE_FORGETS exclusion "two hold" "${two_writers[@]}" -DLOSSES=1 -DFAULTS=1 \
    -DFALSE_LOSS_IS_FINE
notices FORGETS_RAISE false_loss "what is held counts as lost" "${raise_and_read[@]}" \
    -DFAULTS=1
notices FORGETS_RAISE waiter "a waiter waits for ever" lock.pml -DOPEN -DASK0=4 -DASK1=2 \
    -DLIVENESS -DFAULTS=1 -DFALSE_LOSS_IS_FINE
notices LOWER_CLAIMS in_the_way "what is told anew is in the way of others" \
    "${raise_and_read[@]}" -DLOSSES=1 -DFALSE_LOSS_IS_FINE
notices COMPARES_UNLOCKED false_loss "what is held counts as lost" "${two_writers[@]}" \
    -DLOSSES=1
notices FENCE_OF_FIRST fences "a fence does not grow" "${two_writers[@]}" -DLOSSES=1 -DFENCES

# Questions that come late, in another epoch or after the session was broken.
notices SAME_NAME false_loss "what is held counts as lost" lock.pml -DASK0=4 -DASK1=4 \
    -DFAULTS=1 -DLOSSES=1
model_cc=(gcc -O2) # millions of states
notices ANY_RECLAIM false_loss "what is held counts as lost" "${two_writers[@]}" \
    -DFAULTS=1 -DLOSSES=2
notices ANY_EPOCH waiter "a waiter waits for ever" lock.pml -DOPEN -DROUNDS=2 \
    -DASK0=4 -DASK1=0 -DLIVENESS -DFAULTS=1 -DLOSSES=1
