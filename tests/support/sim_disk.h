/* sim_disk.h - a disk in memory under struct swim_io: it stops a program at any call,
 * and loses, in any order, what was not synced.
 *
 * A file's bytes since its last fdatasync() may each, by sector, be as at any moment
 * since; so may its size; and each name of the folder leads to what it led to at any
 * moment since the last fsync() of the folder.  That is more than file systems do.
 *
 * One program at a time.  All is global. */
#ifndef SWIM_SUPPORT_SIM_DISK_H
#define SWIM_SUPPORT_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/io.h"

#define SIM_FILE_MAX (1U << 19)
#define SIM_SECTOR 512

extern const struct swim_io sim_disk_io;

/* An empty disk, without fault. */
void sim_disk_reset(void);

/* A file that is on the disk. */
void sim_disk_put(const char *path, const void *bytes, size_t size);
/* What is there now: its size, or -1. */
long sim_disk_get(const char *path, void *bytes, size_t size);

#define SIM_SHORT (-1)

/* The nth call from now on that changes or syncs something (1: the next) fails with
 * errnum; with errnum 0 the program ends there: a write may be made in part, and no
 * call after it does anything.  SIM_SHORT: a write is made in part, and what follows it
 * fails with ENOSPC, as other calls do.  0: never.
 *
 * A sync that fails, but with EINTR, loses what it was to bring to the disk, as Linux
 * does: it can still be read, no later sync writes it, and it is gone when power is. */
void sim_disk_arm(long n, int errnum);
bool sim_disk_fired(void);
/* How many such calls there were since the disk was armed. */
long sim_disk_calls(void);

/* All descriptors are closed and another program begins.  With power off, what was not
 * synced is lost, kept or torn by the seed. */
void sim_disk_restart(bool power_off, unsigned seed);

/* A number for all that the names lead to now. */
uint64_t sim_disk_sum(void);

/* How many changes of bytes, sizes and names may be lost or kept now. */
unsigned sim_disk_loose(void);
/* The same as with power off, but the nth of those is kept when bit n of kept is set:
 * with all values of as many bits, all that can be without tearing a write. */
void sim_disk_restart_with(uint64_t kept);

#endif /* SWIM_SUPPORT_SIM_DISK_H */
