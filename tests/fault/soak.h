/* soak.h - what the driver of the soak and its workers share.
 *
 * The driver (soak.c, soak_faults.c) starts workers (soak_worker.c) and a server, and
 * does harm to both.  All write down what they did, with the time (CLOCK_BOOTTIME, ns);
 * check_history.py judges it. */
#ifndef SWIM_SOAK_H
#define SWIM_SOAK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <h5swim/lock.h>

#include "redis_fixture.h"

#define RESOURCES 4
#define WORKERS 7
#define LEASE_MIN_MS 1000
#define LEASE_MAX_MS 2000

/* A file in the folder of the round, mapped by all. */
struct board {
    /* What the locks protect: a storage that refuses lower fences.  The fence of the
     * last write, and in the lowest bits a count of the writes. */
    _Atomic uint64_t cells[RESOURCES];
    _Atomic uint64_t operations;
    atomic_int stop;
    atomic_int holds[WORKERS][RESOURCES]; /* UPDATEs and WRITEs held */
    _Atomic int64_t keep_ns[WORKERS];     /* until then it keeps what it holds */
};

#define CELL_BITS 12
#define CELL_MASK ((UINT64_C(1) << CELL_BITS) - 1)

struct board *board_open(const char *dir, bool create);
void resource_name(char *name, size_t size, int resource);

/* soak_worker.c: argv after "worker"; its exit status. */
int worker_main(int argc, char **argv);

/* Append one line to a history, whole or not at all, also when the process is killed in
 * the next instant. */
void history_write(int fd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int history_open(const char *dir, const char *name);

/* A small generator: the same seed, the same sequence, everywhere. */
uint32_t dice(uint64_t *state);
/* 0 to n - 1. */
int dice_below(uint64_t *state, int n);

struct worker {
    pid_t pid;
    int generation;
    bool stopped;
    const char *stop_kind; /* for the history */
    int64_t stopped_ns;    /* when it was told to stop */
    int64_t continue_ns;   /* when it is to go on */
};

struct driver {
    const char *dir;
    const char *program;
    bool appends; /* the server keeps an append-only file, else it is told to save */
    uint64_t dice;
    int history;
    struct redis_fixture redis;
    swim_session_t *session; /* has the longest lease of all */
    struct board *board;
    struct worker workers[WORKERS];
    int failures;
};

void driver_fail(struct driver *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void worker_start(struct driver *d, int index);
void worker_stop(struct driver *d, int index, int64_t for_ms, const char *kind);
void worker_continue(struct driver *d, int index);
/* Note that it is stopped no longer. */
void worker_goes_on(struct driver *d, int index);
/* Note that it is dead. */
void kill_note(struct driver *d, int index, int64_t sent_ns, int signo);
/* Continue those whose time has come, and see that none has ended by itself. */
void workers_look(struct driver *d);
/* Sleep, while looking after the workers. */
void driver_nap(struct driver *d, int64_t ms);
/* The driver's session has told the server what it is, as its lease is the longest. */
void driver_come_back(struct driver *d);

/* soak_faults.c: decks of faults, each in random order; gap_ms: the longest time
 * between two faults. */
void faults_run(struct driver *d, int decks, int gap_ms);

/* Stop a worker in the middle of an UPDATE or WRITE: its number; -1: none was met. */
int stop_a_holder(struct driver *d, int64_t for_ms, const char *kind, int tries);

#endif /* SWIM_SOAK_H */
