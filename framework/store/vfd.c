/* vfd.c - the HDF5 virtual file driver.
 *
 * What HDF5 1.10 and 1.14 ask of a driver, and in which order, decides how this one is
 * made:
 *
 *   - The same file is opened again to be compared, and opened before it is created:
 *     see openfile.h.
 *   - flush does not say whether all of the file's metadata are in it, so the only
 *     implicit commit is the close.
 *   - Locks are not left to lock and unlock: the first is not called when HDF5's file
 *     locking is off, the second never.
 *   - A close that fails, or a write that fails while HDF5 closes a file or a dataset,
 *     or flushes one, leaves pointers to freed memory in HDF5, and exit() crashes.  So
 *     when a write has failed, what comes is dropped; writes of data fail in H5Dwrite()
 *     alone, writes of metadata nowhere; and a commit that fails in the close is told
 *     on stderr and by vfd_take_failure(). */
#include "store/vfd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "store/exit_status.h"
#include "store/hdf5_version.h"
#include "store/process_session.h"
#include "store/store_wait.h"
#include "store/vfd_caller.h"
#include "store/vfd_exec.h"

struct vfd {
    H5FD_t head; /* HDF5's */
    struct vfd *next;
    struct openfile *file;
    haddr_t eoa;
    bool writes, told;
    struct vfd_info info; /* external links inherit it */
    int fd;               /* that get_handle has given away a pointer to */
};

static struct vfd *vfds; /* open; HDF5 makes one call at a time */
static const struct swim_io *io_in_use;
static const unsigned char *boot_in_use;
static _Thread_local swim_error_t failure;
static _Thread_local int last_code;

void vfd_use_io(const struct swim_io *io, const unsigned char *boot)
{
    io_in_use = io;
    boot_in_use = boot;
}

void vfd_set_io(struct openfile_options *opt)
{
    opt->io = io_in_use;
    opt->boot = boot_in_use;
}

bool vfd_take_failure(swim_error_t *why)
{
    bool was = failure.code != SWIM_OK;

    *why = failure;
    swim_error_clear(&failure);
    return was;
}

int vfd_take_code(void)
{
    int code = last_code;

    last_code = SWIM_OK;
    return code;
}

/* Put it on HDF5's error stack; always -1. */
static int vfd_fail(const char *function, const swim_error_t *err)
{
    last_code = err->code;
    H5Epush2(H5E_DEFAULT, SWIM_VFD_FILE, function, __LINE__, H5E_ERR_CLS, H5E_VFL,
             H5E_CANTOPENFILE, "%s", err->text);
    return -1;
}

static struct vfd *of(const H5FD_t *head)
{
    return (struct vfd *)(uintptr_t)head;
}

/* HDF5 looks for a file that a link leads to in several folders, and forgets why it
 * could not be opened in one; a virtual dataset shows fill values then. */
static void tell_of_link(struct vfd *v, const char *name, const swim_error_t *why)
{
    if (!v->info.inherited || v->told || access(name, F_OK) != 0)
        return;
    v->told = true;
    fprintf(stderr, "h5swim: follow a link: %s\n", why->text);
}

/* A call on an open file, which may be the one that enters it. */
static int vfd_fail_on(const H5FD_t *head, const char *function,
                       const swim_error_t *err)
{
    tell_of_link(of(head), openfile_path(of(head)->file), err);
    return vfd_fail(function, err);
}

static int how_of(unsigned flags, const struct vfd_info *info, const char *name,
                  enum openfile_how *how, swim_error_t *err)
{
    const unsigned swmr = H5F_ACC_SWMR_READ | H5F_ACC_SWMR_WRITE;

    if (flags & swmr)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "open %s for HDF5's SWMR mode: that is not for files "
                              "under h5swim (open it without, or without h5swim)",
                              name);
    *how = OPENFILE_READ;
    if (flags & H5F_ACC_RDWR)
        *how = OPENFILE_WRITE;
    if (flags & (H5F_ACC_TRUNC | H5F_ACC_CREAT))
        *how = flags & H5F_ACC_EXCL ? OPENFILE_CREATE_NEW : OPENFILE_CREATE;
    if ((info->read_only || info->at_snapshot) && *how != OPENFILE_READ)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "open %s for writing: the file access property list is "
                              "for reading only%s",
                              name, info->at_snapshot ? ", of a snapshot" : "");
    return SWIM_OK;
}

/* A snapshot is of one file.  Those that its links lead to are read in their last
 * state. */
