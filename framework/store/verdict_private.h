/* verdict_private.h - what the files of the verdict share. */
#ifndef SWIM_STORE_VERDICT_PRIVATE_H
#define SWIM_STORE_VERDICT_PRIVATE_H

#include "verdict.h"

/* Open the journal and read all that is committed in it, each checksum compared:
 * v->has, v->journal and what lies behind it. */
int verdict_look_at_journal(struct verdict *v, const unsigned char boot[JOURNAL_ID],
                            swim_error_t *err);

/* Who has them open, what lies beside them. */
void verdict_look_around(struct verdict *v);

/* As open(2) for reading; the time of the last access stays where that may be. */
int verdict_open_file(const struct swim_io *io, const char *path, int flags);

#endif /* SWIM_STORE_VERDICT_PRIVATE_H */
