#!/usr/bin/env bash
# What check_history.py is to notice: a good history passes, and each bad one, written by
# hand, is refused for its own reason.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

# Times are in ms here; the histories are in ns.
F=000000
U1=$((1001 << 12)) # what is written with fence 1001

check() { "$python" "$SWIM_SOURCE/tests/fault/check_history.py" "$folder" "$@"; }
# shellcheck disable=SC2034 # historylib.sh
history_begins='M 2000 4'
# shellcheck source=tests/support/historylib.sh
. "$support/historylib.sh"

good "readers beside an UPDATE, one writer after the other" <<END
@worker.0.1
g 0 1000$F 1001$F 0 1 0 50 0 0 3000$F
k 0 1500$F 0 3000$F
e 0 1600$F
E 0 1601$F 0
q 9000$F
@worker.1.1
g 0 1000$F 1002$F 0 2 0 50 0 1001 3000$F
w 0 1003$F 1001 0 0 $((U1 + 1)) 3000$F
w 0 1004$F 1001 $((U1 + 1)) $((U1 + 1)) $((U1 + 2)) 3000$F
r 0 1010$F 1602$F 1000 0 1002 3000$F
k 0 1700$F 0 3000$F
l 0 1800$F
e 0 1900$F
E 0 1901$F 0
g 0 1950$F 1951$F 0 3 0 50 0 1003 3000$F
e 0 1960$F
E 0 1961$F 0
q 9000$F
END

good "a killed holder believes until the kill, a stopped one until the end of its lease" <<END
@driver
K 0 1 1500$F 1502$F 9
S 1 1 3000$F 6000$F long
@worker.0.1
g 0 1000$F 1001$F 0 3 0 50 0 1001 3000$F
@worker.1.1
g 0 1400$F 1501$F 0 3 0 500 0 1002 3500$F
k 0 6001$F -5 3500$F
e 0 6002$F
E 0 6003$F -5
q 9000$F
@worker.2.1
g 0 2000$F 3501$F 0 3 0 5000 0 1003 5000$F
e 0 3600$F
E 0 3601$F 0
q 9000$F
END

good "a write after the end of the lease is refused by the storage" <<END
@driver
S 0 1 1100$F 6000$F long
@worker.0.1
g 0 1000$F 1001$F 0 3 0 50 0 1001 3000$F
w 0 6001$F 1001 0 $((1002 << 12)) 0 3000$F
k 0 6002$F -5 3000$F
e 0 6003$F
E 0 6004$F -5
q 9000$F
END

bad "two WRITEs at once" exclusion <<END
@worker.0.1
g 0 1000$F 1001$F 0 3 0 50 0 1001 3000$F
e 0 1500$F
E 0 1501$F 0
q 9000$F
@worker.1.1
g 0 1000$F 1499$F 0 3 0 500 0 1002 3000$F
e 0 1600$F
E 0 1601$F 0
q 9000$F
END

bad "UPDATE beside UPDATE" exclusion <<END
@worker.0.1
g 0 1000$F 1001$F 0 2 0 50 0 1001 3000$F
e 0 1500$F
E 0 1501$F 0
q 9000$F
@worker.1.1
g 0 1000$F 1499$F 0 2 0 500 0 1002 3000$F
e 0 1600$F
E 0 1601$F 0
q 9000$F
END

bad "a raise beside a reader" exclusion <<END
@worker.0.1
g 0 1000$F 1001$F 0 1 0 50 0 0 3000$F
e 0 1500$F
E 0 1501$F 0
q 9000$F
@worker.1.1
g 0 1000$F 1001$F 0 2 0 500 0 1002 3000$F
r 0 1100$F 1499$F 1000 0 1003 3000$F
e 0 1600$F
E 0 1601$F 0
q 9000$F
END

bad "threads of one worker exclude each other" exclusion <<END
@worker.0.1
g 0 1000$F 1001$F 0 3 0 50 0 1001 3000$F
g 2 1000$F 1002$F 0 1 0 50 0 0 3000$F
e 0 1500$F
E 0 1501$F 0
e 2 1600$F
E 2 1601$F 0
q 9000$F
END

bad "the lock of a stopped holder is given away before the end of its lease" exclusion <<END
@driver
S 0 1 1100$F 2900$F short
@worker.0.1
g 0 1000$F 1001$F 0 3 0 50 0 1001 3000$F
k 0 2901$F 0 3000$F
e 0 2902$F
E 0 2903$F 0
q 9000$F
@worker.1.1
g 0 2000$F 2500$F 0 1 0 5000 0 0 5000$F
e 0 2600$F
E 0 2601$F 0
q 9000$F
END

bad "the lock of a process is given away before it is killed" exclusion <<END
@driver
K 0 1 1500$F 1502$F 9
@worker.0.1
g 0 1000$F 1001$F 0 3 0 50 0 1001 3000$F
@worker.1.1
g 0 1400$F 1499$F 0 3 0 500 0 1002 3500$F
e 0 1510$F
E 0 1511$F 0
q 9000$F
END

bad "a check says yes after the end of the lease" check <<END
@driver
S 0 1 1100$F 3900$F long
@worker.0.1
g 0 1000$F 1001$F 0 3 0 50 0 1001 3000$F
k 0 3901$F 0 3000$F
e 0 3902$F
E 0 3903$F 0
q 9000$F
END

bad "a holder's write is refused" storage <<END
@worker.0.1
g 0 1000$F 1001$F 0 3 0 50 0 1001 3000$F
w 0 1002$F 1001 0 $((1002 << 12)) 0 3000$F
e 0 1100$F
E 0 1101$F 0
q 9000$F
END

