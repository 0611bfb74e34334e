/* log.c - lines on stderr for what no caller can see. */
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static int log_rank = -1;

static enum swim_log_level log_threshold(void)
{
    const char *wanted = getenv("SWIM_LOG");

    for (size_t i = 0; wanted && i < sizeof(level_names) / sizeof(*level_names); i++)
        if (strcmp(wanted, level_names[i]) == 0)
            return (enum swim_log_level)i;
    return SWIM_LOG_WARN;
}

void swim_log_set_rank(int rank)
{
    log_rank = rank;
}

void swim_log(enum swim_log_level level, const char *area, const char *fmt, ...)
{
    char line[1024];
    char rank[16] = "-";
    va_list args;

    if (level > log_threshold())
        return;
    if (log_rank >= 0)
        snprintf(rank, sizeof(rank), "%d", log_rank);
    int used = snprintf(line, sizeof(line), "%s %s %ld %s: ", level_names[level], rank,
                        (long)getpid(), area);
    va_start(args, fmt);
    vsnprintf(line + used, sizeof(line) - (size_t)used, fmt, args);
    va_end(args);

    size_t len = strlen(line);
    if (len > sizeof(line) - 2)
        len = sizeof(line) - 2;
    line[len++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, len);
    (void)ignored; /* nobody is left to tell */
}
