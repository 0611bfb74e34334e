/* lock.pml - the lock protocol of framework/lock as a model for spin.
 *
 * One resource, N processes with one session each, one server.  The scripts are in
 * scripts.pml, each one step; the processes' side is in client.pml; here are the data,
 * time, and what may go wrong.  That comes out of budgets: FAULTS messages, CRASHES of
 * processes, LAPSES of leases that their owners do not renew in time, LOSSES of the
 * server's data, BREAKS of a session by others.  OPEN: the sessions are open at the
 * beginning.  FENCES, WRITES, FAIRNESS and LIVENESS say what is looked at, other flags
 * are deliberate mistakes: see test_mistakes.sh.
 *
 * Each thread may be as slow as it likes.  What the model leaves out is told in
 * tests/README.md. */
#ifndef N
#define N 2
#endif
#ifndef ROUNDS
#define ROUNDS 1 /* locks that a process takes, one after the other */
#endif
#ifndef FAULTS
#define FAULTS 0
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef LAPSES
#define LAPSES 0
#endif
#ifndef LOSSES
#define LOSSES 0
#endif
#ifndef BREAKS
#define BREAKS 0
#endif
#ifndef ASK0 /* what the first process asks for: 1 READ, 2 UPDATE, 4 WRITE, or a sum; 0: nothing */
#define ASK0 7
#endif
#ifndef ASK1
#define ASK1 7
#endif
#ifndef ASK2
#define ASK2 7
#endif
#define KINDS(i) ((i) == 0 -> ASK0 : ((i) == 1 -> ASK1 : ASK2))

/* A ticket says who asks, for the how-manieth time, and for what. */
#define NONE 255
#define R 0
#define U 1
#define W 2
#define X 3 /* the WRITE that an UPDATE is raised to */
#define TICKET(i, round, kind) (((i) * ROUNDS + (round)) * 4 + (kind))
#define KIND(t) ((t) & 3)
#define OWNER(t) ((t) / (4 * ROUNDS))
#define BASE(t) ((t) - 2)
#define IS_WRITE(t) (KIND(t) >= W)
#define BIT(t) (1 << (t))
#define OWN_BITS(i) (((1 << (4 * ROUNDS)) - 1) << ((i) * 4 * ROUNDS))

/* Budgets of the environment. */
byte faults = FAULTS, crashes = CRASHES, lapses = LAPSES, losses = LOSSES, breaks = BREAKS;

/* ---- The server's data -------------------------------------------------------- */
#define QUEUE_MAX (N + 1)
bool lease[N];        /* the session's key is there */
bool broken[N];       /* the key is S!, which nobody can renew or use */
bool was_broken[N];   /* over:S */
byte writer = NONE;   /* w:R, the ticket */
byte writer_fence;    /* w:R, the fence */
int readers;          /* r:R, one bit for each ticket */
byte queue[QUEUE_MAX]; /* q:R */
byte queued;
int wake;             /* wake:T */
int over;             /* over:T */
byte epoch = 1;       /* 0: the server lost it */
byte epochs = 1;      /* how many there were: their ids never come again */
bool grace;
byte fence;

/* ---- The processes' data ------------------------------------------------------ */
bool deadline[N];     /* the lease runs by the own clock; else all is lost */
bool is_open[N];      /* registered: the pulse thread runs */
bool crashed[N];
byte epoch_of[N];
byte seq[N];
bool held_mutex[N];
byte held[N];         /* the ticket in the list of what is held */
bool raised[N];       /* and its X ticket as well */
bool lowering[N];     /* which the caller does not need any more */
byte fence_of[N], seen[N];
int orphans;          /* tickets to be given back by the pulse thread */
int orphan_raises;    /* X tickets to be lowered by it */

/* A question that its asker believes lost, and that is under way all the same. */
byte late_op, late_owner, late_ticket, late_of, late_before, late_fence;

/* ---- What only the properties look at ----------------------------------------- */
#define NOTHING 0
#define READING 1
#define UPDATING 2
#define WRITING 3
byte believes[N];     /* what a process may do, while its deadline is not over */
bool calls[N];        /* it is inside acquire, raise, lower or release */
byte newest;          /* the largest fence that the next one must exceed */
bool clock_was_right = true;
int credit;           /* a queued WRITE: readers may pass once; READ: a WRITE may */

#define HOLDS(i) (deadline[i] && believes[i] != NOTHING)
#define CLASH(a, b) ((a) == WRITING || (b) == WRITING || ((a) == UPDATING && (b) == UPDATING))

hidden byte n, m, x, y, found, was, first_writer, res, res_fence, res_epoch;
hidden byte is_late;
hidden byte alive_n;
hidden byte alive[QUEUE_MAX];
hidden int doomed;
hidden byte gone, write_gone, now_write_gone, readers_first, phase, stop, let_in, again, ok;
hidden byte asking;
hidden byte asked_of, asked_before, asked_claim, asked_fence; /* by the question */

inline ask_forget()
{
    asked_of = 0; asked_before = 0; asked_claim = 0; asked_fence = 0
}

inline late_forget()
{
    late_op = 0; late_owner = 0; late_ticket = 0; late_of = 0; late_before = 0; late_fence = 0
}

