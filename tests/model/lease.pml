/* lease.pml - who believes what about a lease, with time as ticks.
 *
 * lock.pml takes for granted that the server ends a lease after the deadline of its owner,
 * and a grace after the deadlines of all who held something before the data were lost.
 * Here that is shown: Holder has a WRITE and renews its lease as pulse.c and revive.c do,
 * Rival gets the lock as soon as the scripts would give it.  Any number of steps, or none,
 * fits between two ticks, so that each message and each thread may be as slow as it likes. */
#ifndef LEASE
#define LEASE 3 /* ticks */
#endif
#ifndef LOSSES
#define LOSSES 2
#endif

byte losses = LOSSES;

/* The server: what is left of the session's key, and of the grace. */
byte lease = LEASE;
byte epoch = 1, epochs = 1; /* 0: the data are lost */
byte grace; /* while there is no epoch: of what a server needs that was started anew */
bool was_flushed; /* or it runs for longer than it has had no data */
bool rival_holds;

/* Holder: what is left by its own clock, and will be left when the answer counts. */
byte deadline = LEASE, from_sent;
byte epoch_of = 1;

hidden byte renewed;

/* epoch_now() in epoch.lua */
inline epoch_now()
{
    if
    :: epoch == 0 ->
        epochs++;
        epoch = epochs;
        if
        :: was_flushed -> grace = LEASE
        :: else
        fi;
#ifdef NO_EPOCH
        grace = 0;
#endif
        was_flushed = false
    :: else
    fi
}

/* session_extend() in session.c */
inline extend()
{
    if
    :: deadline == 0
#ifdef LEASE_FROM_ANSWER
    :: deadline > 0 -> deadline = LEASE
#endif
    :: deadline < from_sent -> deadline = from_sent
    :: else
    fi
}

#define KNOWN 1
#define UNKNOWN 2
#define LOST 3

proctype Holder()
{
    byte answer, answer_epoch;

end_nap:
    do
    :: atomic { deadline > 0 && deadline < LEASE -> from_sent = LEASE };
        if
        :: from_sent = 0; goto end_nap /* the question or its answer is lost */
        :: atomic { /* PEXPIRE; a guard, or its else would stand beside the line above */
               true ->
               if
               :: lease > 0 -> lease = LEASE; answer = KNOWN
               :: else -> answer = UNKNOWN
               fi
           }
        fi;
        if
        :: from_sent = 0; answer = 0; goto end_nap
        :: atomic { answer == KNOWN -> extend(); from_sent = 0; answer = 0; goto end_nap }
        :: atomic { answer == UNKNOWN && deadline > 0 -> from_sent = LEASE; answer = 0 }
        :: atomic { answer == UNKNOWN && deadline == 0 -> break }
        fi;
        /* reclaim.lua */
        atomic {
            epoch_now();
            answer_epoch = epoch;
            if
            :: lease > 0 || (epoch != epoch_of && grace > 0 && !rival_holds) ->
                if
                :: lease == 0 -> lease = LEASE; answer = KNOWN
                :: else -> answer = KNOWN; from_sent = 0
                fi
            :: else -> answer = LOST
            fi
        };
        if
        :: atomic {
               answer == KNOWN -> epoch_of = answer_epoch; extend();
               from_sent = 0; answer = 0; answer_epoch = 0
           }
        :: atomic { answer == KNOWN -> from_sent = 0; answer = 0; answer_epoch = 0 }
        :: answer == LOST -> deadline = 0; break
        fi
    :: deadline == 0 -> break
    od
}

/* Who waits: acquire.lua purges and grants. */
proctype Rival()
{
end_wait:
    do
    :: d_step { epoch == 0 -> epoch_now() }
    :: d_step { epoch != 0 && lease == 0 && grace == 0 && !rival_holds -> rival_holds = true }
    od
}

#define COUNT_DOWN(what) \
    if \
    :: what > 0 -> what-- \
    :: else \
    fi

proctype Clock()
{
end_tick:
    do
    :: d_step {
           lease + grace + deadline + from_sent > 0 ->
           COUNT_DOWN(lease);
           COUNT_DOWN(grace);
           COUNT_DOWN(deadline);
           COUNT_DOWN(from_sent)
       }
    od
}

proctype World()
{
end_quiet:
    do
    :: atomic {
           losses > 0 -> losses--;
           if
           :: was_flushed = true; grace = 0
           :: was_flushed = false; grace = LEASE
           fi;
           epoch = 0; lease = 0; rival_holds = false
       }
    od
}

init
{
    atomic { run Holder(); run Rival(); run Clock(); run World() }
}

/* Nobody is let in while the holder believes that it holds; and no lease ends before its
 * owner's deadline, while the data are there and the owner is known. */
ltl no_two_holders { [] !(rival_holds && deadline > 0) }
ltl deadline_first { [] (deadline <= lease || epoch == 0 || epoch != epoch_of) }
