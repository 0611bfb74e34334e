/* chunk_cache.c - decoded chunks in shared memory.
 *
 * The word of an entry is its version, and in the low 16 bits who fills it, plus one.
 * Versions only grow, so a word never comes again.  Entries are in sets; a chunk may be
 * in any entry of its set, and the one that was used the longest time ago is replaced.
 */
#include "store/chunk_cache.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "core/clock.h"

#define WAYS_MOST 16u
#define ALIGNED 64u
#define FILLER_BITS 16
#define FILLER_MASK 0xffffu
#define WAIT_NS 50000LL
#define WAIT_MOST_NS 2000000000LL /* for one who fills; then it is made twice */

struct entry {
    atomic_ullong word;
    atomic_ullong chunk; /* its number plus one; of what is being filled already */
    atomic_ullong used;  /* the tick of its last use */
};

struct head {
    atomic_ullong tick;
    struct entry entries[];
};

static uint64_t round_up(uint64_t n)
{
    return (n + ALIGNED - 1) / ALIGNED * ALIGNED;
}

static uint64_t head_bytes(uint64_t n_entries)
{
    return round_up(sizeof(struct head) + n_entries * sizeof(struct entry));
}

uint64_t chunk_cache_bytes(uint64_t n_entries, size_t chunk_bytes)
{
    return n_entries ? head_bytes(n_entries) + n_entries * round_up(chunk_bytes) : 0;
}

uint64_t chunk_cache_entries(uint64_t bytes, size_t chunk_bytes)
{
    uint64_t each = round_up(chunk_bytes) + sizeof(struct entry);
    uint64_t fixed = (uint64_t)2 * ALIGNED;

    return bytes > fixed ? (bytes - fixed) / each : 0;
}

static struct head *head_of(const struct chunk_cache *c)
{
    return (struct head *)c->memory;
}

static void *chunk_of(const struct chunk_cache *c, uint64_t entry)
{
    return (char *)c->memory + head_bytes(c->n_entries) +
           entry * round_up(c->chunk_bytes);
}

/* The entries in which a chunk may be. */
static void set_of(const struct chunk_cache *c, uint64_t number, uint64_t *first,
                   uint64_t *ways)
{
    uint64_t n_sets = (c->n_entries + WAYS_MOST - 1) / WAYS_MOST;

    *ways = c->n_entries / n_sets;
    *first = number % n_sets * *ways;
}

static void touch(const struct chunk_cache *c, struct entry *e)
{
    struct head *head = head_of(c);

    atomic_store_explicit(
        &e->used, atomic_fetch_add_explicit(&head->tick, 1, memory_order_relaxed) + 1,
        memory_order_relaxed);
}

/* --- one that is there -------------------------------------------------------------
 */

static bool use_unchanged(const struct chunk_cache *c, uint64_t i,
                          unsigned long long word, const struct chunk_cache_ops *ops,
                          void *arg)
{
    struct entry *e = &head_of(c)->entries[i];

    ops->use(arg, chunk_of(c, i));
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load(&e->word) == word;
}

static bool is_filled_by_another(struct entry *e, unsigned long long chunk)
{
    return atomic_load(&e->word) & FILLER_MASK && atomic_load(&e->chunk) == chunk;
}

static void await_filled(struct entry *e, unsigned long long chunk)
{
    int64_t until = swim_clock_mono_ns() + WAIT_MOST_NS;

    while (is_filled_by_another(e, chunk) && swim_clock_mono_ns() < until)
        swim_clock_nap_ns(WAIT_NS);
}

enum found { FOUND_NOT, FOUND_USED, FOUND_CHANGED };

/* Use it where it is there; wait where somebody fills it. */
static enum found find_and_use(const struct chunk_cache *c, uint64_t number,
                               const struct chunk_cache_ops *ops, void *arg,
                               bool *waited)
{
    uint64_t first, ways;

    set_of(c, number, &first, &ways);
    for (uint64_t i = first; i < first + ways; i++) {
        struct entry *e = &head_of(c)->entries[i];
        unsigned long long word = atomic_load(&e->word);
        if (atomic_load(&e->chunk) != number + 1)
            continue;
        if (word & FILLER_MASK) {
            if (*waited)
                continue;
            await_filled(e, number + 1);
            *waited = is_filled_by_another(e, number + 1);
            return FOUND_CHANGED;
        }
        if (atomic_load(&e->word) != word || !use_unchanged(c, i, word, ops, arg))
            return FOUND_CHANGED;
        touch(c, e);
        return FOUND_USED;
    }
    return FOUND_NOT;
}

