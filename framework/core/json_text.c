/* json_text.c - texts of others, for jansson, which takes UTF-8 alone. */
#include "core/json_text.h"

#include <stdlib.h>
#include <string.h>

#include "core/printable.h"

json_t *swim_json_text(const char *text)
{
    if (!text)
        return json_null();
    json_t *value = json_string(text);
    size_t size = 4 * strlen(text) + 1;
    char *shown = value ? NULL : malloc(size);

    if (shown) {
        (void)swim_printable(text, 0, shown, size);
        value = json_string(shown);
    }
    free(shown);
    return value ? value : json_string("?"); /* text in a locale that is not UTF-8 */
}
