/* cmd_view.c - h5swim view: options, and in which order a dataset is shown. */
#include "cli/cmd_view.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/options.h"
#include "cli/view.h"
#include "core/printable.h"
#include "core/signals.h"

#define LEAVE_MS 500
#define WIDTH_MAX 1000
#define STATUS_LOCK 4
#define STATUS_DAMAGED 5
#define STATUS_SIGNAL 128

static const char help[] =
    "Usage: h5swim view FILE[:DSET] [OPTION...]\n"
    "Show what is in an HDF5 file: without DSET, or of a group, the datasets; of a\n"
    "dataset its shape, type, storage, attributes, statistics and a small picture.\n"
    "It is read in its last committed state, also while others write to it.\n"
    "\n"
    "  --index I,...  which slice is drawn: an index for each axis but the last two\n"
    "                 (default 0; -1 is the last one)\n"
    "  --width N      columns of the picture (default: those of the terminal, else "
    "80)\n"
    "  --all          statistics of all values; else, of more than 67,108,864, of "
    "blocks\n"
    "                 spread over them (what is shown says so)\n"
    "  --no-picture   texts alone\n"
    "  --color WHEN   auto, always or never; auto: on a terminal, unless $NO_COLOR is "
    "set\n"
    "  --redis URL    lock server (else $SWIM_REDIS_URL, else the private one)\n"
    "  --help         this text\n"
    "\n"
    "Missing values (NaN, _FillValue, missing_value, beyond valid_range) are counted "
    "and\n"
    "left out; std is that of the values themselves (divided by n).  A cell of the\n"
    "picture is the mean of its values.  Without colours it is of characters, from "
    "\".\"\n"
    "(low) to \"@\" (high).\n"
    "\n"
    "  h5swim view out.nc\n"
    "  h5swim view out.nc:/speed --index 3\n"
    "  h5swim view out.nc:speed --color always | less -R\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage (also: no such dataset), 4 the file was "
    "not\n"
    "had in time, 5 it is damaged, 128+N ended by signal N.\n";

enum { OPT_INDEX = 256, OPT_WIDTH, OPT_ALL, OPT_NONE, OPT_COLOR, OPT_REDIS, OPT_HELP };

static const struct option long_options[] = {
    {"index", required_argument, NULL, OPT_INDEX},
    {"width", required_argument, NULL, OPT_WIDTH},
    {"all", no_argument, NULL, OPT_ALL},
    {"no-picture", no_argument, NULL, OPT_NONE},
    {"color", required_argument, NULL, OPT_COLOR},
    {"redis", required_argument, NULL, OPT_REDIS},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

static int fail(const swim_error_t *err)
{
    size_t size = 4 * strlen(err->text) + 1;
    char *shown = malloc(size);
    int signo = swim_signals_pending();

    if (shown)
        (void)swim_printable(err->text, 0, shown, size); /* it has names of the file */
    fflush(stdout);
    fprintf(stderr, "h5swim view: %s\n", shown ? shown : err->text);
    free(shown);
    if (signo)
        return STATUS_SIGNAL + signo;
    switch (err->code) {
    case SWIM_ERR_ARG:
        return VIEW_USAGE;
    case SWIM_ERR_TIMEOUT:
        return STATUS_LOCK;
    case SWIM_ERR_CORRUPT:
        return STATUS_DAMAGED;
    default:
        return VIEW_FAILED;
    }
}

/* --- the slice
 * ------------------------------------------------------------------------ */

/* One number of --index; *text goes behind it. */
static int index_take(const char **text, uint64_t length, uint32_t axis,
                      uint64_t *index, swim_error_t *err)
{
    char *end = NULL;

    errno = 0;
    long long value = strtoll(*text, &end, 10);
    if (end == *text || errno || (*end && *end != ','))
        return swim_error_set(err, SWIM_ERR_ARG,
                              "--index %.60s: it is no list of numbers (as in 3,0)",
                              *text);
    const uint64_t from_end = value < 0 ? 0 - (uint64_t)value : 0;
    if (value < 0 ? from_end > length : (uint64_t)value >= length)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "--index: axis %u goes from 0 to %llu, not to %lld", axis,
                              (unsigned long long)length - 1, value);
    *index = value < 0 ? length - from_end : (uint64_t)value;
    *text = *end ? end + 1 : end;
    return SWIM_OK;
}

