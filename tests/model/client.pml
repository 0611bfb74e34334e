/* client.pml - a process's side: the thread that takes a lock, and the one that renews. */
/* ---- Messages --------------------------------------------------------------------- */
#define ARRIVES 0       /* the script ran, the answer is under way */
#define NOT_ASKED 1     /* the question is lost */
#define NOT_ANSWERED 2  /* the script ran, the answer is lost */
#define COMES_LATE 3    /* taken for lost, but under way */

/* A question names the epoch that it is meant for: a reclaim the server's, an acquire
 * the one in which the session was entered. */
#define MEANT(i, op) ((op) == RECLAIM -> epoch : epoch_of[i])

/* redis_link_eval(): fate and, when ARRIVES, the answer in the names given. */
inline ask(i, t, fate, answer, answer_fence, answer_epoch)
{
    if
    :: fate = ARRIVES
    :: faults > 0 -> faults--; fate = NOT_ASKED
    :: faults > 0 -> faults--; fate = NOT_ANSWERED
    :: faults > 0 && late_op == 0 && op <= RECLAIM ->
        faults--; fate = COMES_LATE
    fi;
    d_step {
        asked_of = MEANT(i, op);
        asked_before = epoch_of[i];
        asked_claim = (held[i] == NONE -> NONE : CLAIMS(i));
        asked_fence = fence_of[i];
        if
        :: fate == ARRIVES || fate == NOT_ANSWERED -> serve(i, t)
        :: fate == COMES_LATE ->
            late_op = op; late_owner = i; late_ticket = (op == RECLAIM -> asked_claim : t);
            late_of = asked_of; late_before = asked_before;
            late_fence = (op == RECLAIM -> asked_fence : 0)
        :: else
        fi;
        ask_forget();
        if
        :: fate == ARRIVES ->
            answer = res; answer_fence = res_fence; answer_epoch = res_epoch
        :: else
        fi;
        res = 0; res_fence = 0; res_epoch = 0; asking = NONE
    }
}

/* session_lost: what the process does then is not looked at */
inline lose(i)
{
    deadline[i] = false;
    believes[i] = NOTHING;
    held[i] = NONE;
    raised[i] = false;
    lowering[i] = false
}

/* revive.c, after an answer that the session is not known; fate is NOT_ASKED before.
 * told is set when the server knows it again. */
inline revive(i, asked_seq, told, fate, answer)
{
    do
    :: atomic {
           fate != ARRIVES && !held_mutex[i] && deadline[i] ->
           if
           :: seq[i] != asked_seq -> told = true; fate = ARRIVES
           :: else ->
               claims = true; held_mutex[i] = true; op = RECLAIM;
               ask(i, 0, fate, answer, answer_fence, answer_epoch);
               revive_unsure = revive_unsure || fate >= NOT_ANSWERED
           fi
       }
    :: atomic {
           fate != ARRIVES && claims && deadline[i] -> /* others have their turn */
#ifndef REVIVE_FORGETS
           if
           :: revive_unsure -> seq[i]++; asked_seq = seq[i]
           :: else
           fi;
#endif
           claims = false; held_mutex[i] = false; revive_unsure = false
       }
    :: atomic {
           fate == ARRIVES || claims || !deadline[i] -> /* answered, or given up */
           if
           :: answer == A_LOST -> lose(i)
           :: (answer == A_ALIVE || answer == A_RECLAIMED) && deadline[i] ->
               epoch_of[i] = answer_epoch; seq[i]++; told = true
           :: else
           fi;
#ifndef REVIVE_FORGETS
           if
           :: fate != ARRIVES && revive_unsure -> seq[i]++
           :: else
           fi;
#endif
           if
           :: claims -> held_mutex[i] = false
           :: else
           fi;
           claims = false; answer = 0; answer_epoch = 0; fate = 0; op = 0;
           revive_unsure = false;
           break
       }
    od
}

/* A process begins to hold: property 1. */
inline holds_alone(i)
{
    n = 0;
    do
    :: n < N ->
        if
        :: n != i && HOLDS(n) && HOLDS(i) -> assert(!CLASH(believes[i], believes[n]))
        :: else
        fi;
        n++
    :: else -> break
    od
}

