/* text.h - small helpers for what people write and read. */
#ifndef SWIM_CORE_TEXT_H
#define SWIM_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of n words the one that is most like word (Damerau-Levenshtein distance, letters in
 * either case), NULL when none is near enough to be a slip of the pen. */
const char *swim_text_nearest(const char *word, const char *const *words, size_t n);

/* The whole text as a number, by the C locale: a program that uses this library may
 * have set one with a decimal comma.  false: it is none. */
bool swim_text_real(const char *text, double *out);

/* Make one line of text, which users, files and libraries may have chosen: a newline, a
 * carriage return or a tab becomes a blank, another control character a "?". */
void swim_text_line(char *text);

/* The same of a copy in buf, which is cut where that is full; returns buf. */
const char *swim_text_shown(const char *text, char *buf, size_t size);

/* text into buf, of more than 300 bytes; of one that has no room there, its beginning
 * and its end, where the cause and what to do are, with "..." between them.  No
 * character of UTF-8 is cut. */
void swim_text_fit(const char *text, char *buf, size_t size);

/* "1.5 GiB": bytes for people, into buf. */
const char *swim_text_bytes(uint64_t bytes, char *buf, size_t size);

/* "12 x 73 x 144", of ndim 0 "a scalar", into buf. */
const char *swim_text_shape(const uint64_t *shape, uint32_t ndim, char *buf,
                            size_t size);

#endif /* SWIM_CORE_TEXT_H */
