/* view.h - what the files of "h5swim view" share. */
#ifndef SWIM_CLI_VIEW_H
#define SWIM_CLI_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "store/dataset.h"
#include "store/view.h"

enum { VIEW_DONE = 0, VIEW_FAILED = 1, VIEW_USAGE = 2 };

struct view_options {
    const char *url;   /* NULL: as others find it */
    const char *index; /* of the slice; NULL: not given */
    int width;         /* of the picture; 0: of the terminal */
    bool all;          /* statistics of all values, however many there are */
    bool no_picture;
    enum view_color { VIEW_COLOR_AUTO, VIEW_COLOR_ALWAYS, VIEW_COLOR_NEVER } color;
};

/* --- view_show.c: texts --------------------------------------------------------------
 */

/* A text that others have chosen, with nothing that a terminal acts on. */
void view_put(const char *text);

/* " UNITS", and nothing where there are none: "1" is how they say that. */
void view_put_units(const char *units);

/* "  name      " and then whatever the caller prints. */
void view_label(const char *name);

/* The datasets below a group, and its attributes. */
int view_show_list(const struct source *source, const char *group, swim_error_t *err);

/* What is shown of the coordinates of an axis; an axis may be too long for all. */
struct view_axis {
    bool has;               /* some */
    double first, last, at; /* at: where the slice is */
};

/* Type, shape, storage, axes (info NULL: not known) and attributes of a dataset. */
int view_show_set(const struct source *source, const struct view_set *set,
                  const struct dataset_info *info, const struct view_axis *axes,
                  swim_error_t *err);

/* Its first values. */
void view_show_first(const struct source *source, const struct view_set *set);

/* A number of a dataset that has integers, or other numbers. */
void view_put_number(long double value, bool whole);

/* --- view_statistics.c ---------------------------------------------------------------
 */

/* Of what was looked at: infinite values count, and are left out of what follows. */
struct view_statistics {
    uint64_t seen, missing, infinite;
    long double min, max, mean, std; /* std: of the values themselves, divided by n */
    uint64_t blocks, blocks_seen;
};

/* Read all of it, or, unless `all` is set, of more than VIEW_READ_MAX values blocks
 * that are spread evenly over it.  Errors: those of reading, SWIM_ERR_CANCELLED (a
 * signal). */
#define VIEW_READ_MAX ((uint64_t)1 << 26)
int view_statistics(const struct source *source, const struct dataset_info *info,
                    bool all, struct view_statistics *out, swim_error_t *err);
void view_show_statistics(const struct dataset_info *info,
                          const struct view_statistics *s);

/* --- view_screen.c -------------------------------------------------------------------
 */

/* How a terminal, or what else is in its place, shows pictures. */
struct view_screen {
    uint32_t columns, lines; /* there is room for */
    bool color, many_colors; /* many: 24 bits, else 256 */
    bool utf8;
    uint32_t rows_of_line; /* rows of cells in a line of text: 2 with half blocks */
};

struct view_screen view_screen_of(const struct view_options *options);

/* Into how many columns and rows of cells a slice of ny x nx goes; as it is, if it can
 * be: a cell is as high as it is wide. */
void view_screen_fit(const struct view_screen *screen, uint64_t ny, uint64_t nx,
                     uint32_t *rows, uint32_t *columns);

/* --- view_picture.c ------------------------------------------------------------------
 */

/* A slice, in cells: each is the mean of its values that are not missing, NAN where
 * there is none. */
struct view_picture {
    uint32_t rows, columns;
    double *cells;
    double low, high; /* of the finite cells; low > high: there is none */
    bool flipped;     /* the last row of the data is on top, as that is north */
    bool picked;      /* not all values were read, but some of each cell */
};

/* The slice at index[] of all axes but the last two (of one axis: of none), in at most
 * so many rows and columns of cells; flipped is set before.  Errors: those of reading,
 * SWIM_ERR_NOMEM, SWIM_ERR_CANCELLED. */
int view_picture(const struct source *source, const struct dataset_info *info,
                 const uint64_t *index, uint32_t rows, uint32_t columns,
                 struct view_picture *out, swim_error_t *err);
void view_picture_clear(struct view_picture *picture);

/* --- view_paint.c --------------------------------------------------------------------
 */

void view_paint(const struct view_screen *screen, const struct view_picture *picture,
                const char *units);

/* A picture of one row, as a curve. */
void view_plot(const struct view_screen *screen, const struct view_picture *picture,
               const char *units);

#endif /* SWIM_CLI_VIEW_H */
