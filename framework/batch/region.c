/* region.c - the memory that the processes of one rank share. */
#include "batch/region.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE 4096u
#define READERS_MOST 1024u
#define CONTROL_BYTES ((size_t)3 << 20) /* for region, readers and slots */

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static size_t readers_offset(void)
{
    return round_up(sizeof(struct region), 64);
}

static size_t slots_offset(const struct region *region)
{
    return readers_offset() +
           round_up(region->n_readers * sizeof(struct reader_shared), 64);
}

static size_t payload_offset(const struct region *region)
{
    size_t slots = (size_t)region->n_readers * region->slots_each;

    return round_up(slots_offset(region) + slots * sizeof(struct slot), PAGE);
}

int region_create(uint64_t bytes_for_slots, struct region **out, swim_error_t *err)
{
    size_t bytes = CONTROL_BYTES + round_up(bytes_for_slots, PAGE);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    *out = NULL;
    if (memory == MAP_FAILED)
        return swim_error_set(
            err, SWIM_ERR_NOMEM,
            "map %zu MiB of addresses for the blocks of a rank: %s; give "
            "the job less \"memory\", or a larger limit (ulimit -v)",
            bytes >> 20, strerrordesc_np(errno));
    *out = memory;
    (*out)->mapped_bytes = bytes;
    sem_init(&(*out)->blocks_ready, 1, 0);
    sem_init(&(*out)->slot_ready, 1, 0);
    return SWIM_OK;
}

void region_destroy(struct region *region)
{
    if (region)
        munmap(region, region->mapped_bytes);
}

static size_t cache_offset(const struct region *region)
{
    return payload_offset(region) +
           (size_t)region->n_readers * region->slots_each * region->slot_stride;
}

void *region_cache(struct region *region)
{
    return (char *)region + cache_offset(region);
}

int region_layout(struct region *region, uint32_t n_readers, uint32_t slots_each,
                  uint64_t slot_bytes, uint64_t cache_bytes, swim_error_t *err)
{
    if (n_readers == 0 || n_readers > READERS_MOST)
        return swim_error_set(err, SWIM_ERR_ARG, "%u readers: 1 to %u are possible",
                              n_readers, READERS_MOST);
    region->n_readers = n_readers;
    region->slots_each = slots_each;
    region->slot_bytes = slot_bytes;
    region->slot_stride = round_up(slot_bytes, PAGE) + PAGE;
    size_t need = cache_offset(region) + cache_bytes;
    if (need > region->mapped_bytes)
        return swim_error_set(
            err, SWIM_ERR_ARG,
            "%u readers need %zu bytes for blocks and chunks, there are "
            "%zu: give \"memory\" more, or fewer --readers",
            n_readers, need, region->mapped_bytes);
    for (uint32_t i = 0; i < n_readers; i++)
        sem_init(&region_reader(region, i)->slot_freed, 1, 0);
    return SWIM_OK;
}

int region_guard(struct region *region, uint32_t reader, swim_error_t *err)
{
    uint32_t first = reader * region->slots_each, end = first + region->slots_each;
    char *own = region_payload(region, first), *after = region_payload(region, end);
    char *slots = region_payload(region, 0), *cache = region_cache(region);
    bool done = mprotect(slots, (size_t)(own - slots), PROT_NONE) == 0 &&
                mprotect(after, (size_t)(cache - after), PROT_NONE) == 0;

    for (char *next = own + region->slot_stride; done && next <= after;
         next += region->slot_stride)
        done = mprotect(next - PAGE, PAGE, PROT_NONE) == 0;
    return done ? SWIM_OK : swim_error_sys(err, errno, "guard the slots of others");
}

void region_mark(struct region *region, char mark[REGION_MARK_SIZE])
{
    snprintf(mark, REGION_MARK_SIZE, "%016llx-%016llx",
             (unsigned long long)region->digest,
             (unsigned long long)atomic_load(&region->run_id));
}

