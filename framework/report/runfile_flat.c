/* runfile_flat.c - spans that overlap, as one thing after the other.
 *
 * A record joins what a process did with little in between, so that a commit may lie in
 * what it says was a write, and reach beyond.  On a track, or a lane, one thing at a
 * time can be shown. */
#include <stdlib.h>

#include "report/runfile_private.h"

/* One span, and the parts made of all of them. */
struct span {
    int64_t process, activity, start, end;
};
struct flat {
    struct span *open; /* of one process, the one that began last at the end */
    size_t n_open;
    struct runfile_table to;
};

static int span_compare(const void *a, const void *b)
{
    const struct span *x = a, *y = b;

    if (x->process != y->process)
        return x->process < y->process ? -1 : 1;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return (x->end < y->end) - (x->end > y->end); /* what lies within comes later */
}

static void part_add(struct flat *f, const struct span *span, int64_t start,
                     int64_t end)
{
    int64_t *const *c = f->to.columns;

    c[SPAN_PROCESS][f->to.n] = span->process;
    c[SPAN_ACTIVITY][f->to.n] = span->activity;
    c[SPAN_START][f->to.n] = start;
    c[SPAN_LENGTH][f->to.n] = end - start;
    f->to.n++;
}

/* What is open goes on until then.  Each part either ends a span or comes before one
 * begins, so there are no more than two for each. */
static void flat_advance(struct flat *f, int64_t from, int64_t until)
{
    while (f->n_open > 0 && from < until) {
        const struct span *last = &f->open[f->n_open - 1];
        int64_t end = last->end < until ? last->end : until;
        if (end > from) {
            part_add(f, last, from, end);
            from = end;
        }
        if (last->end <= from)
            f->n_open--;
    }
}

static void spans_flatten(struct flat *f, const struct span *spans, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && spans[i].process == spans[i - 1].process) {
            flat_advance(f, spans[i - 1].start, spans[i].start);
        } else {
            flat_advance(f, i > 0 ? spans[i - 1].start : 0, INT64_MAX);
            f->n_open = 0;
        }
        f->open[f->n_open++] = spans[i];
    }
    flat_advance(f, n > 0 ? spans[n - 1].start : 0, INT64_MAX);
}

static struct span *spans_sorted(const struct runfile_table *table)
{
    int64_t *const *c = table->columns;
    struct span *spans = malloc((table->n + 1) * sizeof(*spans));

    for (size_t i = 0; spans && i < table->n; i++) {
        int64_t length = c[SPAN_LENGTH][i] > 0 ? c[SPAN_LENGTH][i] : 0;
        spans[i] = (struct span){c[SPAN_PROCESS][i], c[SPAN_ACTIVITY][i],
                                 c[SPAN_START][i], c[SPAN_START][i] + length};
    }
    if (spans)
        qsort(spans, table->n, sizeof(*spans), span_compare);
    return spans;
}

int runfile_flatten(struct runfile_table *spans, const char *file, swim_error_t *err)
{
    struct span *sorted = spans_sorted(spans);
    struct flat f = {.open = malloc((spans->n + 1) * sizeof(*f.open))};
    int rc = sorted && f.open ? SWIM_OK : SWIM_ERR_NOMEM;

    for (size_t c = 0; c < SPAN_COLUMNS && rc == SWIM_OK; c++) {
        f.to.columns[c] = malloc((2 * spans->n + 1) * sizeof(int64_t));
        if (!f.to.columns[c])
            rc = SWIM_ERR_NOMEM;
    }
    if (rc == SWIM_OK) {
        spans_flatten(&f, sorted, spans->n);
        struct runfile_table was = *spans;
        *spans = f.to;
        f.to = was;
    }
    for (size_t c = 0; c < SPAN_COLUMNS; c++)
        free(f.to.columns[c]);
    free(f.open);
    free(sorted);
    return rc == SWIM_OK ? rc : swim_error_set(err, rc, "read %s", file);
}
