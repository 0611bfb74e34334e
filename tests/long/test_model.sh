#!/usr/bin/env bash
# tests/model with more processes, more that goes wrong in one history, and all modes.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/model/modellib.sh
. "$SWIM_SOURCE/tests/model/modellib.sh"
# shellcheck disable=SC2034 # used by modellib.sh
model_cc=(gcc -O2) model_seconds=1500

holds "exclusion and fences when the data are lost" lock.pml -DOPEN -DLOSSES=1 -DFENCES \
    -DWRITES
holds "exclusion when a message comes late and the data are lost twice" lock.pml -DOPEN \
    -DFAULTS=1 -DLOSSES=2 -DASK0=4 -DASK1=4
holds "exclusion when the data and a message are lost" lock.pml -DOPEN -DLOSSES=1 \
    -DFAULTS=1 -DASK0=6
holds "exclusion when a session is opened and the data and a message are lost" lock.pml \
    -DLOSSES=1 -DFAULTS=1 -DASK0=4 -DASK1=4
holds "exclusion when a session is broken and the data and a message are lost" lock.pml \
    -DOPEN -DFAULTS=1 -DLOSSES=1 -DBREAKS=1 -DASK0=1 -DASK1=4
holds "exclusion and fences when a process dies and the data are lost" lock.pml -DOPEN \
    -DCRASHES=1 -DLOSSES=1 -DFENCES -DASK0=4 -DASK1=4
holds "exclusion and fences when a process dies and a message is lost or late" lock.pml \
    -DOPEN -DFAULTS=1 -DCRASHES=1 -DFENCES
holds "exclusion and fences when one of three dies" lock.pml -DOPEN -DN=3 -DCRASHES=1 \
    -DFENCES -DASK0=4 -DASK1=4 -DASK2=1
holds "exclusion and fences when a session is opened while others end" lock.pml \
    -DCRASHES=1 -DLAPSES=1 -DFENCES -DASK0=4 -DASK1=4
holds "exclusion and fences when a process dies, one stops and one is broken" lock.pml \
    -DOPEN -DCRASHES=1 -DLAPSES=1 -DBREAKS=1 -DFENCES -DWRITES -DASK0=6 -DASK1=5
holds "exclusion when each takes two locks" lock.pml -DOPEN -DROUNDS=2 -DFAULTS=1 -DFENCES \
    -DASK0=6 -DASK1=5
holds "every call ends when a process dies and a message is lost or late" lock.pml -DOPEN \
    -DLIVENESS -DFAULTS=1 -DCRASHES=1 -DASK0=4 -DASK1=4
holds "every call ends when the data are lost" lock.pml -DOPEN -DLIVENESS -DLOSSES=1 \
    -DASK0=6 -DASK1=5
holds "every call of three ends when one dies" lock.pml -DOPEN -DLIVENESS -DN=3 \
    -DCRASHES=1 -DASK0=4 -DASK1=4 -DASK2=4
