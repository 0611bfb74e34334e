/* pack.c - numbers as short texts for the page. */
#include "report/pack.h"

#include <stdlib.h>

#define VARINT_MAX 10 /* bytes of 64 bits */

json_t *pack_bytes(const unsigned char *bytes, size_t n)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc((n + 2) / 3 * 4 + 1), *at = text;
    json_t *packed = NULL;

    if (!text)
        return NULL;
    for (size_t i = 0; i < n; i += 3) {
        unsigned three = (unsigned)bytes[i] << 16;
        if (i + 1 < n)
            three |= (unsigned)bytes[i + 1] << 8;
        if (i + 2 < n)
            three |= bytes[i + 2];
        *at++ = digits[three >> 18];
        *at++ = digits[three >> 12 & 63];
        *at++ = digits[three >> 6 & 63];
        *at++ = digits[three & 63];
    }
    for (size_t pad = (3 - n % 3) % 3; pad > 0; pad--)
        at[-(ptrdiff_t)pad] = '=';
    packed = json_stringn_nocheck(text, (size_t)(at - text));
    free(text);
    return packed;
}

json_t *pack_numbers(const int64_t *numbers, size_t n)
{
    unsigned char *bytes = malloc(n * VARINT_MAX + 1);
    size_t used = 0;
    int64_t before = 0;

    if (!bytes)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        int64_t step = numbers[i] - before;
        uint64_t zigzag = (uint64_t)step << 1 ^ (step < 0 ? UINT64_MAX : 0);
        for (; zigzag >= 128; zigzag >>= 7)
            bytes[used++] = (unsigned char)(zigzag | 128);
        bytes[used++] = (unsigned char)zigzag;
        before = numbers[i];
    }
    json_t *packed = pack_bytes(bytes, used);
    free(bytes);
    return packed;
}
