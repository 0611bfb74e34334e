/* preload.c - HDF5 files of a program that knows nothing of h5swim are opened by its
 * driver.
 *
 * What is not a regular file, and what a program opens by another driver than HDF5's
 * usual one, is left alone.  Failures that HDF5 would meet as well - no such file, no
 * permission - are left to it, too, because programs read them out of its texts. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <h5swim/store.h>

#include "core/signals_exec.h"
#include "exec/exec_private.h"
#include "store/hdf5_version.h"
#include "store/superblock.h"
#include "store/vfd_exec.h"

void *exec_next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (!found) {
        exec_say("%s: HDF5 does not have it; the program was built for another version",
                 name);
        _exit(126);
    }
    return found;
}

void exec_say(const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    (void)dprintf(STDERR_FILENO, "h5swim exec: %s\n", text);
}

void exec_fail(const char *function, hid_t minor, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    (void)H5Epush2(H5E_DEFAULT, "h5swim exec", function, 0, H5E_ERR_CLS, H5E_FILE,
                   minor, "%s", text);
}

/* --- signals */

/* Once in each process: a child has its own. */
static void process_begin(void)
{
    static pid_t begun;
    swim_error_t err = {0};

    if (begun == getpid())
        return;
    begun = getpid();
    if (swim_signals_install_exec(&err) != SWIM_OK)
        exec_say("%s; locks are given back late when a signal ends the program",
                 err.text);
}

/* --- which files */

hid_t exec_driver_of(hid_t fapl)
{
    hid_t driver = H5I_INVALID_HID;

    NEXT(H5Pget_driver);
    if (fapl == H5P_DEFAULT)
        fapl = H5P_FILE_ACCESS_DEFAULT;
    H5E_BEGIN_TRY
    {
        if (H5Pisa_class(fapl, H5P_FILE_ACCESS) > 0)
            driver = next(fapl);
    }
    H5E_END_TRY;
    return driver;
}

bool exec_is_ours(hid_t object)
{
    bool is = false;

    H5E_BEGIN_TRY
    {
        hid_t file = H5Iget_file_id(object);
        hid_t fapl = file >= 0 ? H5Fget_access_plist(file) : H5I_INVALID_HID;
        is = fapl >= 0 && exec_driver_of(fapl) == swim_vfd_id();
        if (fapl >= 0)
            (void)H5Pclose(fapl);
        if (file >= 0)
            (void)H5Fclose(file);
    }
    H5E_END_TRY;
    return is;
}

/* A file that is there, and may be opened so; or a new one of this process, which has
 * its name not yet. */
static bool may_be_opened(const char *name, unsigned flags)
{
    int needed = flags & H5F_ACC_RDWR ? R_OK | W_OK : R_OK;
    struct stat st;

    if (stat(name, &st) == 0 &&
        (!S_ISREG(st.st_mode) || faccessat(AT_FDCWD, name, needed, AT_EACCESS) == 0))
        return S_ISREG(st.st_mode);
    return errno == ENOENT && swim_vfd_has_open(name);
}

static bool may_be_created(const char *name, unsigned flags)
{
    struct stat st;
    char dir[4096];

    if (stat(name, &st) == 0)
        return S_ISREG(st.st_mode) && !(flags & H5F_ACC_EXCL) &&
               faccessat(AT_FDCWD, name, R_OK | W_OK, AT_EACCESS) == 0;
    if (errno != ENOENT || snprintf(dir, sizeof(dir), "%s", name) >= (int)sizeof(dir))
        return false;
    char *slash = strrchr(dir, '/');
    if (slash == dir)
        slash++;
    if (slash)
        *slash = '\0';
    return faccessat(AT_FDCWD, slash ? dir : ".", W_OK | X_OK, AT_EACCESS) == 0;
}

/* The command itself locks what it opens. */
static bool is_own_command(void)
{
    const char *command = getenv("SWIM_COMMAND");
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

    path[n > 0 ? n : 0] = '\0';
    return command && strcmp(path, command) == 0;
}

