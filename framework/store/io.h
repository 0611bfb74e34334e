/* io.h - what the transactional part of the store asks of the operating system.
 *
 * All of it goes through one table, so that a test can fail, tear, reorder or stop at
 * every call.  The functions are those of the system and set errno as they do; nobody
 * calls them but the functions below, which make whole what those may do in part: a
 * call that a signal interrupts (EINTR) is made again, a short count is continued.
 * close() alone is called as it is: what it closes is closed also when it fails. */
#ifndef SWIM_STORE_IO_H
#define SWIM_STORE_IO_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <h5swim/error.h>

struct swim_io {
    int (*open)(const char *path, int flags, mode_t mode);
    int (*close)(int fd);
    ssize_t (*pread)(int fd, void *bytes, size_t size, off_t at);
    ssize_t (*pwritev)(int fd, const struct iovec *parts, int n, off_t at);
    int (*ftruncate)(int fd, off_t size);
    int (*fdatasync)(int fd);
    int (*fsync)(int fd); /* of a directory, or of a file with its mode and owner */
    int (*fstat)(int fd, struct stat *st);
    int (*lstat)(const char *path, struct stat *st);
    int (*flock)(int fd, int how);
    int (*unlink)(const char *path);
    int (*rename)(const char *from, const char *to);
    int (*link)(const char *from, const char *to);
    int (*fchown)(int fd, uid_t owner, gid_t group);
    int (*fchmod)(int fd, mode_t mode);
    int64_t (*birth_ns)(int fd); /* when the file was made (statx); 0: not known */
    /* Begin to bring [at, at + size) to the disk, without waiting (sync_file_range(2));
     * NULL: there is no such thing. */
    int (*start_sync)(int fd, off_t at, off_t size);
    /* When it was changed last, nanoseconds since 1970; fails where it is another
     * user's.  NULL: there is no such thing. */
    int (*set_mtime)(int fd, uint64_t ns);
    /* Close what has no name any more and may be large, perhaps later (late_close());
     * NULL: as others. */
    int (*close_late)(int fd);
    /* Run fn(arg) in a thread that gets no signals, and wait for its end; 0, or a
     * number of errno.  thread_start NULL: there are no threads. */
    int (*thread_start)(pthread_t *thread, void *(*fn)(void *), void *arg);
    int (*thread_join)(pthread_t thread);
};

extern const struct swim_io swim_io_system;

/* As those of the system, but for EINTR.  When the interrupted call has removed the
 * file, or renamed it, the next finds none: that is success. */
int io_open(const struct swim_io *io, const char *path, int flags, mode_t mode);

/* Open what should be a regular file, without waiting for the other end of a pipe; what
 * it is the caller looks at. */
int io_open_existing(const struct swim_io *io, const char *path, int flags);
int io_fstat(const struct swim_io *io, int fd, struct stat *st);
int io_lstat(const struct swim_io *io, const char *path, struct stat *st);
int io_flock(const struct swim_io *io, int fd, int how);
int io_unlink(const struct swim_io *io, const char *path);
int io_rename(const struct swim_io *io, const char *from, const char *to);
int io_link(const struct swim_io *io, const char *from, const char *to);
int io_fchown(const struct swim_io *io, int fd, uid_t owner, gid_t group);
int io_fchmod(const struct swim_io *io, int fd, mode_t mode);
int io_fsync(const struct swim_io *io, int fd);
int io_set_mtime(const struct swim_io *io, int fd, uint64_t ns);

/* An open file of the table. */
struct io_file {
    const struct swim_io *io;
    int fd;
    const char *path; /* for errors; belongs to the caller */
    /* Of all files that one transaction rests on; may be NULL.  The system forgets what
     * it could not write, and the next sync succeeds without it: so after one that has
     * failed none of them succeeds any more. */
    bool *sync_failed;
};

/* Read up to size bytes, fewer only at the end of the file: *got. */
int io_read(const struct io_file *file, void *bytes, size_t size, uint64_t at,
            size_t *got, swim_error_t *err);

/* Write all of the parts, which are changed on the way. */
int io_write(const struct io_file *file, struct iovec *parts, int n, uint64_t at,
             swim_error_t *err);

int io_truncate(const struct io_file *file, uint64_t size, swim_error_t *err);
int io_sync(const struct io_file *file, swim_error_t *err);
int io_sync_with_mode(const struct io_file *file, swim_error_t *err); /* and owner */
int io_size(const struct io_file *file, uint64_t *size, swim_error_t *err);

/* What was written of a file and is not on its way to the disk yet.  All zero: nothing.
 */
struct io_unsent {
    uint64_t bytes, from, to;
};

/* Some more was written.  When it is much, the disk begins with it now: the sync that
 * comes later has less to wait for, and less of the memory is full of it.  A hint: what
 * fails here is told by the sync. */
void io_wrote(struct io_unsent *unsent, const struct io_file *file, uint64_t place,
              uint64_t size);

#endif /* SWIM_STORE_IO_H */
