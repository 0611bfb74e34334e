/* probe_checks.c - what is run and compared, for each kind of kernel. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/probe_checks.h"

/* Sums in another order, or a vector's lanes and its rest, differ in the last bits. */
#define TOLERANCE 1e-5
#define BLOCKS_MOST 20000 /* a cut into more is left out */

/* --- Helpers -------------------------------------------------------------------------
 */

static bool cut_is_small(const struct probe *p, enum probe_cut cut)
{
    uint64_t n = 1;

    for (uint32_t a = 0; a < p->ndim; a++)
        if (cut == PROBE_SINGLE || (cut == PROBE_ROWS && a + 1 < p->ndim))
            n *= p->shape[a] > BLOCKS_MOST ? BLOCKS_MOST + 1 : p->shape[a];
    return n <= BLOCKS_MOST;
}

/* A run that a check depends on: whether it did what it should, else that is said. */
static bool run_said(struct probe *p, const char *check, const struct probe_run *run,
                     enum probe_slot slot, const char *how)
{
    char text[PROBE_TEXT];

    if (probe_run(p, run, slot, text) == PROBE_DONE)
        return true;
    probe_say(p, check, PROBE_FAILED, "%s%s%s", text, *how ? "; " : "", how);
    return false;
}

/* Which run it is: the first ones need no word. */
static const char *run_how(const struct probe_run *run, char *text, size_t size)
{
    snprintf(text, size, "data %s%s", probe_cut_name(run->cut),
             run->from_start ? ", buffers begin at a guard page" : "");
    return text;
}

static void difference_said(struct probe *p, const char *check,
                            const struct probe_difference *d, const char *a,
                            const char *b, const char *why)
{
    if (d->rows_a != d->rows_b) {
        probe_say(p, check, PROBE_FAILED,
                  "the table has %" PRIu64 " row%s %s, and %" PRIu64 " %s: %s",
                  d->rows_a, probe_plural(d->rows_a), a, d->rows_b, b, why);
        return;
    }
    probe_say(p, check, PROBE_FAILED,
              "%" PRIu64 " element%s of the outputs: %s%s is %.9g %s, and %.9g %s: %s",
              d->n, probe_plural(d->n), probe_output_name(p, d->output), d->index, d->a,
              a, d->b, b, why);
}

/* --- Checks of every kind ------------------------------------------------------------
 */

static bool check_memory(struct probe *p, const char *name)
{
    char how[100], done[200] = "";

    for (int cut = 0; cut < PROBE_CUTS; cut++) {
        if (!cut_is_small(p, (enum probe_cut)cut))
            continue;
        for (int start = 0; start < 2; start++) {
            const struct probe_run run = {.goal = PROBE_BLOCKS,
                                          .cut = (enum probe_cut)cut,
                                          .from_start = start,
                                          .pattern =
                                              start ? PROBE_PATTERN_B : PROBE_PATTERN_A,
                                          .type = p->type};
            int slot = (start ? SLOT_STARTS : SLOT_CUTS) + cut;
            if (!run_said(p, name, &run, (enum probe_slot)slot,
                          run_how(&run, how, sizeof(how))))
                return false;
        }
        size_t used = strlen(done);
        snprintf(done + used, sizeof(done) - used, "%s%s", used ? ", " : "",
                 probe_cut_name((enum probe_cut)cut));
    }
    probe_say(p, name, PROBE_OK, "nothing is touched beside the buffers (%s)", done);
    return true;
}

static bool check_output(struct probe *p, const char *name)
{
    for (int cut = 0; cut < PROBE_CUTS; cut++) {
        const enum probe_slot a = (enum probe_slot)(SLOT_CUTS + cut),
                              b = (enum probe_slot)(SLOT_STARTS + cut);
        struct probe_unwritten u;
        struct probe_difference d;
        if (!cut_is_small(p, (enum probe_cut)cut))
            continue;
        probe_find_unwritten(p, a, b, &u);
        probe_compare(p, a, b, 0, &d);
        if (u.n)
            probe_say(p, name, PROBE_FAILED,
                      "%" PRIu64 " element%s of the outputs %s never written, first "
                      "%s%s; data %s",
                      u.n, probe_plural(u.n), u.n == 1 ? "is" : "are",
                      probe_output_name(p, u.output), u.index,
                      probe_cut_name((enum probe_cut)cut));
        else if (d.n)
            difference_said(p, name, &d, "in one run", "in another",
                            "it depends on what was in memory before");
        if (u.n || d.n)
            return false;
    }
    probe_say(p, name, PROBE_OK, "every element is written, whatever was there before");
    return true;
}

