/* store_private.h - what the files of the store share.
 *
 * Includes hdf5.h, so only files of this layer may include it. */
#ifndef SWIM_STORE_PRIVATE_H
#define SWIM_STORE_PRIVATE_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/dataset.h"
#include "store/openfile.h"
#include "store/output.h"
#include "store/source.h"
#include "store/types.h"

/* --- types.c ------------------------------------------------------------------ */

/* The native HDF5 type of an element type; it is HDF5's own, never close it. */
hid_t types_native(enum swim_type type);

/* The element type that holds what an HDF5 type holds; SWIM_TYPE_ANY: none does. */
enum swim_type types_from_h5(hid_t type);

/* Numbers of as many bytes as elements of another type have, for copies of these;
 * SWIM_TYPE_ANY: there are none, or an element refers to what is elsewhere. */
enum swim_type types_carrier(hid_t type);

/* Whether an element is all that it means: no variable length, no reference. */
bool h5_type_is_flat(hid_t type);

/* "a compound type", ...: an HDF5 type in words, for messages. */
const char *types_describe(hid_t type);

/* --- h5util.c: errors ---------------------------------------------------------- */

/* Report a failed HDF5 call: the text of fmt, then ": " and the innermost cause that
 * HDF5 gives.  When the driver has failed it is its line and its code instead.  Call it
 * before any other HDF5 call.  Returns the code. */
int h5_fail(swim_error_t *err, int code, const char *fmt, ...) SWIM_PRINTF(3, 4);

/* Whether the HDF5 call that has failed just now did so in that function of HDF5
 * itself, and not in what it called. */
bool h5_failed_in(const char *function);

/* Close an id of any kind; H5I_INVALID_HID and failures are ignored. */
void h5_release(hid_t id);

/* --- h5attr.c: attributes ------------------------------------------------------ */

bool h5_attr_exists(hid_t object, const char *name);

/* A text attribute, allocated; "" when there is none or it is no text. */
int h5_attr_text(hid_t object, const char *name, char **out, swim_error_t *err);

/* Elements of an attribute; 0 when there is none. */
size_t h5_attr_count(hid_t object, const char *name);

/* The first element of a numeric attribute as mem_type; false when there is none. */
bool h5_attr_number(hid_t object, const char *name, hid_t mem_type, void *out);

/* Likewise the first count elements; is_float (NULL: not wanted): the type it has. */
bool h5_attr_numbers(hid_t object, const char *name, hid_t mem_type, size_t count,
                     void *out, bool *is_float);

/* Write (replace) an attribute: text as netCDF does, or one number. */
int h5_attr_put_text(hid_t object, const char *name, const char *text,
                     swim_error_t *err);
int h5_attr_put_number(hid_t object, const char *name, hid_t type, const void *value,
                       swim_error_t *err);

/* Copy the attributes that skip() does not name and the target does not have; those of
 * references and of variable length, but texts, are left out, as nothing could resolve
 * them. */
int h5_attr_copy_all(hid_t from, hid_t to, bool (*skip)(const char *name),
                     swim_error_t *err);

/* --- store_api.c ---------------------------------------------------------------- */

/* swim_commit(), by openfile_commit_begin(). */
int store_commit_begin(hid_t file, swim_error_t *err);

/* --- h5file.c: files ----------------------------------------------------------- */

/* Open by the driver, at a state for reading; `at` NULL: the last one.  *open (NULL:
 * not wanted) is to be given to openfile_put() after the close.
 * Errors: SWIM_ERR_ARG with what is wrong with the file, SWIM_ERR_IO, and those of
 * openfile_enter(). */
int h5_file_open(const char *file, bool write, const struct store_access *access,
                 const struct txn_snapshot *at, hid_t *out, struct openfile **open,
                 swim_error_t *err);

/* The same for reading a file of which nothing is expected: with SWIM_OK *out is
 * H5I_INVALID_HID when it is no file that HDF5 can read.  Errors: those of
 * openfile_enter(), as when the lock server is away. */
int h5_file_look(const char *file, const struct store_access *access, hid_t *out,
                 swim_error_t *err);

/* Make a file anew; it takes the name at the first commit.  exclusive: only where there
 * is none. */
int h5_file_create(const char *file, bool exclusive, const struct store_access *access,
                   hid_t *out, swim_error_t *err);

/* Close a file that was opened for writing, without what is not committed.  Accepts
 * H5I_INVALID_HID. */
void h5_file_drop(hid_t file);

/* "/a/b" of "a//b/": absolute, no doubled or trailing slash.  NULL: no memory. */
char *h5_path_normal(const char *path);

