/* boot_id.h - which run of this host's kernel this is. */
#ifndef SWIM_STORE_BOOT_ID_H
#define SWIM_STORE_BOOT_ID_H

#include "store/journal_format.h"

/* Where it cannot be had it is one that no journal has: its data are then looked at. */
void boot_id_read(unsigned char id[JOURNAL_ID]);

#endif /* SWIM_STORE_BOOT_ID_H */
