/* shards_look.h - whether the shards that an output's virtual datasets name are beside
 * it, and of it: HDF5 reads fill values for one that is not, and says nothing.
 *
 * Includes hdf5.h. */
#ifndef SWIM_STORE_SHARDS_LOOK_H
#define SWIM_STORE_SHARDS_LOOK_H

#include <hdf5.h>

#include <h5swim/lock.h>

struct shards_look {
    /* For reading; *file is given to H5Fclose().  SWIM_ERR_ARG, SWIM_ERR_IO,
     * SWIM_ERR_CORRUPT: it cannot be read, which is told; all else ends the look. */
    int (*open)(void *arg, const char *path, hid_t *file, swim_error_t *err);
    /* Of each shard, after open; why, of static life, NULL: it is as it has to be. */
    int (*tell)(void *arg, const char *path, const char *why, swim_error_t *err);
    void *arg;
    const char *shard_of; /* what they must say that they are of; NULL: anything */
};

/* Look at all that the datasets of a job in master, the open file of that path, name.
 * Where there is none nothing is told.  SWIM_ERR_NOMEM, those of open and tell. */
int shards_look(hid_t master, const char *path, const struct shards_look *look,
                swim_error_t *err);

#endif /* SWIM_STORE_SHARDS_LOOK_H */