#include "scripts.pml"
#include "client.pml"

/* ---- Time -------------------------------------------------------------------------------
 * The server ends a lease after its owner's deadline, and a grace after the deadlines of
 * all who may still hold from before: lease.pml shows why. */
#define IS_UNKNOWN_HOLDER(i) (deadline[i] && is_open[i] && !lease[i])
#if N == 2
#define SOMEBODY_MAY_COME (IS_UNKNOWN_HOLDER(0) || IS_UNKNOWN_HOLDER(1))
#else
#define SOMEBODY_MAY_COME \
    (IS_UNKNOWN_HOLDER(0) || IS_UNKNOWN_HOLDER(1) || IS_UNKNOWN_HOLDER(2))
#endif
#ifdef WAITER_RENEWS
#define RENEWED_BY_OTHERS(i) \
    (queued > 0 && ((writer != NONE && OWNER(writer) == (i)) || (readers & OWN_BITS(i))))
#else
#define RENEWED_BY_OTHERS(i) false
#endif
#define CAN_EXPIRE(i) (lease[i] && !deadline[i] && !RENEWED_BY_OTHERS(i))

proctype Clock()
{
end_tick:
    do
    :: d_step { CAN_EXPIRE(0) -> lease[0] = false }
    :: d_step { CAN_EXPIRE(1) -> lease[1] = false }
#if N > 2
    :: d_step { CAN_EXPIRE(2) -> lease[2] = false }
#endif
    :: d_step { grace && !SOMEBODY_MAY_COME -> grace = false }
    od
}

/* ---- What may happen -------------------------------------------------------------------- */
inline server_loses_all()
{
    writer = NONE; writer_fence = 0; readers = 0; wake = 0; over = 0; fence = 0; credit = 0;
    n = 0;
    do
    :: n < QUEUE_MAX -> queue[n] = 0; n++
    :: else -> break
    od;
    queued = 0;
    n = 0;
    do
    :: n < N -> lease[n] = false; broken[n] = false; was_broken[n] = false; n++
    :: else -> break
    od;
    epoch = 0;
    grace = false
}

inline crash(i)
{
    crashed[i] = true;
    lose(i);
    calls[i] = false; held_mutex[i] = false;
    epoch_of[i] = 0; seq[i] = 0; fence_of[i] = 0; seen[i] = 0; is_open[i] = true;
    orphans = orphans & ~OWN_BITS(i);
    orphan_raises = orphan_raises & ~OWN_BITS(i)
}

inline any_process(i)
{
    do
    :: i < N - 1 -> i++
    :: break
    od
}

proctype World()
{
    byte i, op;

end_quiet:
    do
    :: atomic {
           crashes > 0 ->
           any_process(i);
           d_step {
               if
               :: !crashed[i] -> crashes--; crash(i)
               :: else
               fi;
               i = 0
           }
       }
    /* A lease that is not renewed in time: the process is stopped or cut off. */
    :: atomic {
           lapses > 0 ->
           any_process(i);
           d_step {
               if
               :: deadline[i] -> lapses--; deadline[i] = false
               :: else
               fi;
               i = 0
           }
       }
    :: atomic {
           losses > 0 -> losses--;
           d_step { server_loses_all() }
#ifdef FENCES
           ;
           if
           :: true
           :: clock_was_right = false; newest = 0
           fi
#endif
       }
    :: atomic {
           breaks > 0 ->
           any_process(i);
           d_step {
               if
               :: SESSION_ALIVE(i) -> breaks--; op = BREAK; serve(i, 0); op = 0; res = 0
               :: else
               fi;
               i = 0
           }
       }
    :: d_step { late_op != 0 ->
           op = late_op;
           asked_of = late_of; asked_before = late_before; asked_claim = late_ticket;
           asked_fence = late_fence;
           is_late = 1;
           serve(late_owner, late_ticket);
           is_late = 0;
           ask_forget();
           late_forget();
           op = 0; res = 0 }
    /* A dead process of this host, or a child, is ended by who sees it. */
    :: atomic {
           crashes < CRASHES ->
           any_process(i);
           d_step {
               if
               :: crashed[i] && lease[i] -> op = CLOSE; serve(i, 0); op = 0; res = 0
               :: else
               fi;
               i = 0
           }
       }
#ifdef LIVENESS /* nothing of all that need happen */
    :: break
#endif
    od;
    atomic { crashes = 0; lapses = 0; losses = 0; breaks = 0; late_forget() }
}

init
{
    atomic {
        n = 0;
        do
        :: n < N ->
            held[n] = NONE;
#ifdef OPEN
            lease[n] = true; deadline[n] = true; is_open[n] = true; epoch_of[n] = 1;
#endif
            n++
        :: else -> break
        od;
        n = 0;
        do
        :: n < N -> run User(n); run Pulse(n); n++
        :: else -> break
        od;
        run Clock();
        run World()
    }
}

/* Property 3: who calls for a lock, or gives one back, does not do so for ever. */
#ifdef LIVENESS
never
{
    do
    :: calls[0] -> break
    :: true
    od;
accept_calls:
    do
    :: calls[0]
    od
}
#endif
