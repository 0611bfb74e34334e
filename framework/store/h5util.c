/* h5util.c - HDF5's error stack in one line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_private.h"
#include "store/vfd.h"

void store_quiet(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

struct cause {
    char text[600];
    bool from_system, from_driver;
};

/* Drivers put "..., error message = 'No space left on device', ..." into their text;
 * that is what people can act on.  Without one the innermost text is the cause. */
static herr_t cause_look(unsigned n, const H5E_error2_t *entry, void *arg)
{
    static const char mark[] = "error message = '";
    struct cause *cause = (struct cause *)arg;
    const char *desc = entry->desc ? entry->desc : "";
    const char *begin = strstr(desc, mark);

    if (strncmp(entry->func_name ? entry->func_name : "", "vfd_", 4) == 0) {
        snprintf(cause->text, sizeof(cause->text), "%s", desc);
        cause->from_driver = true;
        return 1; /* stop */
    }
    if (begin) {
        begin += sizeof(mark) - 1;
        snprintf(cause->text, sizeof(cause->text), "%.*s", (int)strcspn(begin, "'"),
                 begin);
        cause->from_system = true;
        return 1; /* stop */
    }
    if (n == 0 || !cause->text[0])
        snprintf(cause->text, sizeof(cause->text), "%s", desc);
    return 0;
}

int h5_fail(swim_error_t *err, int code, const char *fmt, ...)
{
    struct cause cause = {{0}, false, false};
    int driver_code = vfd_take_code();
    char what[400];
    va_list args;

    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, cause_look, &cause);
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    H5Eclear2(H5E_DEFAULT);
    if (cause.from_driver)
        return swim_error_set(err, driver_code != SWIM_OK ? driver_code : code, "%s",
                              cause.text);
    if (strncmp(cause.text, "truncated file", 14) == 0)
        return swim_error_set(
            err, SWIM_ERR_CORRUPT,
            "%s: the file is cut off, its end is missing; fetch or "
            "make it again (h5swim check FILE tells how much there is)",
            what);
    return swim_error_set(err, code, "%s: %s%s", what,
                          cause.from_system ? "" : "HDF5: ",
                          cause.text[0] ? cause.text : "no cause given");
}

struct where {
    const char *function;
    bool is;
};

static herr_t where_look(unsigned n, const H5E_error2_t *entry, void *arg)
{
    struct where *where = (struct where *)arg;

    where->is = n == 0 &&
                strcmp(entry->func_name ? entry->func_name : "", where->function) == 0;
    return 1; /* stop */
}

bool h5_failed_in(const char *function)
{
    struct where where = {function, false};

    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, where_look, &where);
    return where.is;
}

void h5_release(hid_t id)
{
    if (id >= 0)
        H5Idec_ref(id);
}