/* One process writes, which may die in between: the next one writes it anew. */
void region_set_epoch(struct region *region, const struct setup_epoch *epoch)
{
    atomic_store(&region->epoch_begun, epoch->number);
    atomic_thread_fence(memory_order_seq_cst);
    memcpy(&region->epoch, epoch, sizeof(*epoch));
    atomic_thread_fence(memory_order_seq_cst);
    atomic_store(&region->epoch_set, epoch->number);
}

void region_get_epoch(struct region *region, struct setup_epoch *epoch)
{
    unsigned long long set;

    do {
        set = atomic_load(&region->epoch_set);
        atomic_thread_fence(memory_order_seq_cst);
        memcpy(epoch, &region->epoch, sizeof(*epoch));
        atomic_thread_fence(memory_order_seq_cst);
    } while (atomic_load(&region->epoch_begun) != set);
}

uint64_t region_epoch(struct region *region)
{
    return atomic_load(&region->epoch_set);
}

struct reader_shared *region_reader(struct region *region, uint32_t reader)
{
    char *base = (char *)region + readers_offset();

    return (struct reader_shared *)(void *)base + reader;
}

struct slot *region_slot(struct region *region, uint32_t slot)
{
    char *base = (char *)region + slots_offset(region);

    return (struct slot *)(void *)base + slot;
}

void *region_payload(struct region *region, uint32_t slot)
{
    return (char *)region + payload_offset(region) + slot * region->slot_stride;
}

uint32_t region_slots(const struct region *region)
{
    return region->n_readers * region->slots_each;
}

/* --- items ---------------------------------------------------------------------- */

void region_queue(struct region *region, uint32_t item)
{
    atomic_store(&region->items[item].state, ITEM_QUEUED);
    sem_post(&region->blocks_ready);
}

static bool item_take(struct region *region, uint32_t reader, uint32_t *item)
{
    uint32_t first = atomic_load(&region->hint);

    for (uint32_t i = 0; i < REGION_ITEMS; i++) {
        unsigned expected = ITEM_QUEUED;
        *item = (first + i) % REGION_ITEMS;
        if (atomic_load(&region->items[*item].state) == ITEM_QUEUED &&
            atomic_compare_exchange_strong(&region->items[*item].state, &expected,
                                           item_by(ITEM_TAKEN, reader))) {
            atomic_store(&region->hint, (*item + 1) % REGION_ITEMS);
            return true;
        }
    }
    return false;
}

bool region_ahead(struct region *region, uint32_t n, uint64_t *block)
{
    const uint32_t first = atomic_load(&region->hint);

    for (uint32_t i = 0; i < REGION_ITEMS; i++) {
        const struct item *item = &region->items[(first + i) % REGION_ITEMS];
        if (item_state_of(atomic_load(&item->state)) != ITEM_QUEUED || n-- > 0)
            continue;
        *block = item->block;
        return true;
    }
    return false;
}

bool region_take(struct region *region, uint32_t reader, int wait_ms, uint32_t *item)
{
    /* After the time as well: who took a post may have died before it took the item. */
    region_wait(&region->blocks_ready, wait_ms);
    return !atomic_load(&region->stop) && item_take(region, reader, item);
}

static bool item_is_in(struct region *region, const struct slot *slot)
{
    struct item *item = &region->items[slot->item];

    return item_state_of(atomic_load(&item->state)) == ITEM_TAKEN &&
           atomic_load(&item->seq) == slot->seq;
}

static void slot_free(struct region *region, uint32_t slot)
{
    atomic_store(&region_slot(region, slot)->state, SLOT_FREE);
    sem_post(&region_reader(region, slot / region->slots_each)->slot_freed);
}

bool region_slot_ready(struct region *region, uint32_t number)
{
    struct slot *slot = region_slot(region, number);

    if (atomic_load(&slot->state) != SLOT_READY)
        return false;
    if (item_is_in(region, slot))
        return true;
    slot_free(region, number);
    return false;
}