/* Blocks that do not know of each other give the same in any order. */
static bool check_state(struct probe *p, const char *name)
{
    static const struct {
        enum probe_order order;
        const char *when;
    } orders[] = {{PROBE_TWICE, "when the block is computed a second time"},
                  {PROBE_REVERSE, "when the blocks come in reverse order"},
                  {PROBE_ANEW, "when the kernel is opened anew for each block"}};
    struct probe_difference d;

    for (size_t i = 0; i < SWIM_COUNT_OF(orders); i++) {
        const struct probe_run run = {.goal = PROBE_BLOCKS,
                                      .cut = PROBE_THIRDS,
                                      .order = orders[i].order,
                                      .pattern = PROBE_PATTERN_A,
                                      .type = p->type};
        if (!run_said(p, name, &run, SLOT_OTHER, orders[i].when))
            return false;
        probe_compare(p, (enum probe_slot)(SLOT_CUTS + PROBE_THIRDS), SLOT_OTHER, 0,
                      &d);
        if (d.n == 0)
            continue;
        difference_said(p, name, &d, "at first", orders[i].when,
                        "one block leaves something to another");
        return false;
    }
    probe_say(p, name, PROBE_OK,
              "no state is shared between blocks (twice, in reverse order, opened "
              "anew)");
    return true;
}

static void too_large_said(struct probe *p, const char *name, const char *how)
{
    probe_say(p, name, PROBE_NOTE,
              "not looked at, the outputs are too large: give a smaller --shape; %s",
              how);
}

/* One type: 0 when it is said what went wrong. */
static bool missing_type(struct probe *p, const char *name, enum swim_type type)
{
    const struct probe_run plan = {.goal = PROBE_PLAN, .missing = true, .type = type};
    const struct probe_run run = {.goal = PROBE_BLOCKS,
                                  .missing = true,
                                  .pattern = PROBE_PATTERN_A,
                                  .type = type};
    struct probe_unwritten lost;
    char text[PROBE_TEXT], how[100];

    snprintf(how, sizeof(how), "with missing values, %s",
             p->shared->any ? swim_type_name(type) : "types as declared");
    if (probe_run(p, &plan, SLOT_OTHER, text) == PROBE_REFUSED) {
        probe_say(p, name, PROBE_NOTE, "%s; %s", text, how);
        return true;
    }
    if (!probe_plan_take(p)) {
        too_large_said(p, name, how);
        return true;
    }
    if (!run_said(p, name, &run, SLOT_OTHER, how))
        return false;
    probe_find_lost(p, SLOT_OTHER, &lost);
    if (lost.n)
        probe_say(p, name, PROBE_NOTE,
                  "%" PRIu64
                  " element%s of the outputs %s a value where the inputs are "
                  "missing, first %s%s; %s",
                  lost.n, probe_plural(lost.n), lost.n == 1 ? "has" : "have",
                  probe_output_name(p, lost.output), lost.index, how);
    else
        probe_say(p, name, PROBE_OK, "computes %s", how);
    return true;
}

static bool check_missing(struct probe *p, const char *name)
{
    const struct probe_planned planned = p->planned;
    bool good = missing_type(p, name, p->type);

    if (good && p->shared->any && !p->options->type)
        good = missing_type(p, name, SWIM_TYPE_I16);
    p->planned = planned;
    return good;
}

/* --- Map, stencil, window, filter ----------------------------------------------------
 */

/* With the data in one block; the rows of a table stand in another order. */
static void cut_compare(struct probe *p, enum probe_cut cut, struct probe_difference *d)
{
    const enum probe_slot slot = (enum probe_slot)(SLOT_CUTS + cut);

    if (p->shared->kind != SWIM_KERNEL_FILTER) {
        probe_compare(p, SLOT_CUTS, slot, TOLERANCE, d);
        return;
    }
    probe_sort_rows(p, SLOT_CUTS, SLOT_OTHER);
    probe_sort_rows(p, slot, SLOT_ANOTHER);
    probe_compare(p, SLOT_OTHER, SLOT_ANOTHER, TOLERANCE, d);
}

static const char *cut_why(const struct probe *p, const struct probe_difference *d)
{
    if (d->rows_a != d->rows_b)
        return "it heeds how they are cut";
    if (p->shared->kind == SWIM_KERNEL_FILTER)
        return "it heeds how they are cut (rows are shown in the order of their "
               "values)";
    if (p->shared->kind == SWIM_KERNEL_WINDOW)
        return "more is read than the windows of the rows, or it heeds how they are "
               "cut";
    return "more is read than the element and its halo, or it heeds how they are cut";
}