static void snapshot_leave(struct vfd_info *info, const char *name)
{
    struct stat st;

    if (!info->at_snapshot || openfile_is_open(name, &info->snapshot) ||
        (stat(name, &st) == 0 && (uint64_t)st.st_ino == info->snapshot.inode))
        return;
    info->at_snapshot = false;
    info->read_only = true;
}

static int vfd_start(struct vfd *v, const char *name, unsigned flags, hid_t fapl,
                     swim_error_t *err)
{
    const struct vfd_info *given = NULL;
    struct openfile_options opt = {0};
    enum openfile_how how = OPENFILE_READ;

    vfd_set_io(&opt);
    /* There is none when HDF5_DRIVER chose the driver; HDF5 1.14 calls that an error,
     * which would be the first that the program sees. */
    H5E_BEGIN_TRY
    {
        given = H5Pget_driver_info(fapl);
    }
    H5E_END_TRY;
    if (given)
        v->info = *given;
    else
        (void)H5Eclear2(H5E_DEFAULT);
    if (v->info.inherited)
        snapshot_leave(&v->info, name);
    int rc = how_of(flags, &v->info, name, &how, err);
    if (rc == SWIM_OK)
        rc = store_wait_ms(v->info.wait_ms, &opt.wait_ms, err);
    if (rc == SWIM_OK)
        rc = store_sync(v->info.no_sync, &opt.sync, err);
    opt.session = v->info.session;
    opt.quiet = v->info.quiet;
    opt.at_snapshot = v->info.at_snapshot;
    opt.snapshot = v->info.snapshot;
    if (rc == SWIM_OK)
        rc = openfile_get(&v->file, name, how, &opt, err);
    v->writes = rc == SWIM_OK && how != OPENFILE_READ;
    return rc;
}

static void *vfd_fapl_get(H5FD_t *head)
{
    struct vfd_info *info = malloc(sizeof(*info));

    if (!info)
        return NULL;
    *info = of(head)->info;
    info->inherited = true;
    return info;
}

static void *vfd_fapl_copy(const void *from)
{
    struct vfd_info *info = malloc(sizeof(*info));

    if (info)
        memcpy(info, from, sizeof(*info));
    return info;
}

static herr_t vfd_fapl_free(void *info)
{
    free(info);
    return 0;
}

static H5FD_t *vfd_open(const char *name, unsigned flags, hid_t fapl, haddr_t maxaddr)
{
    struct vfd *v = calloc(1, sizeof(*v));
    swim_error_t err = {0};

    (void)maxaddr;
    if (!v)
        (void)swim_error_set(&err, SWIM_ERR_NOMEM, "open %s: no memory", name);
    else if (vfd_start(v, name, flags, fapl, &err) == SWIM_OK) {
        v->next = vfds;
        vfds = v;
        return &v->head;
    }
    if (v)
        tell_of_link(v, name, &err);
    free(v);
    (void)vfd_fail(__func__, &err);
    return NULL;
}

static herr_t vfd_close(H5FD_t *head)
{
    struct vfd *v = of(head), **at = &vfds;
    swim_error_t err = {0};

    while (*at != v)
        at = &(*at)->next;
    *at = v->next;
    if (openfile_put(v->file, &err) != SWIM_OK) {
        failure = err;
        openfile_tell(&err);
        exit_status_spoil();
    }
    free(v);
    return 0;
}

static int vfd_cmp(const H5FD_t *a, const H5FD_t *b)
{
    uintptr_t x = (uintptr_t)of(a)->file, y = (uintptr_t)of(b)->file;

    return (x > y) - (x < y);
}

/* Without a file it is asked what it may ever be able to do.  A new file is not found
 * by its name before it is committed, as HDF5 would want to with a POSIX handle. */
static herr_t vfd_query(const H5FD_t *head, unsigned long *flags)
{
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA |
             H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_AGGREGATE_SMALLDATA |
             H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    if (head && !openfile_is_new(of(head)->file))
        *flags |= H5FD_FEAT_POSIX_COMPAT_HANDLE;
    return 0;
}

static haddr_t vfd_get_eoa(const H5FD_t *head, H5FD_mem_t type)
{
    (void)type;
    return of(head)->eoa;
}

static herr_t vfd_set_eoa(H5FD_t *head, H5FD_mem_t type, haddr_t addr)
{
    (void)type;
    of(head)->eoa = addr;
    return 0;
}

static haddr_t vfd_get_eof(const H5FD_t *head, H5FD_mem_t type)
{
    swim_error_t err = {0};
    uint64_t size = 0;

    (void)type;
    if (openfile_size(of(head)->file, &size, &err) == SWIM_OK)
        return size;
    (void)vfd_fail_on(head, __func__, &err);
    return HADDR_UNDEF;
}