/* The part after the last slash. */
const char *h5_path_base(const char *path);

/* --- source.c ------------------------------------------------------------------ */

hid_t source_file(const struct source *source);
const char *source_name(const struct source *source);

/* --- names.c ------------------------------------------------------------------- */

/* "did you mean X?", "the file has X, Y, Z" or, of a link, where it leads, for a
 * dataset that is not there, into buf. */
const char *names_hint(hid_t file, const char *path, char *buf, size_t size);

/* Call fn for each dataset below an object; non-zero stops and is returned. */
int names_each_dataset(hid_t object, int (*fn)(hid_t object, const char *path, void *),
                       void *arg);

/* --- inspect.c ----------------------------------------------------------------- */

/* True when name, the NAME attribute of a dimension scale, says that it is a dimension
 * without coordinates. */
bool inspect_is_pure_dimension(hid_t scale);

/* Path of the dimension scale of one dimension, allocated; NULL: none. */
int inspect_scale_path(hid_t dataset, uint32_t dim, char **out, swim_error_t *err);

/* --- inspect_values.c ------------------------------------------------------------ */

/* How the numbers of a dataset are stored, into info, whose stored_type is the type of
 * the file: stored_type, resigned, packed, scale and offset. */
int inspect_meaning(hid_t set, struct dataset_info *info, swim_error_t *err);

/* What a number means that was read as the file has it. */
double inspect_value(const struct dataset_info *info, double stored);

/* All that attributes say of the numbers, into info: those, units, long_name, missing
 * values and range. */
int inspect_attributes(hid_t set, struct dataset_info *info, swim_error_t *err);

/* --- scales.c ------------------------------------------------------------------- */

/* The dimension scales, and what belongs to them, of a file in the making. */
struct scales;

/* specs: scales keep off the paths of these datasets; valid until scales_destroy(). */
int scales_create(hid_t file, const struct output_spec *specs, size_t n_specs,
                  struct scales **out, swim_error_t *err);
void scales_destroy(struct scales *scales);

/* Make or share the scales of one output and attach them to its dataset in group;
 * like_file is open for reading, H5I_INVALID_HID when there is none. */
int scales_attach(struct scales *scales, const struct output_spec *spec,
                  const char *group, hid_t like_file, hid_t dataset, swim_error_t *err);

/* The same for one dimension: a copy of the scale at path of like_file, whose name in
 * the source is file. */
int scales_attach_copy(struct scales *scales, const char *group, hid_t like_file,
                       const char *file, const char *path, hid_t dataset, uint32_t dim,
                       swim_error_t *err);

/* Whether a dataset to be made in group may have this name. */
bool scales_name_is_free(const struct scales *scales, const char *group,
                         const char *name);

/* Copy a dataset with its data to group/name of the new file, without scales and with
 * the shape fixed.  SWIM_OK and H5I_INVALID_HID: it is of a kind that is not copied. */
int scales_copy_dataset(struct scales *scales, hid_t from, const char *group,
                        const char *name, hid_t *out, swim_error_t *err);

/* Remember that path of file was copied to group, and whether it was. */
int scales_note(struct scales *scales, const char *group, const char *file,
                const char *path, swim_error_t *err);
bool scales_noted(const struct scales *scales, const char *group, const char *file,
                  const char *path);

/* Whether the output's dimension that is like the scale at path of file grows. */
bool scales_grow(const struct scales *scales, const char *file, const char *path);

/* Attributes that are never copied: those that describe storage. */
bool scales_skip_attribute(const char *name);

/* "/a/b" of "/a" and "b", allocated; NULL: no memory. */
char *h5_path_join(const char *group, const char *name);

/* --- companions.c --------------------------------------------------------------- */

/* The variables that attributes of an output name (coordinates, grid_mapping) come
 * along where their dimensions do; names that lead nowhere are taken out. */
int companions_of_output(struct scales *scales, const struct output_spec *spec,
                         const char *group, hid_t like_file, hid_t dataset,
                         swim_error_t *err);

/* The bounds of a coordinate variable, whose source is path in like_file. */
int companions_of_scale(struct scales *scales, const char *group, hid_t like_file,
                        const char *file, const char *path, hid_t scale,
                        swim_error_t *err);

/* --- output.c ------------------------------------------------------------------- */

#define PURE_DIMENSION "This is a netCDF dimension but not a netCDF variable"
#define UNFINISHED "h5swim_unfinished"
#define FINISHED "h5swim_job"
#define SHARD_OF "h5swim_shard_of"

#endif /* SWIM_STORE_PRIVATE_H */
