/* object_private.h - what the files of the object interface (h5swim/file.h) share.
 *
 * A call is
 *
 *     object_begin()   the call's session, its own or the one that was begun
 *     ... HDF5 calls ...
 *     object_end()     commits and closes it if it is the call's own
 *
 * and between the two the mutex of HDF5 calls is held: nothing waits for others there
 * but for external files. */
#ifndef SWIM_STORE_OBJECT_PRIVATE_H
#define SWIM_STORE_OBJECT_PRIVATE_H

#include <stdbool.h>
#include <sys/types.h>

#include <h5swim/file.h>

#include "store/openfile.h"
#include "store/store_private.h"

/* --- object_busy.c: the sessions of this process */

struct object_busy;

/* One session at a time has a file; wait for others' up to wait_ms, as in
 * swim_lock_options.  SWIM_ERR_DEADLOCK: it is this thread's own.  SWIM_ERR_TIMEOUT,
 * SWIM_ERR_NOMEM, and those of swim_resource_of_file(). */
int object_busy_take(struct object_busy **out, const char *path, int64_t wait_ms,
                     swim_error_t *err);
void object_busy_drop(struct object_busy *busy);

/* --- object_session.c */

struct object_session {
    struct object_busy *busy;
    struct openfile *open;
    hid_t file;
    pid_t pid;
    bool writes;
    swim_error_t broken; /* a call that failed half-way: it cannot be committed */
};

struct swim_file {
    char *path; /* absolute */
    bool writable, latest_format;
    struct openfile_options opt;
    unsigned visits;                /* that are on their way */
    struct object_session *session; /* begun; NULL: each call has its own */
};

enum object_how {
    OBJECT_READ,
    OBJECT_UPDATE,
    OBJECT_CREATE, /* the file, replacing what is there */
    OBJECT_CREATE_NEW
};

int object_session_open(struct object_session **out, const swim_file_t *file,
                        enum object_how how, swim_error_t *err);

/* Ends and frees it.  In a child of the process that opened it only the memory. */
int object_session_close(struct object_session *session, bool commit,
                         swim_error_t *err);

/* --- object_call.c */

struct object_call {
    swim_file_t *handle;
    const char *verb; /* "write" */
    char *path;       /* normal */
    hid_t file;
    hid_t links, names; /* of links that are followed, and made */
    struct object_session *session;
    bool own;      /* the session is this call's */
    bool changing; /* set before the first change */
    H5E_auto2_t report;
    void *report_arg;
    swim_error_t *err;
};

/* Errors: what verb is for path is not possible now; those of opening. */
int object_begin(struct object_call *call, swim_file_t *file, const char *verb,
                 const char *path, enum object_how how, swim_error_t *err);

/* rc of what was done; returns it, or the error of the commit. */
int object_end(struct object_call *call, int rc);

/* "VERB PATH of FILE: ...". */
int object_fail(struct object_call *call, int code, const char *fmt, ...)
    SWIM_PRINTF(3, 4);

/* The same with HDF5's cause; to be called before any other HDF5 call. */
int object_fail_h5(struct object_call *call, const char *fmt, ...) SWIM_PRINTF(2, 3);

/* What HDF5, or the driver below it, says is the cause, into text; the code for it. */
int object_cause(char *text, size_t size);

/* No HDF5 call of others runs meanwhile, and HDF5 prints nothing. */
void object_hdf5_enter(H5E_auto2_t *report, void **report_arg);
void object_hdf5_leave(H5E_auto2_t report, void *report_arg);

/* --- object_kind.c */

/* As swim_object_kind(); never fails. */
enum swim_kind object_kind_of(hid_t file, const char *path, hid_t links);

/* The object that the call is about, open, of this kind; SWIM_KIND_NONE: a group or a
 * dataset.  To be changed it must be in the file itself. */
int object_open(struct object_call *call, enum swim_kind kind, bool changes,
                hid_t *object);

/* The group that the call's path is in, open, to be changed. */
int object_open_parent(struct object_call *call, hid_t *group);

/* There is nothing at the call's path, and all above it that is there are groups. */
int object_check_free(struct object_call *call);

/* The links of a group, in the order of names; to be given to swim_entries_free(). */
int object_links(struct object_call *call, hid_t group, struct swim_entry **entries,
                 size_t *count);

/* What tells an object from others, and how many names it has. */
struct object_identity {
    unsigned names;
    unsigned char bytes[24];
};

/* Of a group or dataset by its path, links not followed; false: HDF5 could not. */
bool object_identify(hid_t file, const char *path, struct object_identity *identity);

/* --- object_type.c */

/* What a type of a file is to the caller. */
enum swim_data object_data_of(hid_t stored);

/* Of numbers and booleans, in memory and in files; to be released. */
hid_t object_number_type(enum swim_data type);

/* In a file; string_size as in swim_dataset_spec; to be released. */
hid_t object_file_type(enum swim_data type, size_t string_size);

/* Bytes of an element in memory; 0: type is none of them. */
size_t object_data_size(enum swim_data type);

/* Of strings of a fixed size that; else 0. */
size_t object_string_size(hid_t stored);

/* Whether values of `type` go with what has the type `stored`. */
int object_check_types(struct object_call *call, hid_t stored, enum swim_data type);

/* count strings of a fixed size, as read, to strings of their own; false: no memory. */
bool object_text_out(const char *raw, hid_t stored, size_t count, char **strings);

/* The reverse; *raw is to be freed.  Of variable length it points at the strings.
 * SWIM_ERR_ARG: one is NULL or too long. */
int object_text_in(struct object_call *call, const char *const *strings, hid_t stored,
                   size_t count, void **raw);

/* Strings of variable length that were never written are NULL to HDF5, "" to us; false:
 * no memory, and there are none. */
bool object_text_whole(char **strings, size_t count);

/* --- object_dataset.c */

int object_dataset_info(struct object_call *call, hid_t dataset,
                        struct swim_dataset_info *info);

#endif /* SWIM_STORE_OBJECT_PRIVATE_H */