static bool check_cuts(struct probe *p, const char *name)
{
    double largest = 0;

    for (int cut = 0; cut < PROBE_CUTS; cut++) {
        struct probe_difference d;
        if (cut == PROBE_WHOLE || !cut_is_small(p, (enum probe_cut)cut))
            continue;
        cut_compare(p, (enum probe_cut)cut, &d);
        if (d.largest > largest)
            largest = d.largest;
        if (d.beyond == 0)
            continue;
        char when[60];
        snprintf(when, sizeof(when), "when they are %s",
                 probe_cut_name((enum probe_cut)cut));
        difference_said(p, name, &d, "when the data are one block", when,
                        cut_why(p, &d));
        return false;
    }
    if (largest > 0)
        probe_say(
            p, name, PROBE_NOTE,
            "the result depends on how data are cut, by %.1g of the largest value",
            largest);
    else
        probe_say(p, name, PROBE_OK, "the result does not depend on how data are cut");
    return true;
}

/* With another mode windows may give another number of rows. */
static bool edge_mode(struct probe *p, const char *name, enum swim_edge edge,
                      const char *mode)
{
    const struct probe_run plan = {
        .goal = PROBE_PLAN, .with_edge = true, .edge = edge, .type = p->type};
    struct probe_run run = {.goal = PROBE_BLOCKS,
                            .with_edge = true,
                            .edge = edge,
                            .pattern = PROBE_PATTERN_A,
                            .type = p->type};
    char text[PROBE_TEXT], how[60];
    struct probe_difference d;

    snprintf(how, sizeof(how), "edges: %s", mode);
    enum probe_end end = probe_run(p, &plan, SLOT_OTHER, text);
    if (end != PROBE_DONE) {
        bool refused = end == PROBE_REFUSED;
        probe_say(p, name, refused ? PROBE_NOTE : PROBE_FAILED, "%s; %s", text, how);
        return refused;
    }
    if (!probe_plan_take(p)) {
        too_large_said(p, name, how);
        return true;
    }
    if (!run_said(p, name, &run, SLOT_OTHER, how))
        return false;
    run.cut = PROBE_THIRDS;
    run.from_start = true;
    run.pattern = PROBE_PATTERN_B;
    if (!run_said(p, name, &run, SLOT_ANOTHER, how))
        return false;
    probe_compare(p, SLOT_OTHER, SLOT_ANOTHER, TOLERANCE, &d);
    if (d.beyond == 0)
        return true;
    difference_said(p, name, &d, "when the data are one block",
                    "when they are in thirds", how);
    return false;
}

/* "none" is for windows alone. */
static bool check_edges(struct probe *p, const char *name)
{
    static const char *const modes[] = {[SWIM_EDGE_NEAREST] = "nearest",
                                        [SWIM_EDGE_REFLECT] = "reflect",
                                        [SWIM_EDGE_WRAP] = "wrap",
                                        [SWIM_EDGE_CONSTANT] = "constant",
                                        [SWIM_EDGE_NONE] = "none"};
    const struct probe_planned planned = p->planned;
    const bool window = p->shared->kind == SWIM_KERNEL_WINDOW;
    uint32_t before = p->n_lines;
    bool good = true;

    if (planned.window_whole) {
        probe_say(p, name, PROBE_OK, "windows of the whole axis have none");
        return true;
    }
    for (size_t i = 0; good && i < SWIM_COUNT_OF(modes); i++)
        if (i != SWIM_EDGE_NONE || window)
            good = edge_mode(p, name, (enum swim_edge)i, modes[i]);
    p->planned = planned;
    if (good && p->n_lines == before)
        probe_say(p, name, PROBE_OK, "nearest, reflect, wrap, constant%s",
                  window ? ", none" : "");
    return good;
}

/* There is nothing to compare of a filter that finds nothing. */
static bool check_rows(struct probe *p, const char *name)
{
    const uint64_t rows = p->rows[SLOT_CUTS];

    if (rows)
        probe_say(p, name, PROBE_OK, "%" PRIu64 " row%s found", rows,
                  rows == 1 ? " is" : "s are");
    else
        probe_say(p, name, PROBE_NOTE,
                  "no row is found: give parameters with which some are (values are "
                  "from -20 to 20, of integers from -50 to 50, without a sign from 0 "
                  "to 100)");
    return rows > 0;
}