static herr_t vfd_get_handle(H5FD_t *head, hid_t fapl, void **handle)
{
    struct vfd *v = of(head);
    swim_error_t err = {0};

    (void)fapl;
    v->fd = openfile_fd(v->file, &err);
    if (v->fd < 0)
        return vfd_fail(__func__, &err);
    *handle = &v->fd;
    return 0;
}

static herr_t vfd_read(H5FD_t *head, H5FD_mem_t type, hid_t dxpl, haddr_t addr,
                       size_t size, void *buffer)
{
    swim_error_t err = {0};

    (void)dxpl;
    /* Metadata are needed to close what is open. */
    int rc = type == H5FD_MEM_DRAW ? openfile_is_whole(of(head)->file, &err) : SWIM_OK;
    if (rc == SWIM_OK)
        rc = openfile_read(of(head)->file, buffer, size, addr, &err);
    return rc == SWIM_OK ? 0 : vfd_fail_on(head, __func__, &err);
}

/* A global heap comes as data, but is written by the metadata cache. */
static bool is_data(H5FD_mem_t type, const void *buffer, size_t size)
{
    static const char heap[] = {'G', 'C', 'O', 'L'};

    return type == H5FD_MEM_DRAW &&
           (size < sizeof(heap) || memcmp(buffer, heap, sizeof(heap)) != 0);
}

static herr_t vfd_write(H5FD_t *head, H5FD_mem_t type, hid_t dxpl, haddr_t addr,
                        size_t size, const void *buffer)
{
    struct vfd *v = of(head);
    swim_error_t err = {0};

    (void)dxpl;
    if (openfile_write(v->file, buffer, size, addr, &err) == SWIM_OK)
        return 0;
    return is_data(type, buffer, size) && vfd_caller_writes_data()
               ? vfd_fail(__func__, &err)
               : 0;
}

static herr_t vfd_truncate(H5FD_t *head, hid_t dxpl, hbool_t closing)
{
    struct vfd *v = of(head);

    (void)dxpl;
    (void)closing;
    if (v->writes) /* a failure is kept, and told by the commit */
        (void)openfile_set_size(v->file, v->eoa, NULL);
    return 0;
}

static herr_t vfd_lock(H5FD_t *head, hbool_t rw)
{
    swim_error_t err = {0};

    (void)rw;
    if (openfile_enter(of(head)->file, &err) == SWIM_OK)
        return 0;
    return vfd_fail_on(head, __func__, &err);
}

/* HDF5 asks for it when a writer turns to SWMR mode, and never else.  Programs that do
 * so go on to write as others do; only their readers see it later. */
static herr_t vfd_unlock(H5FD_t *head)
{
    struct vfd *v = of(head);

    if (v->writes && !v->told)
        fprintf(stderr,
                "h5swim: start HDF5's SWMR mode of %s: others see what is written when "
                "it is committed or the file is closed, not before (as for any file "
                "under h5swim)\n",
                openfile_path(v->file));
    v->told = true;
    return 0;
}

static hid_t registered = H5I_INVALID_HID;

/* HDF5 is at its end, and no file is open. */
static herr_t vfd_terminate(void)
{
    registered = H5I_INVALID_HID;
    process_session_end();
    return 0;
}

static const H5FD_class_t vfd_class = {
    HDF5_CLASS_HEAD.name = "h5swim",
    .maxaddr = JOURNAL_PLACE_MAX,
    .fc_degree = H5F_CLOSE_WEAK,
    .terminate = vfd_terminate,
    .fapl_size = sizeof(struct vfd_info),
    .fapl_get = vfd_fapl_get,
    .fapl_copy = vfd_fapl_copy,
    .fapl_free = vfd_fapl_free,
    .open = vfd_open,
    .close = vfd_close,
    .cmp = vfd_cmp,
    .query = vfd_query,
    .get_eoa = vfd_get_eoa,
    .set_eoa = vfd_set_eoa,
    .get_eof = vfd_get_eof,
    .get_handle = vfd_get_handle,
    .read = vfd_read,
    .write = vfd_write,
    .truncate = vfd_truncate,
    .lock = vfd_lock,
    .unlock = vfd_unlock,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

hid_t vfd_id(void)
{
    if (registered < 0 || H5Iis_valid(registered) <= 0)
        registered = H5FDregister(&vfd_class);
    return registered;
}

const void *vfd_class_get(void)
{
    return &vfd_class;
}

struct openfile *vfd_file_of_handle(const void *handle)
{
    const struct vfd *v = vfds;

    while (v && handle != &v->fd)
        v = v->next;
    return v ? v->file : NULL;
}