/* Property 4.  A write after the check that allowed it: if the lease has ended in between,
 * the fence is smaller than that of everybody who was let in since. */
inline write_is_fenced(i)
{
    n = 0;
    do
    :: n < N ->
        if
        :: n != i && deadline[i] && HOLDS(n) ->
            assert(!CLASH(believes[i], believes[n]))
#ifdef FENCES
        :: n != i && !deadline[i] && clock_was_right && HOLDS(n) &&
           believes[n] >= UPDATING ->
            assert(fence_of[i] < fence_of[n])
#endif
        :: else
        fi;
        n++
    :: else -> break
    od;
#ifdef FENCES
    assert(!clock_was_right || writer == NONE || OWNER(writer) == i ||
           fence_of[i] < writer_fence)
#endif
}

/* give_back_result(): what a reclaim under way has done is known when it is answered. */
#ifdef COMPARES_UNLOCKED
#define MAY_COMPARE(i) true
#else
#define MAY_COMPARE(i) (!held_mutex[i])
#endif

/* ---- lock.c and attempt.c: a thread that takes a lock and gives it back ------------- */
proctype User(byte i)
{
    byte t = NONE, round, op, fate, answer, answer_fence, answer_epoch, asked_seq;
    bool unsure, lock_unsure, stray, told, claims, revive_unsure, once_raised;

    {
        skip;
#ifndef OPEN
        /* session_open(): the deadline counts from the first question. */
        atomic { op = REGISTER; fate = NOT_ASKED; deadline[i] = true }
        do
        :: fate != ARRIVES -> atomic { ask(i, TICKET(i, 0, R), fate, answer, answer_fence, answer_epoch) }
        :: fate == ARRIVES -> break
        od;
        atomic { epoch_of[i] = answer_epoch; is_open[i] = true; answer = 0; answer_epoch = 0 }
#endif

idle:
        atomic {
            believes[i] = NOTHING; calls[i] = false;
            t = NONE; op = 0; fate = 0; answer = 0; unsure = false; lock_unsure = false; stray = false;
            answer_fence = 0; asked_seq = 0;
            if
            :: !deadline[i] || round == ROUNDS || KINDS(i) == 0 -> goto ended
            :: deadline[i] && round < ROUNDS && (KINDS(i) & 1) -> t = TICKET(i, round, R)
            :: deadline[i] && round < ROUNDS && (KINDS(i) & 2) -> t = TICKET(i, round, U)
            :: deadline[i] && round < ROUNDS && (KINDS(i) & 4) -> t = TICKET(i, round, W)
            fi;
            round++;
            once_raised = false;
            calls[i] = true;
            op = ACQUIRE
        }

attempt: /* attempt_ask() */
        atomic {
            asked_seq = seq[i];
            ask(i, t, fate, answer, answer_fence, answer_epoch);
            answer_epoch = 0;
            if
            :: fate == ARRIVES -> fate = 0
            :: fate != ARRIVES -> fate = 0; unsure = true; goto attempt
            :: fate != ARRIVES -> fate = 0; unsure = true; goto undo
            fi
        }
        if
        :: atomic { answer == A_GRANTED -> answer = 0 };
enter: /* held_add(), held_raise() */
            atomic {
                !held_mutex[i];
                if
                :: seq[i] != asked_seq -> answer_fence = 0; op = ACQUIRE; goto attempt
                :: else
                fi;
                d_step {
                    if
                    :: KIND(t) == X -> raised[i] = true; believes[i] = WRITING
                    :: else -> held[i] = t; believes[i] = KIND(t) + 1
                    fi;
#ifdef FENCES
                    fence_of[i] = answer_fence;
                    if
                    :: answer_fence > seen[i] -> seen[i] = answer_fence
                    :: else
                    fi;
#endif
                    holds_alone(i);
                    answer_fence = 0; op = 0;
                    lock_unsure = lock_unsure || unsure; unsure = false; asked_seq = 0
                };
                calls[i] = false;
                goto hold
            }
        :: atomic { answer == A_QUEUED -> answer = 0; op = 0; goto wait }
        :: atomic { answer == A_LOST -> answer = 0; fate = NOT_ASKED };
            revive(i, asked_seq, told, fate, answer);
            atomic {
                if
                :: told -> told = false; op = ACQUIRE; goto attempt
                :: !told && deadline[i] -> goto undo
                :: !told && !deadline[i] -> goto idle
                fi
            }
        :: atomic {
               answer == A_GONE || answer == A_OVER -> /* only what comes late finds that */
               assert(!deadline[i]); answer = 0; goto idle
           }
        fi;

wait: /* attempt_sleep(): woken, or the nap is over, or time is up or a signal came */
        atomic {
            if
            :: (wake & BIT(t)) ->
                wake = wake & ~BIT(t);
                answer_fence = (KIND(t) == R -> 0 : writer_fence);
                goto enter
            :: (wake & BIT(t)) && faults > 0 -> faults--; wake = wake & ~BIT(t); goto wait
            :: op = LOOK; goto attempt
            :: goto undo
            fi
        }

undo: /* attempt_undo(), one try */
        atomic {
            if
            :: !deadline[i] -> goto idle
            :: else
            fi;
            op = (KIND(t) == X -> LOWER : RELEASE) + unsure;
            lock_unsure = lock_unsure || unsure;
            unsure = false; asked_seq = 0;
            ask(i, t, fate, answer, answer_fence, answer_epoch);
            answer = 0; op = 0;
            if
            :: fate != ARRIVES && KIND(t) == X -> orphan_raises = orphan_raises | BIT(t)
            :: fate != ARRIVES && KIND(t) != X -> orphans = orphans | BIT(t)
            :: fate == ARRIVES
            fi;
            if
            :: KIND(t) == X -> stray = fate != ARRIVES; fate = 0; t = BASE(t); calls[i] = false; goto hold
            :: else -> fate = 0; goto idle
            fi
        }

hold:
        atomic {
            if
            :: KIND(t) == U && !once_raised && deadline[i] -> /* swim_lock_raise() */
                once_raised = true; t = t + 2; calls[i] = true; op = ACQUIRE; goto attempt
            :: !deadline[i] -> goto idle
            :: deadline[i] && !(KIND(t) == U && raised[i]) -> goto use
            fi
        }

use:
#ifdef WRITES
        if
        :: believes[i] >= UPDATING && deadline[i] -> /* swim_lock_check() */
            d_step { write_is_fenced(i) }
        :: else
        fi;
#endif
        atomic {
            calls[i] = true;
            if
            :: KIND(t) == X && deadline[i] -> goto lower_it
            :: deadline[i] -> goto give_back
            :: !deadline[i] -> goto idle
            fi
        }

lower_it: /* swim_lock_lower() */
        atomic {
            believes[i] = UPDATING;
#ifndef LOWER_CLAIMS
            lowering[i] = true;
#endif
            asked_seq = seq[i]
        }
lower_again:
        atomic {
            op = LOWER + lock_unsure;
            ask(i, t, fate, answer, answer_fence, answer_epoch);
            if
            :: fate == ARRIVES -> fate = 0
            :: fate != ARRIVES -> fate = 0; unsure = true; goto lower_again
            :: fate != ARRIVES -> fate = 0; unsure = true; goto give_back /* UNSURE */
            fi
        }
        if
        :: atomic {
               (answer == A_HELD || answer == A_ABSENT) && MAY_COMPARE(i) ->
               if
               :: answer == A_ABSENT && !unsure && seq[i] == asked_seq -> goto taken
               :: else
               fi;
               answer = 0; asked_seq = 0; unsure = false; op = 0;
               !held_mutex[i] ->
               raised[i] = false; lowering[i] = false; t = BASE(t); goto give_back
           }
        :: atomic { answer == A_LOST -> answer = 0; fate = NOT_ASKED; unsure = true };
            asked_seq = seq[i];
            revive(i, asked_seq, told, fate, answer);
            atomic {
                if
                :: told -> told = false; goto lower_again
                :: !told -> goto give_back
                fi
            }
        fi;

give_back: /* swim_lock_release() */
        atomic {
            unsure = false;
            believes[i] = NOTHING;
            if
            :: !deadline[i] -> goto idle
            :: else
            fi;
            !held_mutex[i];
#ifndef FORGETS_RAISE
            /* A raise that was given up, and the server may not know it, goes as well. */
            if
            :: stray -> t = t + 2; lock_unsure = true; stray = false
            :: else
            fi;
#endif
            held[i] = NONE;
            raised[i] = false;
            lowering[i] = false;
            asked_seq = seq[i]
        }
give_again:
        atomic {
            op = (KIND(t) == X -> RELEASE_RAISED : RELEASE) + lock_unsure;
            ask(i, t, fate, answer, answer_fence, answer_epoch);
            if
            :: fate == ARRIVES -> fate = 0
            :: fate != ARRIVES -> fate = 0; unsure = true; goto give_again
            :: fate != ARRIVES -> fate = 0; goto give_up
            fi
        }
        if
        :: atomic {
               (answer == A_HELD || answer == A_ABSENT) && MAY_COMPARE(i) ->
               if
               :: answer == A_ABSENT && !unsure && seq[i] == asked_seq -> goto taken
               :: else -> goto idle
               fi
           }
        :: atomic { answer == A_LOST -> answer = 0; fate = NOT_ASKED; unsure = true };
            revive(i, asked_seq, told, fate, answer);
            atomic {
                if
                :: told -> told = false; goto give_again
                :: !told && deadline[i] -> goto give_up
                :: !told && !deadline[i] -> goto idle
                fi
            }
        fi;
give_up:
        atomic {
            orphans = orphans | BIT(t);
            if
            :: KIND(t) == X -> orphans = orphans | BIT(BASE(t))
            :: else
            fi;
            goto idle
        }
taken: /* give_back_result(): its lock was taken from it.  Property 1c: not while its lease runs. */
#ifndef FALSE_LOSS_IS_FINE
        assert(!deadline[i]);
#endif
        lose(i);
        goto idle;

ended:
        skip
    } unless { crashed[i] };
    atomic {
        t = 0; round = 0; op = 0; fate = 0; answer = 0; answer_fence = 0; answer_epoch = 0;
        asked_seq = 0; unsure = false; lock_unsure = false; stray = false; told = false;
        claims = false; revive_unsure = false; once_raised = false
    }
}

