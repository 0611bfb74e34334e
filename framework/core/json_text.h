/* json_text.h - texts of others, for jansson, which takes UTF-8 alone. */
#ifndef SWIM_CORE_JSON_TEXT_H
#define SWIM_CORE_JSON_TEXT_H

#include <jansson.h>

/* text, or what swim_printable() shows of one that is not UTF-8, as names of files need
 * not be; null for NULL.  The result is the caller's; NULL: no memory. */
json_t *swim_json_text(const char *text);

#endif /* SWIM_CORE_JSON_TEXT_H */
