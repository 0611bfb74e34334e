/* boot_id.c - which run of this host's kernel this is. */
#include "store/boot_id.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static unsigned char known[JOURNAL_ID];

/* "01234567-89ab-cdef-0123-456789abcdef" */
static void boot_id_find(void)
{
    unsigned char *id = known;
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    char text[64] = "";
    size_t digits = 0;

    if (f && !fgets(text, sizeof(text), f))
        text[0] = '\0';
    if (f)
        fclose(f);
    for (const char *at = text; *at && digits / 2 < JOURNAL_ID; at++) {
        static const char hex[] = "0123456789abcdef";
        const char *digit =
            *at == '-' ? NULL : strchr(hex, tolower((unsigned char)*at));
        if (!digit)
            continue;
        id[digits / 2] = (unsigned char)(id[digits / 2] << 4 | (digit - hex));
        digits++;
    }
}

void boot_id_read(unsigned char id[JOURNAL_ID])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, boot_id_find);
    memcpy(id, known, JOURNAL_ID);
}
