/* progress.c - progress on stderr. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "batch/joined.h"
#include "batch/report.h"
#include "core/clock.h"

#define TERMINAL_NS 200000000LL
#define PLAIN_NS 10000000000LL
#define BAR_MOST 30

void progress_begin(struct progress *progress, const char *name, bool quiet)
{
    *progress = (struct progress){
        .name = name,
        .quiet = quiet,
        .terminal = isatty(STDERR_FILENO),
        .start_ns = swim_clock_mono_ns(),
    };
    progress->shown_ns = progress->start_ns;
}

static int terminal_width(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20)
        return size.ws_col;
    return 80;
}

static void eta_text(double seconds, double done, char *text, size_t size)
{
    double left = done > 0 ? seconds * (1 - done) / done : 0;

    if (done <= 0)
        snprintf(text, size, "ETA ?");
    else if (left < 100)
        snprintf(text, size, "ETA %.0f s", left);
    else if (left < 6000)
        snprintf(text, size, "ETA %.0f min", left / 60);
    else
        snprintf(text, size, "ETA %.1f h", left / 3600);
}

void progress_show(struct progress *p, const struct coordinator *c,
                   const struct coordinator_rank *ranks)
{
    int64_t now = swim_clock_mono_ns();
    uint64_t total = coordinator_total(c), all_done = coordinator_done(c), bytes = 0;
    char eta[32], failed[40] = "", text[200], bar[BAR_MOST + 3] = "";

    if (p->quiet || c->phase < 0 ||
        now - p->shown_ns < (p->terminal ? TERMINAL_NS : PLAIN_NS))
        return;
    p->shown_ns = now;
    for (uint32_t r = 0; r < c->n_ranks; r++)
        bytes += ranks[r].report.bytes_read + ranks[r].report.bytes_written;
    struct joined_sums joined = joined_sum_up(c, ranks);
    bytes += joined.bytes_read + joined.bytes_written;
    double seconds = (double)(now - p->start_ns) / 1e9;
    double done = total ? (double)all_done / (double)total : 1;
    eta_text(seconds, done, eta, sizeof(eta));
    if (c->n_failed)
        snprintf(failed, sizeof(failed), "  %" PRIu64 " failed", c->n_failed);
    snprintf(text, sizeof(text), "%" PRIu64 "/%" PRIu64 " blocks%s  %.2f GB/s  %s",
             all_done, total, failed, (double)bytes / 1e9 / seconds, eta);
    if (!p->terminal) {
        fprintf(stderr, "%s: %s\n", p->name, text);
        return;
    }
    int width = terminal_width();
    int room = width - (int)strlen(p->name) - (int)strlen(text) - 6;
    if (room > BAR_MOST)
        room = BAR_MOST;
    for (int i = 0; i < room; i++)
        bar[i] = i < (int)(done * room) ? '=' : '.';
    fprintf(stderr, "\r\033[K%.*s", width - 1, "");
    if (room > 3)
        fprintf(stderr, "%s [%s] %s", p->name, bar, text);
    else
        fprintf(stderr, "%.*s", width - 1, text);
    fflush(stderr);
    p->line_open = true;
}

void progress_end(struct progress *p)
{
    if (p->line_open)
        fputs("\r\033[K", stderr);
    p->line_open = false;
}