static int slice_choose(const struct view_options *o, const struct dataset_info *info,
                        uint64_t *index, swim_error_t *err)
{
    const uint32_t n = info->ndim > 2 ? info->ndim - 2 : 0;
    const char *text = o->index ? o->index : "";
    int rc = SWIM_OK;
    uint32_t given = 0;

    while (rc == SWIM_OK && *text && given < n) {
        rc = index_take(&text, info->shape[given], given, &index[given], err);
        given++;
    }
    if (rc == SWIM_OK && *text)
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "--index %.60s: %s has %u ax%s before the last two",
                            o->index, info->path, n, n == 1 ? "is" : "es");
    return rc;
}

static int axes_read(const struct source *source, const struct dataset_info *info,
                     const uint64_t *index, struct view_axis *axes, swim_error_t *err)
{
    int rc = SWIM_OK;

    for (uint32_t i = 0; rc == SWIM_OK && i < info->ndim; i++) {
        struct view_axis *a = &axes[i];
        const uint64_t last = info->shape[i] - 1;
        rc = dataset_coordinate(source, info, i, 0, &a->first, &a->has, err);
        if (rc == SWIM_OK && a->has)
            rc = dataset_coordinate(source, info, i, last, &a->last, &a->has, err);
        if (rc == SWIM_OK && a->has)
            rc = dataset_coordinate(source, info, i, index[i], &a->at, &a->has, err);
    }
    return rc;
}

/* Latitudes that grow with the rows have the north at the bottom. */
static bool north_is_last(const struct swim_axis *y, const struct view_axis *ends)
{
    if (!ends->has || y->length < 2 || ends->last < ends->first)
        return false;
    return strncmp(y->units, "degree", 6) == 0 && strchr(y->units, 'n')
               ? true
               : strcmp(y->standard_name, "latitude") == 0;
}

static void axis_ends(const char *way, const struct swim_axis *axis,
                      const struct view_axis *ends, bool backwards)
{
    const long double first = ends->has ? (long double)ends->first : 0;
    const long double last =
        ends->has ? (long double)ends->last : (long double)(axis->length - 1);

    printf("%s: ", way);
    view_put(axis->name[0] ? axis->name : "index");
    putchar(' ');
    view_put_number(backwards ? last : first, false);
    fputs(" to ", stdout);
    view_put_number(backwards ? first : last, false);
    if (ends->has)
        view_put_units(axis->units);
}

/* "slice [3, :, :] at time 36 ...", and what is where. */
static void slice_print(const struct dataset_info *info, const uint64_t *index,
                        const struct view_axis *axes, const struct view_picture *p)
{
    const uint32_t n = info->ndim;

    fputs("\nslice [", stdout);
    for (uint32_t i = 0; i < n; i++)
        if (i + 2 < n)
            printf("%llu, ", (unsigned long long)index[i]);
        else
            printf(i + 1 < n ? ":, " : ":]");
    for (uint32_t i = 0; i + 2 < n; i++) {
        const struct swim_axis *axis = &info->axes[i];
        if (!axes[i].has)
            continue;
        fputs(i ? ", " : " at ", stdout);
        view_put(axis->name);
        putchar(' ');
        view_put_number((long double)axes[i].at, false);
        view_put_units(axis->units);
    }
    if (p->picked)
        fputs(" (of each cell a part of the values was read)", stdout);
    putchar('\n');
    if (n > 1) {
        axis_ends("down", &info->axes[n - 2], &axes[n - 2], p->flipped);
        fputs("; ", stdout);
    }
    axis_ends("across", &info->axes[n - 1], &axes[n - 1], false);
    putchar('\n');
}

