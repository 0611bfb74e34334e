/* region.c - the memory that the processes of one rank share. */
#include "batch/region.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE 4096u
#define READERS_MOST 1024u
#define CONTROL_BYTES ((size_t)1 << 20) /* for region, readers and slots */

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
        return swim_error_sys(err, errno, "map %zu bytes of shared memory", bytes);
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

int region_layout(struct region *region, uint32_t n_readers, uint32_t slots_each,
                  uint64_t slot_bytes, swim_error_t *err)
{
    if (n_readers == 0 || n_readers > READERS_MOST)
        return swim_error_set(err, SWIM_ERR_ARG, "%u readers: 1 to %u are possible",
                              n_readers, READERS_MOST);
    region->n_readers = n_readers;
    region->slots_each = slots_each;
    region->slot_bytes = slot_bytes;
    region->slot_stride = round_up(slot_bytes, PAGE);
    size_t need =
        payload_offset(region) + (size_t)n_readers * slots_each * region->slot_stride;
    if (need > region->mapped_bytes)
        return swim_error_set(
            err, SWIM_ERR_ARG,
            "%u readers need %zu bytes for finished blocks, there are "
            "%zu: give \"memory\" more, or fewer --readers",
            n_readers, need, region->mapped_bytes);
    for (uint32_t i = 0; i < n_readers; i++)
        sem_init(&region_reader(region, i)->slot_freed, 1, 0);
    return SWIM_OK;
}

void region_mark(struct region *region, char mark[REGION_MARK_SIZE])
{
    snprintf(mark, REGION_MARK_SIZE, "%016llx-%016llx",
             (unsigned long long)region->digest,
             (unsigned long long)atomic_load(&region->run_id));
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

int region_push(struct region *region, uint64_t block)
{
    unsigned long long tail = atomic_load(&region->ring_tail);

    if (tail - atomic_load(&region->ring_head) >= REGION_RING)
        return 0;
    atomic_store(&region->ring[tail % REGION_RING], block);
    atomic_store(&region->ring_tail, tail + 1);
    sem_post(&region->blocks_ready);
    return 1;
}

/* A place in the ring is only overwritten once head has passed it, so what was read
 * before the exchange succeeds is what was put there. */
static int ring_take(struct region *region, uint64_t *block)
{
    unsigned long long head = atomic_load(&region->ring_head);

    while (head != atomic_load(&region->ring_tail)) {
        *block = atomic_load(&region->ring[head % REGION_RING]);
        if (atomic_compare_exchange_weak(&region->ring_head, &head, head + 1))
            return 1;
    }
    return 0;
}

int region_pop(struct region *region, int wait_ms, uint64_t *block)
{
    /* One post for each block: who gets past the semaphore finds one, or a stop. */
    return region_wait(&region->blocks_ready, wait_ms) && ring_take(region, block);
}

uint64_t region_queued(struct region *region)
{
    unsigned long long head = atomic_load(&region->ring_head);

    return atomic_load(&region->ring_tail) - head;
}

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
