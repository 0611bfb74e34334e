/* scripts.pml - the server's side: framework/lock/scripts, under the names they have there. */
/* ---- common.lua ---------------------------------------------------------------- */
#define SESSION_ALIVE(i) (lease[i] && !broken[i])
#ifdef NO_PURGE
#define OWNER_ALIVE(t) true
#else
#define OWNER_ALIVE(t) (lease[OWNER(t)])
#endif
#ifdef HANDOFF_TO_DEAD
#define MAY_BE_LET_IN(t) true
#else
#define MAY_BE_LET_IN(t) OWNER_ALIVE(t)
#endif
#ifdef PURGE_BY_CLIENT_CLOCK /* a fast one: the leases of others are over by it */
#define SEEN_DEAD(t) (OWNER(t) != OWNER(asking))
#else
#define SEEN_DEAD(t) (!OWNER_ALIVE(t))
#endif

inline queue_find(t)
{
    found = 0;
    do
    :: found < queued && queue[found] != t -> found++
    :: else -> break
    od
}

inline queue_remove(t)
{
    queue_find(t);
    if
    :: found < queued ->
        do
        :: found + 1 < queued -> queue[found] = queue[found + 1]; found++
        :: else -> break
        od;
        queued--;
        queue[queued] = 0;
        credit = credit & ~BIT(t)
    :: else
    fi
}

/* A raise goes before all, the others behind all. */
inline queue_add(t)
{
    assert(queued < QUEUE_MAX);
    if
    :: KIND(t) == X ->
        found = queued;
        do
        :: found > 0 -> queue[found] = queue[found - 1]; found--
        :: else -> break
        od;
        queue[0] = t
    :: else -> queue[queued] = t
    fi;
    queued++;
#ifdef FAIRNESS
    if
    :: KIND(t) == R || (writer != NONE && IS_WRITE(writer)) -> credit = credit | BIT(t)
    :: else
    fi
#endif
}

/* Property 5.  Readers pass a WRITE that waits in one phase for each WRITE that was
 * held meanwhile, which is when that one ends; a READ that waits is passed by one WRITE. */
inline grant_is_fair(t)
{
    skip;
#ifdef FAIRNESS
    y = 0;
    do
    :: y < queued && queue[y] != t && lease[OWNER(queue[y])] ->
        if
        :: KIND(t) == R && IS_WRITE(queue[y]) ->
            assert(phase && (credit & BIT(queue[y])))
        :: else
        fi;
        y++
    :: y < queued && queue[y] != t -> y++
    :: else -> break
    od;
    if
    :: IS_WRITE(t) ->
        y = 0;
        do
        :: y < queued ->
            if
            :: queue[y] == t || !lease[OWNER(queue[y])]
            :: else ->
                if
                :: KIND(queue[y]) == R ->
                    assert(credit & BIT(queue[y]));
                    credit = credit & ~BIT(queue[y])
                :: IS_WRITE(queue[y]) -> credit = credit | BIT(queue[y])
                :: else
                fi
            fi;
            y++
        :: else -> break
        od
    :: else
    fi
#endif
}

/* All of the doomed sessions. */
inline leave_queue()
{
    n = 0;
    do
    :: n < queued ->
        if
        :: doomed & (1 << OWNER(queue[n])) -> x = queue[n]; queue_remove(x); gone = true
        :: else -> n++
        fi
    :: else -> break
    od
}

inline grant(t)
{
    assert(SESSION_ALIVE(OWNER(t))); /* property 3a: nothing is handed to the dead */
    if
    :: KIND(t) == R -> readers = readers | BIT(t)
    :: else ->
        writer = t;
#ifdef FENCES
#ifndef FENCE_STANDS_STILL
        fence++;
        assert(fence > newest); /* property 2 */
#endif
        newest = fence;
        writer_fence = fence
#endif
    fi
}

inline admit(t)
{
    grant_is_fair(t);
    queue_remove(t);
    grant(t);
    if
    :: t != asking -> wake = wake | BIT(t)
    :: else
    fi
}

/* The phase of readers is over: each WRITE that they passed has had its one. */
inline phase_ends()
{
    skip;
#ifdef FAIRNESS
    y = 0;
    do
    :: y < queued ->
        if
        :: IS_WRITE(queue[y]) -> credit = credit & ~BIT(queue[y])
        :: else
        fi;
        y++
    :: else -> break
    od
#endif
}

inline queued_alive()
{
    alive_n = 0;
    n = 0;
    do
    :: n < queued ->
        if
        :: MAY_BE_LET_IN(queue[n]) -> alive[alive_n] = queue[n]; alive_n++
        :: else -> doomed = doomed | (1 << OWNER(queue[n]))
        fi;
        n++
    :: else -> break
    od
}

