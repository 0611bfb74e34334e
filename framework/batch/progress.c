/* progress.c - progress on stderr: one line for the job. */
#include "batch/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "batch/joined.h"
#include "core/clock.h"

#define TERMINAL_NS 200000000LL
#define PLAIN_NS 10000000000LL
#define PLAIN_SHARE 10 /* of the time so far, between lines: a log stays short */
#define WIDTH_DEFAULT 80
#define NAME_MOST 20
#define BAR_MOST 30
#define BAR_LEAST 4
#define BAR_PLAIN 20

/* --- the line --------------------------------------------------------------------- */

enum piece_name {
    PIECE_NAME,
    PIECE_BAR,
    PIECE_BLOCKS,
    PIECE_FAILED,
    PIECE_RATES,
    PIECE_LEFT,
    PIECE_LOCKS,
    PIECE_RANKS,
    PIECES
};

struct piece {
    char text[96];
    const char *colour; /* NULL: none */
};

static void say_left(double left, char *text, size_t size)
{
    if (left < 0)
        snprintf(text, size, "ETA ?");
    else if (left < 100)
        snprintf(text, size, "ETA %.0f s", left);
    else if (left < 6000)
        snprintf(text, size, "ETA %.0f min", left / 60);
    else
        snprintf(text, size, "ETA %.1f h", left / 3600);
}

/* At most that many bytes, and no part of a letter. */
static void say_name(const char *name, size_t most, char *text, size_t size)
{
    size_t n = strlen(name);

    if (n > most && most < size) {
        n = most;
        while (n > 0 && ((unsigned char)name[n] & 0xc0) == 0x80)
            n--;
    }
    snprintf(text, size, "%.*s", (int)n, name);
}

static void say_bar(const struct progress_numbers *p, unsigned cells, char *text,
                    size_t size)
{
    const double done = p->total ? (double)p->done / (double)p->total : 1;
    unsigned full = (unsigned)(done * cells);

    if (full > cells)
        full = cells;
    snprintf(text, size, "[%.*s%.*s]", (int)full,
             "==============================", (int)(cells - full),
             "..............................");
}

static size_t length_of(const struct piece *pieces)
{
    size_t length = 0;

    for (unsigned i = 0; i < PIECES; i++)
        if (pieces[i].text[0])
            length += (length ? i <= PIECE_BLOCKS ? 1 : 2 : 0) + strlen(pieces[i].text);
    return length;
}

/* What matters least goes first, until the rest fits. */
static void fit(const struct progress_numbers *p, unsigned width, struct piece *pieces)
{
    static const enum piece_name order[] = {PIECE_RANKS, PIECE_LOCKS, PIECE_RATES,
                                            PIECE_BAR,   PIECE_NAME,  PIECE_LEFT,
                                            PIECE_FAILED};
    unsigned cells = BAR_LEAST;

    say_bar(p, cells, pieces[PIECE_BAR].text, sizeof(pieces[PIECE_BAR].text));
    for (unsigned i = 0;
         i < sizeof(order) / sizeof(*order) && length_of(pieces) > width; i++)
        pieces[order[i]].text[0] = '\0';
    const size_t length = length_of(pieces);
    if (length > width && width < sizeof(pieces->text))
        pieces[PIECE_BLOCKS].text[width] = '\0';
    if (!pieces[PIECE_BAR].text[0] || length > width)
        return;
    cells += (unsigned)(width - length);
    say_bar(p, cells < BAR_MOST ? cells : BAR_MOST, pieces[PIECE_BAR].text,
            sizeof(pieces[PIECE_BAR].text));
}

static void say_pieces(const struct progress_numbers *p, struct piece *pieces)
{
    const size_t size = sizeof(pieces->text);

    snprintf(pieces[PIECE_BLOCKS].text, size, "%" PRIu64 "/%" PRIu64 " blocks", p->done,
             p->total);
    if (p->failed)
        snprintf(pieces[PIECE_FAILED].text, size, "%" PRIu64 " failed", p->failed);
    snprintf(pieces[PIECE_RATES].text, size, "%.2f GB/s in, %.2f out", p->gb_in,
             p->gb_out);
    say_left(p->left_s, pieces[PIECE_LEFT].text, size);
    snprintf(pieces[PIECE_LOCKS].text, size, "locks %.0f %%", 100 * p->lock_share);
    if (p->ranks > 1)
        snprintf(pieces[PIECE_RANKS].text, size, "%" PRIu32 " ranks", p->ranks);
}

