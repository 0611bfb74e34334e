/* chunk_cache.h - decoded chunks of one dataset in memory that processes share, so that
 * each is decoded once, whoever needs it.
 *
 * The memory is all zero at first, and nobody locks anything: an entry is filled by the
 * process that has exchanged its word, and who copies from it looks afterwards whether
 * the word is still the same (a sequence lock: Boehm, "Can seqlocks get along with
 * programming language memory models?", MSPC 2012).  A process that dies while it fills
 * one leaves an entry that chunk_cache_forget() gives back.
 *
 * Processes: one user number each, below CHUNK_CACHE_USERS.  Threads: one at a time. */
#ifndef SWIM_STORE_CHUNK_CACHE_H
#define SWIM_STORE_CHUNK_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include <h5swim/error.h>

#define CHUNK_CACHE_USERS 65535u

/* As a process sees it. */
struct chunk_cache {
    void *memory; /* aligned to 64 */
    uint64_t n_entries;
    size_t chunk_bytes;
    uint32_t user;
};

/* How many entries fit into so many bytes, and how many bytes so many entries take. */
uint64_t chunk_cache_entries(uint64_t bytes, size_t chunk_bytes);
uint64_t chunk_cache_bytes(uint64_t n_entries, size_t chunk_bytes);

/* What to do with a chunk: make it, use it.  use is called again when it was replaced
 * meanwhile: it only copies. */
struct chunk_cache_ops {
    int (*make)(void *arg, void *chunk, swim_error_t *err);
    void (*use)(void *arg, const void *chunk);
};

/* Use chunk `number`, which is below 2^63, and make it if it is not there.
 * Errors: those of make(), after which it is not there. */
int chunk_cache_get(const struct chunk_cache *cache, uint64_t number,
                    const struct chunk_cache_ops *ops, void *arg, swim_error_t *err);

/* The process with that user number is dead. */
void chunk_cache_forget(const struct chunk_cache *cache, uint32_t user);

#endif /* SWIM_STORE_CHUNK_CACHE_H */