/* The readers first when a WRITE has gone; then all, in the order of the queue. */
inline advance()
{
    if
    :: queued == 0 || grace || (writer != NONE && IS_WRITE(writer))
    :: else ->
        queued_alive();
        phase = now_write_gone && alive_n > 0;
        readers_first = phase;
        first_writer = writer;
        n = 0;
        stop = false;
        do
        :: phase && n == alive_n -> phase_ends(); phase = false; n = 0
        :: n < alive_n && !stop ->
            x = alive[n];
            let_in = (phase -> KIND(x) == R :
                     (KIND(x) == R -> !readers_first :
                     (KIND(x) == U -> first_writer == NONE :
                      readers == 0 && (first_writer == NONE || KIND(x) == X))));
            if
            :: let_in -> admit(x)
            :: else
            fi;
            if
            :: !phase && KIND(x) == U -> first_writer = x
#ifdef READERS_PASS
            :: !phase && IS_WRITE(x) -> first_writer = x; stop = let_in
#else
            :: !phase && IS_WRITE(x) -> stop = true
#endif
            :: else
            fi;
            n++
        :: else -> break
        od
    fi;
    alive_n = 0
}

/* was: 0 nothing, 1 queued, 2 held */
inline remove(t)
{
    was = 0;
    queue_find(t);
    if
    :: readers & BIT(t) -> readers = readers & ~BIT(t); was = 2
    :: writer == t ->
        writer = NONE; writer_fence = 0; was = 2;
        write_gone = write_gone || IS_WRITE(t)
    :: found < queued -> queue_remove(t); was = 1
    :: else
    fi;
    gone = gone || was
}

/* Forget the doomed sessions and all that they hold and wait for. */
#define IS_DOOMED(t) (doomed & (1 << OWNER(t)))
inline forget()
{
    n = 0;
    do
    :: n < N ->
        if
        :: doomed & (1 << n) ->
            gone = gone || (readers & OWN_BITS(n));
            readers = readers & ~OWN_BITS(n);
            wake = wake & ~OWN_BITS(n);
            lease[n] = false;
            broken[n] = false
        :: else
        fi;
        n++
    :: else -> break
    od;
    if
    :: writer != NONE && IS_DOOMED(writer) ->
        write_gone = write_gone || IS_WRITE(writer);
        writer = NONE; writer_fence = 0; gone = true
    :: else
    fi;
    leave_queue();
    doomed = 0
}

inline settle()
{
    do
    :: doomed != 0 -> forget()
    :: doomed == 0 && gone ->
        gone = false; now_write_gone = write_gone; write_gone = false;
        advance()
    :: else -> break
    od
}

/* ---- epoch.lua ------------------------------------------------------------------ */
#define FENCE_AT_LEAST(value) \
    if \
    :: (value) > fence -> fence = value \
    :: else \
    fi

inline epoch_now(i)
{
    if
    :: epoch == 0 ->
        epochs++;
        epoch = epochs;
#if defined(FENCES) && !defined(FENCE_RESET)
        if
        :: clock_was_right -> FENCE_AT_LEAST(newest)
        :: else
        fi;
        FENCE_AT_LEAST(seen[i]);
#endif
#ifndef NO_EPOCH
        grace = true
#endif
    :: else
#if defined(FENCES) && !defined(FENCE_RESET) && !defined(FENCE_OF_FIRST)
        FENCE_AT_LEAST(seen[i])
#endif
    fi;
#ifdef FENCES
    if
    :: seen[i] > newest -> newest = seen[i]
    :: else
    fi;
#endif
    res_epoch = epoch
}

/* ---- The other scripts; res is the answer ---------------------------------------- */
#define REGISTER 1
#define ACQUIRE 2  /* how is wait */
#define LOOK 3     /* how is who */
#define RELEASE 4  /* how is plain or cancel */
#define RELEASE_UNSURE 5
#define RELEASE_RAISED 6
#define RELEASE_RAISED_UNSURE 7
#define LOWER 8
#define LOWER_UNSURE 9
#define RECLAIM 10
#define CLOSE 11
#define BREAK 12

#define A_GRANTED 1
#define A_QUEUED 2
#define A_LOST 3
#define A_GONE 4
#define A_OVER 5
#define A_HELD 6
#define A_ABSENT 7
#define A_ALIVE 8
#define A_RECLAIMED 9
#define A_DONE 10

/* Late, it enters a session that nobody uses: each question has a name of its own. */
inline register(i)
{
    epoch_now(i);
#ifdef SAME_NAME
    lease[i] = true;
    broken[i] = false;
#else
    lease[i] = lease[i] || is_late == 0;
#endif
    n = 0;
    do
    :: n < N ->
        if
#ifndef NO_PURGE
        :: !lease[n] -> doomed = doomed | (1 << n)
#endif
        :: else
        fi;
        n++
    :: else -> break
    od;
    res = A_DONE
}

inline clean()
{
    n = 0;
    do
    :: n < N * ROUNDS * 4 ->
        if
        :: ((readers & BIT(n)) || writer == n) ->
            if
            :: SEEN_DEAD(n) -> doomed = doomed | (1 << OWNER(n))
            :: else
            fi
        :: else
        fi;
        n++
    :: else -> break
    od;
    queued_alive();
    gone = true
}

#define GRANTED(t) ((readers & BIT(t)) || writer == t)

#ifdef ANY_EPOCH
#define IS_OF_EPOCH true
#else
#define IS_OF_EPOCH (asked_of == epoch)
#endif