/* --- Reduce --------------------------------------------------------------------------
 */

/* Against one partial() over all: merged parts of each cut, and slices. */
static bool check_merge(struct probe *p, const char *name)
{
    const struct probe_run slices = {.goal = PROBE_BLOCKS,
                                     .cut = PROBE_THIRDS,
                                     .parts = PROBE_SLICES,
                                     .pattern = PROBE_PATTERN_A,
                                     .type = p->type};
    double largest = 0;

    if (!run_said(p, name, &slices, SLOT_OTHER, "one accumulator for all parts"))
        return false;
    for (int slot = SLOT_CUTS + 1; slot <= SLOT_OTHER; slot++) {
        struct probe_difference d;
        if (slot >= SLOT_STARTS && slot < SLOT_OTHER)
            continue;
        if (slot < SLOT_STARTS && !cut_is_small(p, (enum probe_cut)slot))
            continue;
        probe_compare(p, SLOT_CUTS, (enum probe_slot)slot, TOLERANCE, &d);
        if (d.largest > largest)
            largest = d.largest;
        if (d.beyond == 0)
            continue;
        difference_said(p, name, &d, "from one partial() over all",
                        slot == SLOT_OTHER ? "from partial() over its parts"
                                           : "from parts that were merged",
                        "partial() and merge() must only add to an accumulator");
        return false;
    }
    if (largest > 0)
        probe_say(p, name, PROBE_OK,
                  "parts merged in order give the whole but for %.1g of the largest "
                  "value (not the same bits)",
                  largest);
    else
        probe_say(p, name, PROBE_OK,
                  "parts merged in order give the whole, to the bit");
    return true;
}

/* As a job does it: accumulators are stored, and merged by whoever comes. */
static bool check_elsewhere(struct probe *p, const char *name)
{
    struct probe_run run = {.goal = PROBE_BLOCKS,
                            .cut = PROBE_THIRDS,
                            .parts = PROBE_PARTIALS,
                            .pattern = PROBE_PATTERN_A,
                            .type = p->type};
    const char *how = "accumulators of another process: are there pointers in them?";
    struct probe_difference d;

    if (!run_said(p, name, &run, SLOT_OTHER, ""))
        return false;
    run.parts = PROBE_MERGES;
    if (!run_said(p, name, &run, SLOT_OTHER, how))
        return false;
    probe_compare(p, (enum probe_slot)(SLOT_CUTS + PROBE_THIRDS), SLOT_OTHER, 0, &d);
    if (d.n == 0) {
        probe_say(p, name, PROBE_OK, "accumulators may be merged by another process");
        return true;
    }
    difference_said(p, name, &d, "where partial() ran", "in another process", how);
    return false;
}

/* --- The table
 * ------------------------------------------------------------------------ */

static const struct probe_check map_checks[] = {
    {"memory", check_memory}, {"output", check_output},   {"state", check_state},
    {"cuts", check_cuts},     {"missing", check_missing}, {NULL, NULL}};
static const struct probe_check stencil_checks[] = {{"memory", check_memory},
                                                    {"output", check_output},
                                                    {"state", check_state},
                                                    {"cuts", check_cuts},
                                                    {"edges", check_edges},
                                                    {"missing", check_missing},
                                                    {NULL, NULL}};
static const struct probe_check filter_checks[] = {{"memory", check_memory},
                                                   {"rows", check_rows},
                                                   {"output", check_output},
                                                   {"state", check_state},
                                                   {"cuts", check_cuts},
                                                   {"missing", check_missing},
                                                   {NULL, NULL}};
static const struct probe_check reduce_checks[] = {{"memory", check_memory},
                                                   {"output", check_output},
                                                   {"state", check_state},
                                                   {"merge", check_merge},
                                                   {"elsewhere", check_elsewhere},
                                                   {"missing", check_missing},
                                                   {NULL, NULL}};

/* There are no other kinds: the kernel was loaded. */
const struct probe_check *probe_checks_of(enum swim_kernel_kind kind)
{
    static const struct probe_check *const checks[] = {
        [SWIM_KERNEL_MAP] = map_checks,       [SWIM_KERNEL_STENCIL] = stencil_checks,
        [SWIM_KERNEL_REDUCE] = reduce_checks, [SWIM_KERNEL_WINDOW] = stencil_checks,
        [SWIM_KERNEL_FILTER] = filter_checks,
    };

    return checks[kind];
}