static int picture_show(const struct source *source, const struct view_options *o,
                        const struct dataset_info *info, const uint64_t *index,
                        const struct view_axis *axes, swim_error_t *err)
{
    const struct view_screen screen = view_screen_of(o);
    const uint32_t n = info->ndim;
    struct view_picture picture = {0};
    uint32_t rows = 1, columns = screen.columns;

    picture.flipped = n > 1 && north_is_last(&info->axes[n - 2], &axes[n - 2]);
    if (n > 1)
        view_screen_fit(&screen, info->shape[n - 2], info->shape[n - 1], &rows,
                        &columns);
    int rc = view_picture(source, info, index, rows, columns, &picture, err);
    if (rc != SWIM_OK)
        return rc;
    slice_print(info, index, axes, &picture);
    if (n > 1)
        view_paint(&screen, &picture, info->units);
    else
        view_plot(&screen, &picture, info->units);
    view_picture_clear(&picture);
    return rc;
}

/* --- what there is -------------------------------------------------------------------
 */

static int numbers_show(const struct source *source, const struct view_options *o,
                        const struct view_set *set, const struct dataset_info *info,
                        swim_error_t *err)
{
    struct view_statistics statistics = {0};
    struct view_axis axes[SWIM_NDIM_MAX] = {0};
    uint64_t index[SWIM_NDIM_MAX] = {0};

    int rc = slice_choose(o, info, index, err);
    if (rc == SWIM_OK)
        rc = axes_read(source, info, index, axes, err);
    if (rc == SWIM_OK)
        rc = view_show_set(source, set, info, axes, err);
    if (rc == SWIM_OK)
        view_show_first(source, set);
    if (rc == SWIM_OK)
        rc = view_statistics(source, info, o->all, &statistics, err);
    if (rc != SWIM_OK)
        return rc;
    view_show_statistics(info, &statistics);
    if (!o->no_picture && info->ndim > 0)
        rc = picture_show(source, o, info, index, axes, err);
    return rc;
}

static int set_show(const struct source *source, const struct view_options *o,
                    const char *path, swim_error_t *err)
{
    struct dataset_info *info = NULL;
    struct view_set *set = NULL;

    int rc = view_set(source, path, &set, err);
    if (rc == SWIM_OK && set->numeric && set->count > 0)
        rc = dataset_inspect_bare(source, path, &info, err);
    if (rc == SWIM_OK && info) {
        rc = numbers_show(source, o, set, info, err);
    } else if (rc == SWIM_OK) {
        rc = view_show_set(source, set, NULL, NULL, err);
        if (rc == SWIM_OK && set->count > 0)
            view_show_first(source, set);
    }
    dataset_info_destroy(info);
    view_set_free(set);
    return rc;
}

static int file_show(const struct view_options *o, const char *file, const char *path,
                     swim_error_t *err)
{
    const struct swim_session_options opt = {
        .struct_size = sizeof(opt), .url = o->url, .job = "view", .rank = -1};
    struct store_access access = {0};
    struct source *source = NULL;
    struct stat is;

    /* A file that is none is told of before a lock server is started for it. */
    if (stat(file, &is) < 0)
        return swim_error_sys(err, errno, "open %s", file);
    store_quiet();
    int rc = swim_session_open(&opt, &access.session, err);
    if (rc == SWIM_OK)
        rc = source_open(file, &access, NULL, &source, err);
    bool group = rc == SWIM_OK && view_kind_of(source, path) == VIEW_GROUP;
    if (group && o->index)
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "--index %.60s: it is for one dataset: give FILE:DSET",
                            o->index);
    else if (group)
        rc = view_show_list(source, path, err);
    else if (rc == SWIM_OK)
        rc = set_show(source, o, path, err);
    if (rc == SWIM_OK)
        rc = source_look(source, true, err); /* nobody changed it behind our back */
    source_leave(source);
    swim_session_close(access.session);
    return rc;
}