/* ---- pulse.c: the thread that renews ------------------------------------------------- */
proctype Pulse(byte i)
{
    byte op, fate, answer, answer_fence, answer_epoch, asked_seq, orphan;
    bool told, claims, revive_unsure;

    {
        is_open[i];
end_nap:
        do
        /* pulse_renew(): the server does not know the session. */
        :: atomic { deadline[i] && !lease[i] && !held_mutex[i] -> asked_seq = seq[i]; fate = NOT_ASKED };
            revive(i, asked_seq, told, fate, answer);
            atomic { told = false; asked_seq = 0; op = 0 }
        :: atomic {
               SESSION_ALIVE(i) && deadline[i] && ((orphans | orphan_raises) & OWN_BITS(i)) ->
               do
               :: !((orphans | orphan_raises) & OWN_BITS(i) & BIT(orphan)) -> orphan++
               :: else -> break
               od;
               op = ((orphan_raises & BIT(orphan)) -> LOWER_UNSURE : RELEASE_UNSURE);
               ask(i, orphan, fate, answer, answer_fence, answer_epoch);
               if
               :: fate == ARRIVES ->
                   orphans = orphans & ~BIT(orphan);
                   orphan_raises = orphan_raises & ~BIT(orphan)
               :: else
               fi;
               orphan = 0; op = 0; fate = 0; answer = 0; answer_fence = 0
           }
        :: atomic { !deadline[i] || broken[i] -> lose(i); op = CLOSE };
            atomic {
                ask(i, 0, fate, answer, answer_fence, answer_epoch);
                orphans = orphans & ~OWN_BITS(i);
                orphan_raises = orphan_raises & ~OWN_BITS(i);
                break
            }
        od
    } unless { crashed[i] };
    atomic {
        op = 0; fate = 0; answer = 0; answer_fence = 0; answer_epoch = 0; asked_seq = 0;
        orphan = 0; told = false; claims = false; revive_unsure = false
    }
}
