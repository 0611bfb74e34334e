/* json_out.h - writing JSON of any size to a file, without having it in memory.
 *
 * The caller opens and closes objects and arrays as they belong; commas come by
 * themselves, and a line begins with each member of the outermost object. */
#ifndef SWIM_CORE_JSON_OUT_H
#define SWIM_CORE_JSON_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json_out {
    FILE *to;
    unsigned depth;
    bool more; /* something stands before what comes next */
};

/* bracket: one of { [ } ]. */
void json_out_open(struct json_out *j, char bracket);
void json_out_close(struct json_out *j, char bracket);
void json_out_key(struct json_out *j, const char *key);

/* Bytes that are no UTF-8 become U+FFFD; NULL: null. */
void json_out_text(struct json_out *j, const char *text);
void json_out_number(struct json_out *j, int64_t number);
void json_out_real(struct json_out *j, double real); /* six decimals */
void json_out_null(struct json_out *j);

/* The same as members of an object. */
void json_out_text_of(struct json_out *j, const char *key, const char *text);
void json_out_number_of(struct json_out *j, const char *key, int64_t number);
void json_out_real_of(struct json_out *j, const char *key, double real);
void json_out_numbers_of(struct json_out *j, const char *key, const uint64_t *numbers,
                         size_t n);

#endif /* SWIM_CORE_JSON_OUT_H */
