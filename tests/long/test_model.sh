#!/usr/bin/env bash
# tests/model with more processes, and with two things that go wrong in one history.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/model/modellib.sh
. "$SWIM_SOURCE/tests/model/modellib.sh"
# shellcheck disable=SC2034 # used by modellib.sh
model_gcc=(-O2) model_seconds=900

holds "exclusion and fences when one of three dies" lock.pml -DOPEN -DN=3 -DCRASHES=1 \
    -DFENCES -DASK0=4 -DASK1=4 -DASK2=1
holds "exclusion and fences when a process dies and the data are lost" lock.pml -DOPEN \
    -DCRASHES=1 -DLOSSES=1 -DFENCES -DASK0=4 -DASK1=4
holds "exclusion and fences when a message and the data are lost" lock.pml -DOPEN \
    -DFAULTS=1 -DLOSSES=1 -DFENCES -DASK0=4 -DASK1=4
holds "exclusion and fences when a process dies and a message is lost or late" lock.pml \
    -DOPEN -DFAULTS=1 -DCRASHES=1 -DFENCES -DASK0=6 -DASK1=5
holds "exclusion and fences of all modes when the data are lost" lock.pml -DOPEN \
    -DLOSSES=1 -DFENCES -DASK0=7 -DASK1=7
