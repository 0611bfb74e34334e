#!/usr/bin/env bash
# What check_store_history.py is to notice: a good history passes, and each bad one,
# written by hand, is refused for its own reason.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

here=$SWIM_SOURCE/tests/fault
export PYTHONDONTWRITEBYTECODE=1

# holds NUMBER...: what is read of the last, made of those before; 0 is the first state.
holds() {
    "$python" -c '
import sys
sys.path.insert(0, sys.argv[1])
import store_states as states
state = states.first()
for number in sys.argv[2:]:
    state = states.expect(state, int(number)) if int(number) else state
print(1, *states.digests(state))' "$here" "$@"
}

check() { "$python" "$here/check_store_history.py" "$folder" "$@"; }
# shellcheck source=tests/support/historylib.sh
. "$support/historylib.sh"

of_0=$(holds 0) of_1=$(holds 1) of_2=$(holds 1 2) of_5=$(holds 5) of_1_5=$(holds 1 5)
# The groups of 2 with all the rest of 1, and the other way.
torn_1="${of_1% *} ${of_2##* }"
torn_2="${of_2% *} ${of_1##* }"

good "acknowledged one after the other, and read" --least 1 <<END
@1
b 100 0 1 0
c 110 0 1
b 120 0 2 1
@2
r 90 109 0 0 $of_0
r 101 111 0 1 $of_1
r 121 129 0 1 $of_1
r 122 131 0 2 $of_2
q 200
@driver
K 130 1 9
END

good "what a killed writer was about may be there" --killed 1 <<END
@1
b 100 0 1 0
@2
r 101 102 0 1 $of_1
b 150 0 2 1
c 160 0 2
@driver
K 140 1 9
END

good "or not" <<END
@1
b 100 0 1 0
@2
r 101 142 0 0 $of_0
b 150 0 5 0
c 160 0 5
r 161 162 0 5 $of_5
@driver
K 140 1 9
END

good "made anew in the place of another, with nothing of it" <<END
@1
b 100 0 1 0
c 110 0 1
b 120 0 5 -
c 130 0 5
r 140 150 0 5 $of_5
END

good "what has failed, or was given up, leaves what was before" <<END
@1
b 100 0 1 0
f 110 0 1
b 120 0 2 0
u 130 0 2
r 140 150 0 0 $of_0
END

good "the files have nothing to do with each other" <<END
@1
b 100 0 1 0
c 110 0 1
r 120 130 1 0 $of_0
b 140 1 5 0
c 150 1 5
r 160 170 0 1 $of_1
END

bad "the groups of another state" torn <<END
@1
b 100 0 1 0
c 110 0 1
b 120 0 2 1
c 130 0 2
@2
r 109 140 0 1 $torn_1
END

bad "the groups of the state before" torn <<END
@1
b 100 0 1 0
c 110 0 1
b 120 0 2 1
c 130 0 2
r 140 150 0 2 $torn_2
END

bad "the text of another state" torn <<END
@1
b 100 0 1 0
c 110 0 1
r 140 150 0 1 0 ${of_1#* }
END

bad "something that was lost with the state it was made of" torn <<END
@1
b 100 0 1 0
c 110 0 1
b 120 0 5 1
c 130 0 5
r 140 150 0 5 $of_5
END

bad "something of what it was made anew in the place of" torn <<END
@1
b 100 0 1 0
c 110 0 1
b 120 0 5 -
c 130 0 5
r 140 150 0 5 $of_1_5
END

bad "a part is not there" torn <<END
@1
b 100 0 1 0
c 110 0 1
r 140 150 0 1 ${of_1% *}
END

bad "an acknowledged state is not the one that the next is made of" lost <<END
@1
b 100 0 1 0
c 110 0 1
b 120 0 5 0
c 130 0 5
END

bad "nor is one that was only read" lost <<END
@1
b 100 0 1 0
@2
r 101 102 0 1 $of_1
b 150 0 5 0
c 160 0 5
@driver
K 140 1 9
END

bad "a session finds what was before an acknowledged state" lost <<END
@1
b 100 0 1 0
c 110 0 1
@2
r 111 112 0 0 $of_0
END

bad "a session finds what was before the state of a session that had ended" lost <<END
@1
b 100 0 1 0
c 190 0 1
@2
r 101 110 0 1 $of_1
@3
r 111 112 0 0 $of_0
END

bad "two writers made the same state into others" lost <<END
@1
b 100 0 1 0
c 115 0 1
@2
b 105 0 5 0
c 112 0 5
END

bad "what has failed is found" undone <<END
@1
b 100 0 1 0
f 110 0 1
r 120 130 0 1 $of_1
END

bad "something is made of what was given up" undone <<END
@1
b 100 0 1 0
f 110 0 1
b 120 0 2 1
c 130 0 2
END

bad "it is found before it was begun" early <<END
@1
b 100 0 1 0
c 110 0 1
@2
r 50 60 0 1 $of_1
END

bad "nobody has begun it" unknown <<END
@1
r 50 60 0 1 $of_1
END

bad "something is made of what nobody has begun" unknown <<END
@1
b 100 0 2 1
f 110 0 2
END

bad "a living worker says nothing of its commit" alive <<END
@1
b 100 0 1 0
q 120
END

bad "a killed one went on behind it" alive <<END
@1
b 100 0 1 0
b 110 0 5 0
c 120 0 5
@driver
K 140 1 9
END

bad "a worker fails" fault <<END
@driver
E 3 1
END

bad "a worker ends by a signal that nobody has sent" fault <<END
@driver
E 3 -11
END

bad "too little was done" progress --least 2 <<END
@1
b 100 0 1 0
c 110 0 1
r 120 130 0 1 $of_1
r 140 150 0 1 $of_1
b 160 0 2 1
@2
r 170 180 0 2 $of_2
@driver
K 190 1 9
END

bad "nothing of the killed was seen" progress --killed 1 <<END
@1
b 100 0 1 0
c 110 0 1
r 120 130 0 1 $of_1
END