/* FILE:DSET is cut at the last ':' before which there is a file; names may have some.
 */
static const char *argument_cut(char *argument)
{
    struct stat is;
    char *cut = NULL;

    if (stat(argument, &is) == 0)
        return "/";
    for (char *at = argument + strlen(argument); at > argument; at--) {
        if (*at != ':')
            continue;
        *at = '\0';
        bool is_file = stat(argument, &is) == 0;
        *at = ':';
        if (is_file || !cut)
            cut = at;
        if (is_file)
            break;
    }
    if (!cut)
        return "/";
    *cut = '\0';
    return cut[1] ? cut + 1 : "/";
}

static int run(const struct view_options *o, char *argument)
{
    const char *path = argument_cut(argument);
    swim_error_t err = {0};

    setlocale(LC_CTYPE, ""); /* which names and blocks can be shown as they are */
    if (swim_signals_install_command(LEAVE_MS, &err) != SWIM_OK)
        return fail(&err);
    int rc = file_show(o, argument, path, &err);
    if (rc != SWIM_OK)
        return fail(&err);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return VIEW_DONE;
    fputs("h5swim view: write what was found: it failed (is the disk full?)\n", stderr);
    return VIEW_FAILED;
}

/* --- options -------------------------------------------------------------------------
 */

static int take_width(struct view_options *o, const char *text)
{
    size_t digits = strspn(text, "0123456789");

    o->width = digits > 0 && digits < 5 && !text[digits] ? atoi(text) : 0;
    if (o->width > 0 && o->width <= WIDTH_MAX)
        return VIEW_DONE;
    fprintf(stderr,
            "h5swim view: --width %.40s: it is no number of columns from 1 to %d (see "
            "h5swim view --help)\n",
            text, WIDTH_MAX);
    return VIEW_USAGE;
}

static int take_color(struct view_options *o, const char *text)
{
    static const char *const words[] = {"auto", "always", "never"};

    for (int i = 0; i < 3; i++)
        if (strcmp(text, words[i]) == 0) {
            o->color = (enum view_color)i;
            return VIEW_DONE;
        }
    fprintf(stderr,
            "h5swim view: --color %.40s: give auto, always or never (see h5swim view "
            "--help)\n",
            text);
    return VIEW_USAGE;
}

static int take_option(int found, char **argv, struct view_options *o)
{
    switch (found) {
    case OPT_INDEX:
        o->index = optarg;
        return VIEW_DONE;
    case OPT_WIDTH:
        return take_width(o, optarg);
    case OPT_ALL:
        o->all = true;
        return VIEW_DONE;
    case OPT_NONE:
        o->no_picture = true;
        return VIEW_DONE;
    case OPT_COLOR:
        return take_color(o, optarg);
    case OPT_REDIS:
        o->url = optarg;
        return VIEW_DONE;
    default:
        return options_refuse("view", long_options, found, argv);
    }
}

int cmd_view(int argc, char **argv)
{
    struct view_options o = {0};
    int found, status = VIEW_DONE;

    while (status == VIEW_DONE &&
           (found = getopt_long(argc, argv, ":", long_options, NULL)) >= 0) {
        if (found == OPT_HELP) {
            fputs(help, stdout);
            return VIEW_DONE;
        }
        status = take_option(found, argv, &o);
    }
    if (status != VIEW_DONE)
        return status;
    if (argc - optind == 1 && argv[optind][0])
        return run(&o, argv[optind]);
    fprintf(stderr,
            "h5swim view: give one FILE or FILE:DSET (see h5swim view --help)\n");
    return VIEW_USAGE;
}

const struct command command_view = {
    "view", cmd_view,     "what is in a file: datasets, statistics, a picture",
    help,   long_options, ":",
    "file"};