/* Whether h5swim's driver is to be used, and is in *fapl, then a copy, to be given to
 * fapl_drop() when the file was opened. */
static bool fapl_take(const char *name, unsigned flags, bool create, hid_t *fapl)
{
    const unsigned swmr = H5F_ACC_SWMR_READ | H5F_ACC_SWMR_WRITE;
    swim_error_t err = {0};

    if (!name || exec_driver_of(*fapl) != H5FD_SEC2 || is_own_command())
        return false;
    if (flags & swmr) {
        exec_say("%s: opened for HDF5's SWMR mode, so without h5swim", name);
        return false;
    }
    if (!(create ? may_be_created : may_be_opened)(name, flags))
        return false;
    hid_t copy = H5Pcopy(*fapl == H5P_DEFAULT ? H5P_FILE_ACCESS_DEFAULT : *fapl);
    if (copy < 0)
        return false;
    if (swim_fapl_set(copy, NULL, &err) != SWIM_OK) {
        exec_say("open %s: %s", name, err.text);
        _exit(126);
    }
    process_begin();
    swim_signals_exec_begin();
    external_forget();
    *fapl = copy;
    return true;
}

/* H5Pclose() leaves the error stack of a failure empty. */
static void fapl_drop(hid_t fapl, bool failed)
{
    hid_t stack = failed ? H5Eget_current_stack() : H5I_INVALID_HID;

    swim_signals_exec_end();
    (void)H5Pclose(fapl);
    if (stack >= 0)
        (void)H5Eset_current_stack(stack);
}

static int file_bytes(void *arg, void *bytes, size_t size, uint64_t place, size_t *got,
                      swim_error_t *err)
{
    ssize_t n = pread(*(int *)arg, bytes, size, (off_t)place);

    *got = n > 0 ? (size_t)n : 0;
    return n >= 0 ? SWIM_OK : swim_error_sys(err, errno, "read");
}

/* A plain SWMR writer holds no lock on the file that could be waited for. */
static void say_if_marked(const char *name)
{
    struct superblock s = {0};
    struct stat st;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        superblock_look(file_bytes, &fd, (uint64_t)st.st_size, &s, NULL) == SWIM_OK &&
        s.marked)
        exec_say("open %s: a program without h5swim writes to it in HDF5's SWMR mode, "
                 "or ended without closing it (if none does: h5clear -s %s)",
                 name, name);
    (void)close(fd);
}

/* --- what was refused
 *
 * The tools of HDF5 open a file that they could not open by one driver after the other,
 * and show no reason.  Stdio and core would do: without a lock, without the journal. */

static _Thread_local struct {
    char name[4096];
    char why[1024];
    bool told;
} refused;

static herr_t find_own(unsigned n, const H5E_error2_t *entry, void *arg)
{
    (void)n;
    if (!entry->file_name || strcmp(entry->file_name, SWIM_VFD_FILE) != 0)
        return 0;
    *(const char **)arg = entry->desc;
    return 1;
}

/* Of the failure on HDF5's error stack, if it was h5swim's. */
static void refused_note(const char *name)
{
    const char *why = NULL;

    (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, find_own, &why);
    if (!why || snprintf(refused.name, sizeof(refused.name), "%s", name) >=
                    (int)sizeof(refused.name))
        return;
    refused.told = false;
    (void)snprintf(refused.why, sizeof(refused.why), "%s", why);
}

/* Whether another driver is tried for it.  A program that wants it in memory may have
 * it so, but not one that goes through the drivers: it has come to stdio before. */
static bool refused_again(const char *name, hid_t fapl)
{
    if (!name || *refused.name == '\0' || strcmp(name, refused.name) != 0)
        return false;
    hid_t driver = exec_driver_of(fapl);
    if (driver == H5FD_SEC2 || (driver == H5FD_CORE && !refused.told))
        return false;
    if (!refused.told)
        exec_say("%s", refused.why);
    refused.told = true;
    (void)H5Eclear2(H5E_DEFAULT);
    exec_fail("H5Fopen", H5E_CANTOPENFILE,
              "open %s by another driver: h5swim has refused it (%s)", name,
              refused.why);
    return true;
}