void progress_line(const struct progress_numbers *p, unsigned width, bool colours,
                   char line[PROGRESS_LINE_SIZE])
{
    struct piece pieces[PIECES] = {{.text = ""},
                                   [PIECE_BAR] = {.colour = "\033[32m"},
                                   [PIECE_FAILED] = {.colour = "\033[31m"}};
    size_t used = 0;

    say_pieces(p, pieces);
    say_name(p->name, width ? NAME_MOST : sizeof(pieces->text) - 1,
             pieces[PIECE_NAME].text, sizeof(pieces->text));
    if (width)
        fit(p, width, pieces);
    else
        say_bar(p, BAR_PLAIN, pieces[PIECE_BAR].text, sizeof(pieces->text));
    line[0] = '\0';
    for (unsigned i = 0; i < PIECES; i++) {
        const char *colour = colours ? pieces[i].colour : NULL;
        if (pieces[i].text[0])
            used += (size_t)snprintf(line + used, PROGRESS_LINE_SIZE - used, "%s%s%s%s",
                                     !used               ? ""
                                     : i <= PIECE_BLOCKS ? " "
                                                         : "  ",
                                     colour ? colour : "", pieces[i].text,
                                     colour ? "\033[0m" : "");
    }
}

/* --- when, and where -------------------------------------------------------------- */

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);

    return value && value[0];
}

void progress_begin(struct progress *progress, const char *name, bool quiet)
{
    const char *term = getenv("TERM");

    *progress = (struct progress){
        .name = name,
        .quiet = quiet,
        .terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0,
        .colours = !is_set("NO_COLOR"),
        .start_ns = swim_clock_mono_ns(),
    };
    progress->shown_ns = progress->start_ns;
}

/* One less than it has: what fills the last column makes some begin a new line. */
static unsigned terminal_width(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
        return size.ws_col - 1u;
    return WIDTH_DEFAULT - 1;
}

static bool is_due(const struct progress *p, int64_t now)
{
    const int64_t share = (now - p->start_ns) / PLAIN_SHARE;
    const int64_t plain = share > PLAIN_NS ? share : PLAIN_NS;

    return now - p->shown_ns >= (p->terminal ? TERMINAL_NS : plain);
}

/* As fast as since there was something to be done. */
static double seconds_left(struct progress *p, uint64_t done, uint64_t total,
                           int64_t now)
{
    if (!p->begun) {
        p->begun = true;
        p->done_first = done;
        p->first_ns = now;
    }
    if (done <= p->done_first || total < done)
        return total == done ? 0 : -1;
    return (double)(now - p->first_ns) / 1e9 * (double)(total - done) /
           (double)(done - p->done_first);
}

static void add_up(const struct progress *p, const struct coordinator *c,
                   const struct coordinator_rank *ranks, int64_t now,
                   struct progress_numbers *numbers)
{
    const struct joined_sums joined = joined_sum_up(c, ranks);
    const double seconds = (double)(now - p->start_ns) / 1e9;
    uint64_t in = joined.bytes_read, out = joined.bytes_written;
    uint64_t waited_ns = joined.lock_wait_ns, processes = joined.readers;

    for (uint32_t r = 0; r < c->n_ranks; r++) {
        const struct rank_report *report = &ranks[r].report;
        in += report->bytes_read;
        out += report->bytes_written;
        waited_ns += report->lock_wait_ns;
        processes += report->n_readers + 2; /* the rank and its writer */
    }
    numbers->gb_in = (double)in / 1e9 / seconds;
    numbers->gb_out = (double)out / 1e9 / seconds;
    numbers->lock_share = (double)waited_ns / 1e9 / seconds / (double)processes;
    numbers->ranks = c->n_ranks + (uint32_t)joined.ranks;
}

void progress_show(struct progress *p, const struct coordinator *c,
                   const struct coordinator_rank *ranks)
{
    const int64_t now = swim_clock_mono_ns();
    struct progress_numbers numbers = {.name = p->name, .failed = c->n_failed};
    char line[PROGRESS_LINE_SIZE];

    if (p->quiet || c->phase < 0)
        return;
    numbers.done = coordinator_done(c);
    numbers.total = coordinator_total(c);
    numbers.left_s = seconds_left(p, numbers.done, numbers.total, now);
    if (!is_due(p, now))
        return;
    p->shown_ns = now;
    add_up(p, c, ranks, now, &numbers);
    progress_line(&numbers, p->terminal ? terminal_width() : 0,
                  p->terminal && p->colours, line);
    if (p->terminal)
        fprintf(stderr, "\r\033[K%s", line);
    else
        fprintf(stderr, "%s\n", line);
    fflush(stderr);
    p->line_open = p->terminal;
}

void progress_end(struct progress *p)
{
    if (p->line_open)
        fputs("\r\033[K", stderr);
    p->line_open = false;
}
