/* pack.h - numbers as short texts for the page: what a hundred thousand blocks need. */
#ifndef SWIM_REPORT_PACK_H
#define SWIM_REPORT_PACK_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* The differences between neighbours, in base 128 with the least part first, zigzag
 * (0, -1, 1, -2, ...), as base64.  Unpacked by unpackNumbers() of values.js.
 * NULL: no memory. */
json_t *pack_numbers(const int64_t *numbers, size_t n);

/* Bytes as base64.  NULL: no memory. */
json_t *pack_bytes(const unsigned char *bytes, size_t n);

#endif /* SWIM_REPORT_PACK_H */