inline acquire(i, t)
{
    asking = t;
    res = A_QUEUED;
    if
    :: !SESSION_ALIVE(i) || !IS_OF_EPOCH -> res = A_LOST
#ifndef NO_TOMBSTONE
    :: SESSION_ALIVE(i) && IS_OF_EPOCH && (over & BIT(t)) -> res = A_OVER
#endif
    :: else ->
        queue_find(t);
        if
        :: GRANTED(t) || found < queued -> again = op == LOOK
        :: else ->
            if
            :: KIND(t) == X && writer != BASE(t) -> res = A_GONE
            :: else -> queue_add(t); gone = true; again = op == LOOK
            fi
        fi
    fi
}

/* After it has settled: look whether the dead are in the way, and settle again. */
inline acquire_again(t)
{
    if
    :: again && !GRANTED(t) -> clean()
    :: else
    fi;
    again = false
}

inline acquire_answer(t)
{
    if
    :: res == A_QUEUED && GRANTED(t) ->
        wake = wake & ~BIT(t);
        res = A_GRANTED;
        res_fence = (KIND(t) == R -> 0 : writer_fence)
    :: else
    fi
}

inline release(i, t)
{
    ok = false;
    x = t;
    do
    :: broken[i] -> break /* what S! holds has other names */
    :: else ->
        remove(x);
        ok = ok || was != 0;
        if
        :: (op == RELEASE_RAISED || op == RELEASE_RAISED_UNSURE) && x == t -> x = BASE(t)
        :: else -> break
        fi
    od;
    if
    :: op == RELEASE_UNSURE || op == RELEASE_RAISED_UNSURE -> over = over | BIT(t)
    :: else
    fi;
    wake = wake & ~BIT(t);
    res = (ok -> A_HELD : (SESSION_ALIVE(i) -> A_ABSENT : A_LOST))
}

inline lower(i, t)
{
    res = A_ABSENT;
    if
    :: broken[i]
    :: !broken[i] && writer == t ->
        writer = BASE(t); gone = true; write_gone = true; res = A_HELD
    :: else ->
        queue_find(t);
        if
        :: found < queued -> queue_remove(t); gone = true; res = A_HELD
        :: else
        fi
    fi;
    if
    :: op == LOWER_UNSURE -> over = over | BIT(t)
    :: else
    fi;
    wake = wake & ~BIT(t);
    if
    :: !SESSION_ALIVE(i) -> res = A_LOST
    :: else
    fi
}

#define CLAIMS_RAISED(i) (raised[i] && !lowering[i])
#define CLAIMS(i) (CLAIMS_RAISED(i) -> held[i] + 2 : held[i])
#ifdef ANY_RECLAIM
#define IS_MEANT true
#else
#define IS_MEANT (is_late == 0 || asked_of == epoch) /* in time it is asked again */
#endif

inline reclaim(i)
{
    epoch_now(i);
    if
    :: SESSION_ALIVE(i) -> res = A_ALIVE
    :: !SESSION_ALIVE(i) &&
       (!IS_MEANT || epoch == asked_before || was_broken[i] || (asked_claim != NONE && !grace)) ->
        res = A_LOST
    :: else ->
        res = A_RECLAIMED;
        if
        :: asked_claim == NONE
        :: asked_claim != NONE && KIND(asked_claim) == R ->
            if
            :: writer != NONE && IS_WRITE(writer) -> res = A_LOST
            :: else -> readers = readers | BIT(asked_claim)
            fi
        :: else ->
            if
            :: writer != NONE || (IS_WRITE(asked_claim) && readers != 0) -> res = A_LOST
            :: else -> writer = asked_claim; writer_fence = asked_fence
            fi
        fi;
        /* property 1b: in the grace nobody is in the way of what is told anew */
        assert(res == A_RECLAIMED || broken[i] || is_late == 1);
        if
        :: res == A_RECLAIMED -> lease[i] = true; broken[i] = false
        :: else
        fi
    fi
}

/* break.lua, of one who may be alive: its places in the queue are given up, what it holds
 * is held by S! until the lease is over or it is closed. */
inline break_session(i)
{
    doomed = 1 << i;
    leave_queue();
    doomed = 0;
    wake = wake & ~OWN_BITS(i);
    broken[i] = true;
    was_broken[i] = true
}

inline serve(i, t)
{
    gone = false; write_gone = false; doomed = 0; asking = NONE; again = false;
    res = 0; res_fence = 0; res_epoch = 0;
    if
    :: op == REGISTER -> register(i)
    :: op == ACQUIRE || op == LOOK -> acquire(i, t)
    :: op >= RELEASE && op <= RELEASE_RAISED_UNSURE -> release(i, t)
    :: op == LOWER || op == LOWER_UNSURE -> lower(i, t)
    :: op == RECLAIM -> reclaim(i)
    :: op == CLOSE -> doomed = 1 << i; res = A_DONE
    :: op == BREAK -> break_session(i)
    fi;
    do
    :: true ->
        settle();
        if
        :: again -> acquire_again(t)
        :: else -> break
        fi
    od;
    if
    :: op == ACQUIRE || op == LOOK -> acquire_answer(t)
    :: else
    fi
}
