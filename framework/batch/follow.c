/* follow.c - a job whose inputs are still being written. */
#include "batch/follow.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "batch/rank.h"
#include "core/clock.h"
#include "core/log.h"
#include "lock/notice.h"

#define LOOK_NS 1000000000LL /* when no word comes */
#define LOOKS 3              /* at a state that is gone when it is opened */

struct follow {
    struct setup_epoch epoch;
    struct source *sources[SETUP_INPUTS_MAX]; /* at its states; inputs in one file share
                                                 one; NULL: closed */
    struct lock_notice *notices[SETUP_INPUTS_MAX]; /* NULL: in the file of another one,
                                                      or there is no word to be had */
    bool over;                                     /* the pass is */
    bool word;                                     /* there is something to look at */
    bool unsure;     /* what was handed out may be lost: the outputs tell */
    bool renew;      /* the states of the epoch are kept by nobody */
    uint64_t n_gone; /* ranks, when the pass began */
    int64_t look_ns, grown_ns;
};

/* What a look has found. */
struct found {
    struct source *sources[SETUP_INPUTS_MAX];
    struct source_state states[SETUP_INPUTS_MAX];
    uint64_t rows; /* that all have */
    bool ended;
};

/* --- all ranks ---------------------------------------------------------------------
 */

void follow_take_orders(struct rank *r, const struct rank_orders *orders)
{
    struct setup_epoch *told = &r->told;

    if (!orders->epoch || r->follow)
        return;
    if (told->number != orders->epoch) {
        told->number = r->report.epoch = orders->epoch;
        told->rows = orders->rows;
        told->last = orders->last;
        told->n_states = orders->n_states;
        r->report.n_states = 0;
    }
    if (r->report.n_states >= told->n_states)
        return;
    r->hurry = true;
    told->states[r->report.n_states++] = orders->state;
    if (r->report.n_states == told->n_states) {
        setup_take_rows(r->setup, told->rows);
        region_set_epoch(r->worker.region, told);
    }
}

/* --- word of commits ----------------------------------------------------------------
 */

/* The first input that is in the same file. */
static uint32_t first_of_file(const struct setup *setup, uint32_t number)
{
    uint32_t i = 0;

    while (strcmp(setup->inputs[i].info->file, setup->inputs[number].info->file) != 0)
        i++;
    return i;
}

static void listen_to(struct rank *r, uint32_t number)
{
    const char *file = setup_first(r->setup)->inputs[number].info->file;
    struct follow *f = r->follow;
    char resource[PATH_MAX];

    if (!f->notices[number] && first_of_file(setup_first(r->setup), number) == number &&
        swim_resource_of_file(file, resource, sizeof(resource), NULL) == SWIM_OK)
        (void)lock_notice_open(r->session, resource, &f->notices[number], NULL);
}

uint32_t follow_fds(const struct rank *r, struct pollfd *fds)
{
    uint32_t n = 0;

    for (uint32_t i = 0; r->follow && i < setup_first(r->setup)->n_inputs; i++)
        if (r->follow->notices[i])
            fds[n++] =
                (struct pollfd){lock_notice_fd(r->follow->notices[i]), POLLIN, 0};
    return n;
}

/* All that was said; one that is deaf is replaced at the next look. */
static void hear(struct follow *f, uint32_t number)
{
    char text[64];
    int rc;

    do {
        rc = lock_notice_wait(f->notices[number], 0, NULL, text, sizeof(text), NULL);
        f->word = f->word || rc == SWIM_OK;
    } while (rc == SWIM_OK);
    if (rc == SWIM_ERR_TIMEOUT || rc == SWIM_ERR_CANCELLED)
        return;
    f->word = true;
    lock_notice_close(f->notices[number]);
    f->notices[number] = NULL;
}

void follow_hear(struct rank *r, const struct pollfd *fds, uint32_t n)
{
    struct follow *f = r->follow;

    for (uint32_t i = 0, k = 0; k < n && i < setup_first(r->setup)->n_inputs; i++)
        if (f->notices[i] && fds[k++].revents)
            hear(f, i);
}

/* --- looking -----------------------------------------------------------------------
 */

static void sources_close(struct source **sources, bool leave)
{
    for (uint32_t i = 0; i < SETUP_INPUTS_MAX; i++) {
        struct source *source = sources[i];
        for (uint32_t k = i; k < SETUP_INPUTS_MAX; k++)
            if (sources[k] == source)
                sources[k] = NULL;
        if (leave)
            source_leave(source);
        else
            source_close(source);
    }
}

