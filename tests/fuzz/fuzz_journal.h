/* fuzz_journal.h - the file beside which bytes are taken for its journal. */
#ifndef SWIM_FUZZ_FUZZ_JOURNAL_H
#define SWIM_FUZZ_FUZZ_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "store/journal_format.h"

#define FUZZ_PATH "/f/a.h5"
#define FUZZ_JOURNAL FUZZ_PATH JOURNAL_SUFFIX
#define FUZZ_INODE 7
#define FUZZ_BYTES 6000U /* of the file */

extern const unsigned char fuzz_boot[JOURNAL_ID];

/* An empty disk with the file on it. */
void fuzz_put_file(void);
const unsigned char *fuzz_file(void);

/* Take bytes for the journal, and do with it all that can be done.  Aborts when what is
 * found is wrong.  As libFuzzer calls it. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Make checksums, chain and numbers right as far as the bytes look like records; how
 * much is repaired is up to the dice. */
void fuzz_repair(unsigned char *bytes, size_t size, unsigned dice);

#endif /* SWIM_FUZZ_FUZZ_JOURNAL_H */