bool region_at_work(struct region *region)
{
    for (uint32_t r = 0; r < region->n_readers; r++)
        if (atomic_load(&region_reader(region, r)->busy_ns) != 0)
            return true;
    for (uint32_t i = 0; i < REGION_ITEMS; i++)
        if (atomic_load(&region->items[i].state) == ITEM_QUEUED)
            return true;
    return false;
}

uint32_t region_slot_written(struct region *region, uint32_t number)
{
    uint32_t item = region_slot(region, number)->item;

    atomic_store(&region->items[item].state, ITEM_WRITTEN);
    slot_free(region, number);
    return item;
}

void region_item_done(struct region *region, uint32_t item)
{
    atomic_store(&region->items[item].state, ITEM_DONE);
}

void region_writer_gone(struct region *region)
{
    for (uint32_t s = 0; s < region_slots(region); s++) {
        struct slot *slot = region_slot(region, s);
        struct item *item = &region->items[slot->item];
        if (atomic_load(&slot->state) == SLOT_READY &&
            atomic_load(&item->state) == ITEM_WRITTEN &&
            atomic_load(&item->seq) == slot->seq)
            atomic_store(&item->state, item_by(ITEM_TAKEN, s / region->slots_each));
    }
    for (uint32_t i = 0; i < REGION_ITEMS; i++)
        if (atomic_load(&region->items[i].state) == ITEM_WRITTEN)
            region_queue(region, i);
}

bool region_item_finished(struct region *region, uint32_t reader, uint32_t item)
{
    for (uint32_t i = 0; i < region->slots_each; i++) {
        struct slot *slot = region_slot(region, reader * region->slots_each + i);
        if (atomic_load(&slot->state) == SLOT_READY && slot->item == item &&
            slot->seq == atomic_load(&region->items[item].seq))
            return true;
    }
    return false;
}

bool region_reader_gone(struct region *region, uint32_t reader, uint32_t *item)
{
    unsigned taken = item_by(ITEM_TAKEN, reader);

    for (uint32_t i = 0; i < region->slots_each; i++) {
        struct slot *slot = region_slot(region, reader * region->slots_each + i);
        if (atomic_load(&slot->state) == SLOT_FILLING)
            atomic_store(&slot->state, SLOT_FREE);
    }
    atomic_store(&region_reader(region, reader)->busy_ns, 0);
    for (*item = 0; *item < REGION_ITEMS; (*item)++)
        /* The writer may have moved it on after the slots were looked at. */
        if (atomic_load(&region->items[*item].state) == taken &&
            !region_item_finished(region, reader, *item) &&
            atomic_load(&region->items[*item].state) == taken)
            return true;
    return false;
}

/* --- waiting and stopping --------------------------------------------------------- */

int region_wait(sem_t *sem, int wait_ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    return sem_clockwait(sem, CLOCK_MONOTONIC, &until) == 0;
}

void region_wait_alone(sem_t *sem, int wait_ms)
{
    if (region_wait(sem, wait_ms))
        while (sem_trywait(sem) == 0)
            ;
}

void region_stop(struct region *region)
{
    atomic_store(&region->stop, 1);
    for (uint32_t i = 0; i < region->n_readers; i++) {
        sem_post(&region->blocks_ready);
        sem_post(&region_reader(region, i)->slot_freed);
    }
    sem_post(&region->slot_ready);
}

void region_fail(struct region *region, const swim_error_t *err)
{
    if (atomic_exchange(&region->error_claimed, 1) == 0) {
        memcpy(&region->error, err, sizeof(*err));
        atomic_store(&region->error_set, 1);
    }
}

int region_failed(struct region *region, swim_error_t *err)
{
    if (!atomic_load(&region->error_set))
        return SWIM_OK;
    return swim_error_set(err, region->error.code, "%s", region->error.text);
}
