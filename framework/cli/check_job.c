/* check_job.c - what h5swim check prints of a job. */
#include "cli/check_job.h"

#include <stdio.h>

#include "batch/check.h"
#include "core/json_text.h"
#include "core/signals.h"

#define CHECK_SCHEMA 1

static const char *severity(const struct problem *problem)
{
    return problem->warning ? "warning" : "error";
}

static void print_text(const struct problems *p)
{
    size_t n_warnings = 0;

    for (size_t i = 0; i < p->n; i++) {
        const struct problem *one = &p->list[i];
        n_warnings += one->warning;
        fprintf(stderr, "%s: %s: %s\n", one->place.text, severity(one), one->text);
    }
    printf("%s: %zu error%s, %zu warning%s\n", p->path, p->n_errors,
           p->n_errors == 1 ? "" : "s", n_warnings, n_warnings == 1 ? "" : "s");
}

static json_t *problem_json(const struct problem *problem)
{
    unsigned line, column;
    bool in_file = problem_place(problem, &line, &column);
    json_t *object = json_pack("{s:s, s:o, s:o}", "severity", severity(problem),
                               "place", swim_json_text(problem->place.text), "text",
                               swim_json_text(problem->text));

    json_object_set_new(object, "line", in_file ? json_integer(line) : json_null());
    json_object_set_new(object, "column", in_file ? json_integer(column) : json_null());
    return object;
}

static void print_json(const struct problems *p)
{
    json_t *list = json_array();

    for (size_t i = 0; i < p->n; i++)
        json_array_append_new(list, problem_json(&p->list[i]));
    json_t *object =
        json_pack("{s:i, s:o, s:I, s:I, s:o}", "schema", CHECK_SCHEMA, "job",
                  swim_json_text(p->path), "errors", (json_int_t)p->n_errors,
                  "warnings", (json_int_t)(p->n - p->n_errors), "problems", list);
    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
}

int check_job_print(const char *path, const struct run_options *run)
{
    const struct check_options options = {.sets = run->sets,
                                          .n_sets = run->n_sets,
                                          .overwrite = run->overwrite,
                                          .resume = run->resume,
                                          .url = run->url,
                                          .wait_ms = run->wait_ms};
    struct problems problems = {.path = path};
    swim_error_t err = {0};
    int rc = check_job(&options, &problems, &err);
    int status = problems.n_errors ? 2 : 0;

    if (rc != SWIM_OK)
        status = run_exit_status(rc, swim_signals_pending());
    if (rc != SWIM_OK && !swim_signals_pending())
        fprintf(stderr, "h5swim check: %s\n", err.text);
    else if (rc == SWIM_OK && run->json)
        print_json(&problems);
    else if (rc == SWIM_OK)
        print_text(&problems);
    problems_clear(&problems);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fputs("h5swim check: write what was found: it failed (is the disk full?)\n",
          stderr);
    return 1;
}