/* A process that has a file open gets the same state again, unless it names another. */
static int open_last(const struct rank *r, const char *file, bool named,
                     struct source **source, struct source_state *state,
                     swim_error_t *err)
{
    const struct store_access access = {
        .session = r->session,
        .wait_ms = r->worker.wait_ms,
        .tells = run_tells(r->options),
    };
    int rc = SWIM_ERR_IO;

    for (int i = 0; rc == SWIM_ERR_IO && i < LOOKS; i++) {
        swim_error_clear(err);
        rc = named ? source_last(file, &access, state, err) : SWIM_OK;
        if (rc == SWIM_OK)
            rc = source_open(file, &access, named ? state : NULL, source, err);
        if (rc == SWIM_OK)
            rc = named ? source_keep(*source, err) : source_state(*source, state, err);
        /* A journal that was written anew before it was kept has it no more. */
        if (rc == SWIM_OK)
            rc = source_look(*source, true, err);
        if (rc != SWIM_OK) {
            source_leave(*source);
            *source = NULL;
        }
    }
    return rc;
}

static int open_input(const struct rank *r, uint32_t number, struct found *found,
                      swim_error_t *err)
{
    const struct setup_input *in = &setup_first(r->setup)->inputs[number];
    uint32_t first = first_of_file(setup_first(r->setup), number);
    bool named = r->follow->sources[0] != NULL;
    int rc = SWIM_OK;

    if (first == number)
        rc = open_last(r, in->info->file, named, &found->sources[number],
                       &found->states[number], err);
    found->sources[number] = found->sources[first];
    found->states[number] = found->states[first];
    if (rc == SWIM_OK &&
        source_state_inode(&found->states[number]) != source_state_inode(&in->state))
        rc = swim_error_set(err, SWIM_ERR_IO,
                            "follow %s: it was replaced by another file while the job "
                            "followed it",
                            in->info->file);
    return rc;
}

/* Rows that all inputs have.  No more come when one of them has ended that has no
 * others than these. */
static int count_rows(const struct rank *r, struct found *found, swim_error_t *err)
{
    const struct setup *setup = setup_first(r->setup);
    uint64_t rows[SETUP_INPUTS_MAX];
    int rc = SWIM_OK;

    found->rows = UINT64_MAX;
    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_inputs; i++) {
        const struct dataset_info *info = setup->inputs[i].info;
        rc = dataset_rows(found->sources[i], info, &rows[i], err);
        if (rc == SWIM_OK && rows[i] < r->follow->epoch.rows)
            rc = swim_error_set(err, SWIM_ERR_IO,
                                "follow %s:%s: it has become shorter, from %" PRIu64
                                " to %" PRIu64 " rows, while the job followed it",
                                info->file, info->path, r->follow->epoch.rows, rows[i]);
        if (rc == SWIM_OK && rows[i] < found->rows)
            found->rows = rows[i];
    }
    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_inputs; i++)
        if (rows[i] == found->rows &&
            dataset_has_attribute(found->sources[i], setup->inputs[i].info,
                                  r->job->follow_until))
            found->ended = true;
    return rc;
}

static int look(struct rank *r, struct found *found, swim_error_t *err)
{
    struct follow *f = r->follow;
    int rc = SWIM_OK;

    memset(found, 0, sizeof(*found));
    f->word = false; /* what is committed from here on brings another one */
    for (uint32_t i = 0; rc == SWIM_OK && i < setup_first(r->setup)->n_inputs; i++) {
        listen_to(r, i);
        rc = open_input(r, i, found, err);
    }
    if (rc == SWIM_OK)
        rc = count_rows(r, found, err);
    if (rc != SWIM_OK)
        sources_close(found->sources, true);
    f->look_ns = swim_clock_mono_ns() + LOOK_NS;
    return rc;
}

/* --- epochs ------------------------------------------------------------------------
 */

static bool is_partial(const struct rank *r, uint64_t rows)
{
    return rows % r->setup->blocks.size[0] != 0;
}

/* Of a pass in which nobody died all is done, but for rows that have come since. */
static uint64_t done_before(const struct rank *r, uint64_t rows)
{
    const struct blocks *b = &r->setup->blocks;
    uint64_t whole = b->extent[0] > rows ? rows / b->size[0] * b->size[0] : rows;

    return (whole + b->size[0] - 1) / b->size[0] * blocks_band(b);
}

static int set_pass(struct rank *r, uint64_t rows_before, swim_error_t *err)
{
    struct follow *f = r->follow;
    uint64_t n = r->setup->blocks.n, left = 0;

    f->over = false;
    if (f->epoch.last)
        return zero_look(r, err);
    if (f->unsure) {
        f->unsure = false;
        return zero_pass(r, 0, &left, err);
    }
    uint64_t before = n ? done_before(r, rows_before) : 0;
    memset(r->done, 0, (n + 7) / 8);
    for (uint64_t b = 0; b < before; b++)
        r->done[b / 8] = (unsigned char)(r->done[b / 8] | 1U << b % 8);
    r->link->ops->set_pass(r->link, 0, r->done);
    return SWIM_OK;
}

