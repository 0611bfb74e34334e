/* selftest_report.c - what a self-test has found, for people and for programs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/selftest.h"
#include "core/json_text.h"
#include "core/printable.h"

static const char *const result_names[] = {"ok", "FAILED", "skipped"};

/* Versions and names are others' words: nothing goes out that a terminal acts on. */
static const char *shown(const char *text)
{
    static char buf[4 * sizeof(((struct selftest_finding *)0)->text)];

    (void)swim_printable(text, 0, buf, sizeof(buf));
    return buf;
}

void report_line(const struct selftest_check *check, const struct selftest_finding *f)
{
    if (f->result == SELFTEST_SKIPPED)
        printf("%-8s%-19s\n", result_names[f->result], check->name);
    else
        printf("%-8s%-19s%5.0f ms  %s\n", result_names[f->result], check->name, f->ms,
               shown(f->text));
    fflush(stdout);
}

static int count(const struct selftest_finding *findings, enum selftest_result result)
{
    int n = 0;

    for (int i = 0; i < SELFTEST_CHECKS; i++)
        n += findings[i].result == result;
    return n;
}

void report_verdict(const struct selftest_finding *findings, double seconds)
{
    int n = count(findings, SELFTEST_FAILED);

    if (n == 0)
        printf("\nAll %d checks are ok, in %.1f s: locks work on this host with this "
               "server.\n",
               SELFTEST_CHECKS, seconds);
    else
        printf("\n%d of %d checks FAILED, %d skipped, in %.1f s: do not rely on locks "
               "here.\n",
               n, SELFTEST_CHECKS, count(findings, SELFTEST_SKIPPED), seconds);
}

void report_failure(const struct selftest_finding *findings)
{
    for (int i = 0; i < SELFTEST_CHECKS; i++)
        if (findings[i].result == SELFTEST_FAILED) {
            int n = count(findings, SELFTEST_FAILED);
            fprintf(stderr, "h5swim selftest: %s: %s", selftest_checks[i].name,
                    shown(findings[i].text));
            if (n > 1)
                fprintf(stderr, " (and %d more)", n - 1);
            fputc('\n', stderr);
            return;
        }
}

static json_t *finding_json(const char *name, const struct selftest_finding *f)
{
    json_t *object = json_object();
    bool ran = f->result != SELFTEST_SKIPPED;

    json_object_set_new(object, "name", json_string(name));
    json_object_set_new(object, "result", json_string(result_names[f->result]));
    json_object_set_new(object, "took_ms", ran ? json_real(f->ms) : json_null());
    json_object_set_new(object, "text", swim_json_text(f->text));
    for (size_t i = 0; i < f->n_figures; i++)
        json_object_set_new(object, f->figures[i].name, json_real(f->figures[i].value));
    return object;
}

int report_json(const struct selftest *t, const struct selftest_finding *findings,
                double seconds)
{
    json_t *object = json_object(), *checks = json_array();
    char server[320];

    for (int i = 0; i < SELFTEST_CHECKS; i++)
        json_array_append_new(checks,
                              finding_json(selftest_checks[i].name, &findings[i]));
    json_object_set_new(object, "schema", json_integer(SELFTEST_SCHEMA));
    json_object_set_new(
        object, "server",
        swim_json_text(lock_url_show(&t->where, server, sizeof(server))));
    json_object_set_new(object, "dir", swim_json_text(t->dir));
    json_object_set_new(object, "ok",
                        json_boolean(count(findings, SELFTEST_OK) == SELFTEST_CHECKS));
    json_object_set_new(object, "seconds", json_real(seconds));
    json_object_set_new(object, "checks", checks);
    int rc = object ? json_dumpf(object, stdout, JSON_INDENT(2)) : -1;
    putchar('\n');
    json_decref(object);
    return rc == 0 && fflush(stdout) == 0 ? 0 : -1;
}
