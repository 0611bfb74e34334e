/* log.h - one line per event that no caller can see, to stderr.
 *
 * Levels: error (work lost), warn (recovered), info (one per job phase), debug.
 * The default is warn; SWIM_LOG=error|warn|info|debug sets another. */
#ifndef SWIM_CORE_LOG_H
#define SWIM_CORE_LOG_H

#include <h5swim/error.h>

enum swim_log_level { SWIM_LOG_ERROR, SWIM_LOG_WARN, SWIM_LOG_INFO, SWIM_LOG_DEBUG };

/* "level rank pid area: text", written with one write(). */
void swim_log(enum swim_log_level level, const char *area, const char *fmt, ...)
    SWIM_PRINTF(3, 4);

/* The rank shown in each line; -1 (the start value) shows "-". */
void swim_log_set_rank(int rank);

#endif /* SWIM_CORE_LOG_H */
