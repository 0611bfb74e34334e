/* join_letter.h - what a joined rank and rank 0 write to each other, as text.
 *
 *     h5swim-join BUILD KIND FROM BOOT LEASE SEQ RANK BODY
 *
 * Words with a space between them.  BUILD names what the bodies are made of: the number
 * of this format, COORDINATOR_EXCHANGE, the sizes of the two structs, the order of
 * bytes.  Whoever reads
 * another one knows KIND and FROM, so that it can be refused and told so.  BODY is a
 * struct in hexadecimal, or a text.
 *
 * Letters go as notices (lock/notice.h) of what join_letter_box() names, one for each
 * session: the server keeps none of them, and there is nothing to be cleaned up. */
#ifndef SWIM_BATCH_JOIN_LETTER_H
#define SWIM_BATCH_JOIN_LETTER_H

#include <stddef.h>
#include <stdint.h>

#include <h5swim/error.h>

#include "batch/coordinator.h"
#include "batch/joined.h"

#define JOIN_LETTER_FORMAT 2 /* of the words; the bodies have COORDINATOR_EXCHANGE */
#define JOIN_LETTER_SIZE 8192
#define JOIN_BOX_SIZE (JOINED_SESSION_SIZE + 16)

enum join_kind {
    JOIN_REPORT = 'R',
    JOIN_ORDERS = 'O',  /* the answer to SEQ */
    JOIN_REFUSED = 'X', /* also one: text */
    JOIN_DIFFERS = 'D', /* also one: text; the job there is not the one here */
    JOIN_OVER = 'E',    /* to all, unasked: orders to leave */
};

struct join_letter {
    enum join_kind kind;
    char from[JOINED_SESSION_SIZE]; /* the session that wrote it */
    char boot[JOINED_BOOT_SIZE];    /* "-": not known */
    uint32_t lease_ms;
    uint64_t seq;
    uint32_t rank;
    struct rank_report report;
    struct rank_orders orders;
    char text[JOINED_TEXT_SIZE];
};

/* Where letters to a session go. */
void join_letter_box(const char *session, char box[JOIN_BOX_SIZE]);

/* The text of a letter. */
void join_letter_write(const struct join_letter *letter, char text[JOIN_LETTER_SIZE]);

/* SWIM_ERR_CORRUPT: no letter at all.  SWIM_ERR_ABI: of another build; kind and from
 * are there. */
int join_letter_read(const char *text, struct join_letter *letter, swim_error_t *err);

#endif /* SWIM_BATCH_JOIN_LETTER_H */
