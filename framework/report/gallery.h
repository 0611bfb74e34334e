/* gallery.h - pictures of all outputs of a run, as their files are now. */
#ifndef SWIM_REPORT_GALLERY_H
#define SWIM_REPORT_GALLERY_H

#include <h5swim/error.h>
#include <jansson.h>

#include "report/runfile.h"

/* A list with an object for each output: file (where it was found), why (null, or one
 * line: why there is no picture of it) and picture (null, or as picture.h has it).
 * A file that is not where the run left it is looked for beside the record.  NULL: no
 * memory.
 *
 * Files are opened as h5swim opens any other, at what is committed; url: the lock
 * server, NULL: as for any other program.  Each is waited for some seconds. */
json_t *gallery_make(const struct runfile *record, const char *record_file,
                     const char *url);

#endif /* SWIM_REPORT_GALLERY_H */