/* --- opening */

EXEC_API hid_t H5Fopen(const char *name, unsigned flags, hid_t fapl)
{
    NEXT(H5Fopen);
    if (refused_again(name, fapl))
        return H5I_INVALID_HID;
    if (!fapl_take(name, flags, false, &fapl))
        return next(name, flags, fapl);
    *refused.name = '\0';
    hid_t file = next(name, flags, fapl);
    if (file < 0) {
        refused_note(name);
        say_if_marked(name);
    }
    fapl_drop(fapl, file < 0);
    return file;
}

EXEC_API hid_t H5Fcreate(const char *name, unsigned flags, hid_t fcpl, hid_t fapl)
{
    NEXT(H5Fcreate);
    if (!fapl_take(name, flags, true, &fapl))
        return next(name, flags, fcpl, fapl);
    hid_t file = next(name, flags, fcpl, fapl);
    fapl_drop(fapl, file < 0);
    return file;
}

#if HDF5_HAS_ASYNC
#undef H5Fopen_async
#undef H5Fcreate_async

EXEC_API hid_t H5Fopen_async(const char *app_file, const char *app_func,
                             unsigned app_line, const char *name, unsigned flags,
                             hid_t fapl, hid_t es)
{
    NEXT(H5Fopen_async);
    bool taken = fapl_take(name, flags, false, &fapl);
    hid_t file = next(app_file, app_func, app_line, name, flags, fapl, es);
    if (taken)
        fapl_drop(fapl, file < 0);
    return file;
}

EXEC_API hid_t H5Fcreate_async(const char *app_file, const char *app_func,
                               unsigned app_line, const char *name, unsigned flags,
                               hid_t fcpl, hid_t fapl, hid_t es)
{
    NEXT(H5Fcreate_async);
    bool taken = fapl_take(name, flags, true, &fapl);
    hid_t file = next(app_file, app_func, app_line, name, flags, fcpl, fapl, es);
    if (taken)
        fapl_drop(fapl, file < 0);
    return file;
}
#endif

/* A program that says how files are to be opened that links lead to (h5py does) says it
 * for HDF5's usual driver. */
EXEC_API herr_t H5Pset_elink_fapl(hid_t lapl, hid_t fapl)
{
    NEXT(H5Pset_elink_fapl);
    if (fapl == H5P_DEFAULT || exec_driver_of(fapl) != H5FD_SEC2 || is_own_command())
        return next(lapl, fapl);
    hid_t copy = H5Pcopy(fapl);
    if (copy < 0 || swim_vfd_set_for_links(copy) < 0)
        return -1;
    herr_t rc = next(lapl, copy);
    (void)H5Pclose(copy);
    return rc;
}

/* Programs know HDF5's own drivers. */
EXEC_API hid_t H5Pget_driver(hid_t plist)
{
    NEXT(H5Pget_driver);
    hid_t driver = next(plist);
    return driver >= 0 && driver == swim_vfd_id() ? H5FD_SEC2 : driver;
}

/* --- closing
 *
 * HDF5 must not be told by its driver that a close failed.  The program is told here,
 * when HDF5 is done: the id is gone, as after a close that went well. */

static int close_by(int (*next)(hid_t), hid_t id, const char *function)
{
    swim_error_t why = {0};

    (void)swim_vfd_take_failure(&why); /* of an earlier call */
    int rc = next(id);
    if (rc < 0 || !swim_vfd_take_failure(&why))
        return rc;
    exec_fail(function, H5E_CANTCLOSEFILE, "%s", why.text);
    return -1;
}

EXEC_API herr_t H5Fclose(hid_t file)
{
    NEXT(H5Fclose);
    return close_by(next, file, __func__);
}

EXEC_API int H5Idec_ref(hid_t id)
{
    NEXT(H5Idec_ref);
    return close_by(next, id, __func__);
}