/* --- one that is made ---------------------------------------------------------------
 */

/* The entry of the set that was used the longest time ago, taken to be filled; false:
 * all are being filled. */
static bool take_oldest(const struct chunk_cache *c, uint64_t number, uint64_t *taken,
                        unsigned long long *word)
{
    struct entry *entries = head_of(c)->entries;
    uint64_t first, ways;

    set_of(c, number, &first, &ways);
    for (;;) {
        unsigned long long least = UINT64_MAX, was = 0;
        for (uint64_t i = first; i < first + ways; i++) {
            unsigned long long now = atomic_load(&entries[i].word);
            unsigned long long used = atomic_load(&entries[i].used);
            if (now & FILLER_MASK || used >= least)
                continue;
            least = used;
            was = now;
            *taken = i;
        }
        if (least == UINT64_MAX)
            return false;
        *word = ((was >> FILLER_BITS) + 1) << FILLER_BITS | (c->user + 1);
        if (atomic_compare_exchange_strong(&entries[*taken].word, &was, *word))
            break;
    }
    atomic_store(&entries[*taken].chunk, number + 1);
    return true;
}

static void give_back(struct entry *e, unsigned long long word, bool filled)
{
    if (!filled)
        atomic_store(&e->chunk, 0);
    atomic_store(&e->word, ((word >> FILLER_BITS) + 1) << FILLER_BITS);
}

/* Another has taken an entry for the same chunk: of two at least one sees the other. */
static bool is_taken_twice(const struct chunk_cache *c, uint64_t number, uint64_t mine)
{
    uint64_t first, ways;

    set_of(c, number, &first, &ways);
    for (uint64_t i = first; i < first + ways; i++)
        if (i != mine && atomic_load(&head_of(c)->entries[i].chunk) == number + 1)
            return true;
    return false;
}

static int make_and_use(const struct chunk_cache *c, uint64_t i,
                        unsigned long long word, const struct chunk_cache_ops *ops,
                        void *arg, swim_error_t *err)
{
    struct entry *e = &head_of(c)->entries[i];
    int rc = ops->make(arg, chunk_of(c, i), err);

    if (rc == SWIM_OK)
        ops->use(arg, chunk_of(c, i));
    touch(c, e);
    give_back(e, word, rc == SWIM_OK);
    return rc;
}

/* The set is full of entries that others fill, or one has filled the chunk for long. */
static int make_beside(const struct chunk_cache *c, const struct chunk_cache_ops *ops,
                       void *arg, swim_error_t *err)
{
    void *chunk = mmap(NULL, c->chunk_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (chunk == MAP_FAILED)
        return swim_error_set(err, SWIM_ERR_NOMEM, "no memory for a chunk of %zu bytes",
                              c->chunk_bytes);
    int rc = ops->make(arg, chunk, err);
    if (rc == SWIM_OK)
        ops->use(arg, chunk);
    munmap(chunk, c->chunk_bytes);
    return rc;
}

int chunk_cache_get(const struct chunk_cache *c, uint64_t number,
                    const struct chunk_cache_ops *ops, void *arg, swim_error_t *err)
{
    bool waited = false;

    for (;;) {
        unsigned long long word;
        uint64_t i = 0;
        enum found found = find_and_use(c, number, ops, arg, &waited);
        if (found == FOUND_USED)
            return SWIM_OK;
        if (found == FOUND_CHANGED)
            continue;
        if (waited || !take_oldest(c, number, &i, &word))
            return make_beside(c, ops, arg, err);
        if (!is_taken_twice(c, number, i))
            return make_and_use(c, i, word, ops, arg, err);
        give_back(&head_of(c)->entries[i], word, false);
    }
}

void chunk_cache_forget(const struct chunk_cache *c, uint32_t user)
{
    for (uint64_t i = 0; i < c->n_entries; i++) {
        struct entry *e = &head_of(c)->entries[i];
        unsigned long long word = atomic_load(&e->word);
        if ((word & FILLER_MASK) == user + 1)
            give_back(e, word, false);
    }
}