bad "somebody wrote between two writes of a holder" storage <<END
@worker.0.1
g 0 1000$F 1001$F 0 3 0 50 0 1001 3000$F
w 0 1002$F 1001 0 0 $((U1 + 1)) 3000$F
w 0 1003$F 1001 $((U1 + 1)) $((U1 + 2)) $((U1 + 3)) 3000$F
e 0 1100$F
E 0 1101$F 0
q 9000$F
END

bad "a first write finds its own fence" storage <<END
@worker.0.1
g 0 1000$F 1001$F 0 3 0 50 0 1001 3000$F
w 0 1002$F 1001 0 $U1 $((U1 + 1)) 3000$F
e 0 1100$F
E 0 1101$F 0
q 9000$F
END

bad "a fence is lower than one before it" fences <<END
@driver
F restart-empty 1200$F 1300$F 2000
@worker.0.1
g 0 1000$F 1001$F 0 3 0 50 0 1001 3000$F
e 0 1100$F
E 0 1101$F 0
g 0 1400$F 3500$F 1 2 0 5000 0 7 5500$F
e 0 3600$F
E 0 3601$F 0
q 9000$F
END

bad "two that ask at once are given one fence" fences <<END
@worker.0.1
g 0 1000$F 1003$F 0 3 0 50 0 1001 3000$F
e 0 1100$F
E 0 1101$F 0
q 9000$F
@worker.1.1
g 0 1001$F 1002$F 1 3 0 50 0 1001 3000$F
e 0 1100$F
E 0 1101$F 0
q 9000$F
END

bad "a raise keeps its fence" fences <<END
@worker.0.1
g 0 1000$F 1001$F 0 2 0 50 0 1001 3000$F
r 0 1002$F 1003$F 50 0 1001 3000$F
e 0 1100$F
E 0 1101$F 0
q 9000$F
END

bad "a wait is longer than its limit" waits <<END
@worker.0.1
g 0 1000$F 2100$F 0 3 0 50 -4 0 3000$F
q 9000$F
@worker.1.1
g 0 1000$F 1001$F 0 3 0 50 0 1001 3000$F
e 0 2200$F
E 0 2201$F 0
q 9000$F
END

bad "a wait at a server that hangs is longer than all" waits <<END
@driver
F server-stop-long 1000$F 13500$F 0
@worker.0.1
g 0 1000$F 13100$F 0 3 0 50 -4 0 3000$F
q 19000$F
END

bad "nobody holds it, and a waiter waits" "no waiter is lost" <<END
@worker.0.1
g 0 1000$F 2500$F 0 3 0 5000 0 1002 4000$F
e 0 2600$F
E 0 2601$F 0
q 9000$F
@worker.1.1
g 0 1000$F 1001$F 0 3 0 50 0 1001 3000$F
e 0 1400$F
E 0 1401$F 0
q 9000$F
END

bad "a dead holder is not replaced" "no waiter is lost" <<END
@driver
K 1 1 1400$F 1401$F 9
@worker.0.1
g 0 1000$F 3500$F 0 3 0 5000 0 1002 6000$F
e 0 3600$F
E 0 3601$F 0
q 9000$F
@worker.1.1
g 0 1000$F 1001$F 0 3 0 50 0 1001 9000$F
END

bad "a stopped holder is not replaced when its lease is over" "no waiter is lost" <<END
@driver
S 1 1 1400$F 8000$F long
@worker.0.1
g 0 1000$F 8100$F 0 3 0 9000 0 1002 9000$F
e 0 8200$F
E 0 8201$F 0
q 9000$F
@worker.1.1
g 0 1000$F 1001$F 0 3 0 50 0 1001 3000$F
k 0 8001$F -5 3000$F
e 0 8002$F
E 0 8003$F -5
q 9000$F
END

{
    printf '@worker.0.1\ng 0 1000%s 2000%s 0 3 0 5000 0 5000 4000%s\n' $F $F $F
    printf 'e 0 2001%s\nE 0 2002%s 0\nq 9000%s\n@worker.1.1\n' $F $F $F
    for t in $(seq 1010 10 1980); do
        printf 'g 0 %s%s %s%s 0 1 0 50 0 0 4000%s\n' "$t" $F $((t + 1)) $F $F
        printf 'e 0 %s%s\nE 0 %s%s 0\n' $((t + 9)) $F $((t + 9)) $F
    done
    printf 'q 9000%s\n' $F
} >"$tmp/overtaken"
bad "a writer starves" fairness <"$tmp/overtaken"

bad "a lease is lost, and nobody did anything" faults <<END
@worker.0.1
g 0 1000$F 1001$F 0 3 0 50 0 1001 3000$F
k 0 1500$F -5 3000$F
e 0 1501$F
E 0 1502$F -5
q 9000$F
END

bad "a lease is lost, and only the connection was cut" faults <<END
@driver
F cut 1200$F 1201$F 0
@worker.0.1
g 0 1000$F 1001$F 0 3 0 50 0 1001 3000$F
k 0 1500$F -5 3000$F
e 0 1501$F
E 0 1502$F -5
q 9000$F
END

bad "the server is away, and nobody did anything" faults <<END
@worker.0.1
g 0 1000$F 1001$F 0 3 0 50 -3 0 3000$F
q 9000$F
END

bad "a worker disappears" "worker 0.1: neither killed nor ended" <<END
@worker.0.1
g 0 1000$F 1001$F 0 3 0 50 0 1001 3000$F
e 0 1100$F
E 0 1101$F 0
END

bad "an error that must not be" "worker 0.1: unexpected" <<END
@worker.0.1
x 1000$F acquire: status -8
q 9000$F
END

bad "a line is damaged" "worker 0.1: line 1 is damaged" <<END
@worker.0.1
g 0 1000$F 1001
q 9000$F
END

bad "nothing was done" progress --least 1 <<END
@worker.0.1
q 9000$F
END
