/* page.h - a run as one HTML page that needs nothing else. */
#ifndef SWIM_REPORT_PAGE_H
#define SWIM_REPORT_PAGE_H

#include <stdio.h>

#include "report/runfile.h"

/* pictures: of gallery_make().  What the page shows is in it as JSON, which its script
 * turns into text nodes: nothing of a record becomes markup.  Whether all was written
 * is for the caller to ask the file.  Errors: SWIM_ERR_NOMEM. */
int page_write(const struct runfile *record, const json_t *pictures, FILE *to,
               swim_error_t *err);

#endif /* SWIM_REPORT_PAGE_H */