/* The sources of found are the follow's from here on. */
static int begin_epoch(struct rank *r, struct found *found, uint64_t rows, bool last,
                       swim_error_t *err)
{
    struct follow *f = r->follow;
    uint64_t before = f->epoch.rows;

    sources_close(f->sources, true);
    memcpy(f->sources, found->sources, sizeof(f->sources));
    f->epoch.number++;
    f->epoch.rows = rows;
    f->epoch.last = last;
    f->epoch.n_states = setup_first(r->setup)->n_inputs;
    memcpy(f->epoch.states, found->states, sizeof(f->epoch.states));
    setup_take_rows(r->setup, rows);
    region_set_epoch(r->worker.region, &f->epoch);
    r->report.epoch = f->epoch.number;
    r->report.n_states = f->epoch.n_states;
    r->hurry = true;
    int rc = zero_make_room(r, err);
    if (rc == SWIM_OK)
        rc = r->link->ops->set_epoch(r->link, &f->epoch, r->setup->blocks.n, err);
    if (rc == SWIM_OK && f->over)
        rc = set_pass(r, before, err);
    return rc;
}

/* Nobody needs the states any more. */
static void pass_over(struct rank *r)
{
    struct follow *f = r->follow;

    f->over = true;
    f->word = true; /* of what was not looked at meanwhile */
    sources_close(f->sources, true);
    r->link->ops->observe(r->link, &r->seen, r->ranks);
    f->unsure = f->unsure || r->seen.n_gone != f->n_gone;
    f->n_gone = r->seen.n_gone;
}

static bool timed_out(const struct rank *r, int64_t now)
{
    int64_t ms = r->job->follow_timeout_ms;

    return ms && r->follow->over && now - r->follow->grown_ns >= ms * 1000000;
}

/* Another epoch, if there is a reason for one. */
static int look_on(struct rank *r, bool late, swim_error_t *err)
{
    struct follow *f = r->follow;
    struct found found;
    int rc = look(r, &found, err);

    if (rc != SWIM_OK)
        return rc;
    bool more = found.rows > f->epoch.rows, may_end = f->over;
    bool last = f->epoch.last || (may_end && (found.ended || (late && !more)));
    bool renew = f->renew;
    uint64_t rows = found.rows;
    if (f->epoch.last || (!f->over && is_partial(r, f->epoch.rows)))
        rows = f->epoch.rows; /* the states alone are others */
    f->renew = false;
    if (more)
        f->grown_ns = swim_clock_mono_ns();
    if (rows > f->epoch.rows || last || renew)
        return begin_epoch(r, &found, rows, last, err);
    sources_close(found.sources, true);
    return rc;
}

/* More rows are of no use then; and ranks elsewhere, who have to be told of each epoch
 * before they are given blocks of it, would have none when epochs come too fast. */
static bool blocks_are_left(struct rank *r)
{
    r->link->ops->observe(r->link, &r->seen, r->ranks);
    return r->seen.left > 0;
}

int follow_turn(struct rank *r, bool over, swim_error_t *err)
{
    struct follow *f = r->follow;
    int64_t now = swim_clock_mono_ns();

    if (f->renew)
        return look_on(r, false, err);
    if (f->epoch.last)
        return over ? zero_look(r, err) : SWIM_OK;
    if (over && !f->over)
        pass_over(r);
    if (!f->over && (is_partial(r, f->epoch.rows) || !f->word || blocks_are_left(r)))
        return SWIM_OK;
    bool late = timed_out(r, now);
    return f->word || late || now >= f->look_ns ? look_on(r, late, err) : SWIM_OK;
}

/* --- beginning and ending -----------------------------------------------------------
 */

int follow_begin(struct rank *r, swim_error_t *err)
{
    struct follow *f = r->follow = calloc(1, sizeof(*f));

    if (!f)
        return swim_error_set(err, SWIM_ERR_NOMEM, "follow the inputs");
    f->epoch = r->seen.epoch; /* an earlier rank 0 has come as far as that */
    f->renew = f->epoch.number != 0;
    f->unsure = r->begun != OUTPUTS_CREATED || r->again;
    f->grown_ns = swim_clock_mono_ns();
    setup_close_inputs(r->setup);
    setup_take_rows(r->setup, f->epoch.rows);
    for (uint32_t i = 0; i < setup_first(r->setup)->n_inputs; i++)
        listen_to(r, i);
    return zero_make_room(r, err);
}

void follow_end(struct rank *r)
{
    struct follow *f = r->follow;

    if (!f)
        return;
    for (uint32_t i = 0; i < SETUP_INPUTS_MAX; i++)
        lock_notice_close(f->notices[i]);
    sources_close(f->sources, false);
    for (uint32_t i = 0; i < setup_first(r->setup)->n_inputs; i++)
        if (first_of_file(setup_first(r->setup), i) == i)
            output_settle(setup_first(r->setup)->inputs[i].info->file, r->session);
    free(f);
    r->follow = NULL;
}
