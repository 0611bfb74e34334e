/* printable.h - names that others have chosen, shown on a terminal. */
#ifndef SWIM_CORE_PRINTABLE_H
#define SWIM_CORE_PRINTABLE_H

#include <stddef.h>

/* text into buf, with \xNN for each byte that is no part of a character that takes room
 * on the screen (control characters, what turns or overlays text, bytes that are no
 * text in the locale's encoding), and \\ for a backslash; 4 * strlen(text) + 1 bytes
 * hold it all.  When it is wider than columns (0: any width), it is cut and ends in
 * "...".  Returns its width in columns.
 *
 * By the C locale, that of a program that does not call setlocale(), only ASCII is
 * text.  Threads: as mbrtowc(). */
int swim_printable(const char *text, int columns, char *buf, size_t size);

#endif /* SWIM_CORE_PRINTABLE_H */
