#!/usr/bin/env bash
# The lock protocol as a model: every state of the small configuration is looked at.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/model/modellib.sh
. "$SWIM_SOURCE/tests/model/modellib.sh"

CLAIM=no_two_holders holds "nobody is let in before a deadline" lease.pml
CLAIM=deadline_first holds "a deadline is never later than the lease" lease.pml

# ASK0, ASK1, ASK2: what the processes ask for, 1 READ, 2 UPDATE, 4 WRITE or a sum.
holds "exclusion and fences when the data are lost" lock.pml -DOPEN -DLOSSES=1 -DFENCES \
    -DWRITES -DASK0=4 -DASK1=4
holds "exclusion when the data are lost while an UPDATE is raised" lock.pml -DOPEN \
    -DLOSSES=1 -DASK0=2 -DASK1=1
holds "exclusion and fences when a message is lost or late" lock.pml -DOPEN -DFAULTS=1 \
    -DFENCES -DASK0=2 -DASK1=5
holds "exclusion when a message comes late and the data are lost" lock.pml -DOPEN \
    -DFAULTS=1 -DLOSSES=1 -DASK0=4 -DASK1=4
holds "exclusion and fences when a process dies" lock.pml -DOPEN -DCRASHES=1 -DFENCES \
    -DWRITES -DASK0=6 -DASK1=5
holds "a paused writer's fence is the smaller one" lock.pml -DOPEN -DLAPSES=1 -DFENCES \
    -DWRITES -DASK0=4 -DASK1=4
holds "exclusion and fences when a session is broken" lock.pml -DOPEN -DBREAKS=1 -DFENCES \
    -DASK0=4 -DASK1=4
holds "waits are bounded by phases" lock.pml -DOPEN -DN=3 -DFAIRNESS -DASK0=7 -DASK1=4 \
    -DASK2=1
holds "every call ends when a process dies" lock.pml -DOPEN -DLIVENESS -DCRASHES=1 \
    -DASK0=6 -DASK1=5
holds "every call ends when a message is lost or late" lock.pml -DOPEN -DLIVENESS \
    -DFAULTS=1 -DASK0=4 -DASK1=4
holds "every call ends when the data are lost" lock.pml -DOPEN -DLIVENESS -DLOSSES=1 \
    -DASK0=4 -DASK1=0
