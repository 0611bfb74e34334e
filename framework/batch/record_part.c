/* record_part.c - what a rank other than 0 leaves of the record, in a file.
 *
 * The lists as they are in memory, behind a head that says of which run they are, and
 * of which build: all ranks of a job are of one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch/record_private.h"

#define PART_MAGIC UINT64_C(0x747261706d697773) /* "swimpart" */

struct part_head {
    uint64_t magic, run_id;
    uint64_t rank, dropped;
    int64_t clock_ns;
    uint64_t n[RECORD_LISTS], size[RECORD_LISTS];
};

void record_part_name(const struct record *record, uint32_t rank, char path[PATH_MAX])
{
    const char *slash = strrchr(record->path, '/');
    const char *name = slash ? slash + 1 : record->path;
    size_t len = strlen(name);

    if (len > 5 && strcmp(name + len - 5, ".json") == 0)
        len -= 5;
    if (snprintf(path, PATH_MAX, "%.*s.%.*s.rank%u.part", (int)(name - record->path),
                 record->path, (int)len, name, rank) >= PATH_MAX)
        path[0] = '\0';
}

FILE *record_file(const char *path)
{
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    FILE *to = fd < 0 ? NULL : fdopen(fd, "w");

    if (fd >= 0 && !to) {
        int why = errno;
        close(fd);
        errno = why;
    }
    return to;
}

int record_part_write(const struct record *record, uint64_t run_id, swim_error_t *err)
{
    struct part_head head = {.magic = PART_MAGIC,
                             .run_id = run_id,
                             .rank = record->rank,
                             .dropped = record->dropped,
                             .clock_ns = record->clock_ns};
    char path[PATH_MAX];

    record_part_name(record, record->rank, path);
    FILE *to = record_file(path);
    if (!to)
        return swim_error_sys(err, errno, "write %s", path);
    for (unsigned i = 0; i < RECORD_LISTS; i++) {
        head.n[i] = record->lists[i].n;
        head.size[i] = record->lists[i].size;
    }
    bool whole = fwrite(&head, sizeof(head), 1, to) == 1;
    for (unsigned i = 0; whole && i < RECORD_LISTS; i++)
        whole = record->lists[i].n == 0 ||
                fwrite(record->lists[i].items, record->lists[i].size,
                       record->lists[i].n, to) == record->lists[i].n;
    whole = fclose(to) == 0 && whole;
    return whole ? SWIM_OK : swim_error_sys(err, errno, "write %s", path);
}

static bool head_fits(const struct record *record, uint32_t rank, uint64_t run_id,
                      const struct part_head *head)
{
    bool fits = head->magic == PART_MAGIC && head->run_id == run_id &&
                head->rank == rank && head->n[RECORD_PROCESSES] > 0;

    for (unsigned i = 0; i < RECORD_LISTS; i++)
        fits = fits && head->size[i] == record->lists[i].size &&
               head->n[i] <= record->lists[i].most;
    return fits;
}

/* By this host's clock, and with the numbers that the processes have here. */
static bool adjust(unsigned list, void *item, uint32_t first, uint32_t n, int64_t ns)
{
    struct record_process *process = item;
    struct record_block *block = item;
    struct record_interval *interval = item;
    struct record_wait *wait = item;
    struct record_replacement *replaced = item;
    uint32_t *number = NULL;

    switch (list) {
    case RECORD_PROCESSES:
        process->began_ns += ns;
        process->ended_ns += ns;
        process->host[sizeof(process->host) - 1] = '\0';
        return true;
    case RECORD_BLOCKS:
        block->times.start_ns += ns;
        block->times.end_ns += ns;
        block->times.written_ns += ns;
        block->times.committed_ns += ns;
        number = &block->times.process;
        break;
    case RECORD_INTERVALS:
        interval->start_ns += ns;
        interval->end_ns += ns;
        number = &interval->process;
        break;
    case RECORD_WAITS:
        wait->start_ns += ns;
        wait->end_ns += ns;
        number = &wait->process;
        break;
    default:
        replaced->at_ns += ns;
        return true;
    }
    const bool known = *number < n;
    *number += first;
    return known;
}

static bool part_read(struct record *record, const struct part_head *head, FILE *from)
{
    const uint32_t first = (uint32_t)record->lists[RECORD_PROCESSES].n;
    const uint32_t n = (uint32_t)head->n[RECORD_PROCESSES];
    const int64_t ns = head->clock_ns - record->clock_ns;
    union {
        struct record_process process;
        struct record_block block;
        struct record_interval interval;
        struct record_wait wait;
        struct record_replacement replaced;
    } item;

    for (unsigned i = 0; i < RECORD_LISTS; i++)
        for (uint64_t k = 0; k < head->n[i]; k++) {
            if (fread(&item, record->lists[i].size, 1, from) != 1)
                return false;
            if (!adjust(i, &item, first, n, ns))
                continue;
            void *to = record_add(record, i);
            if (to)
                memcpy(to, &item, record->lists[i].size);
            else if (i == RECORD_PROCESSES)
                return false; /* the numbers of the rest would be wrong */
        }
    record->dropped += head->dropped;
    return true;
}

/* No rank leaves a link, or what one would have to wait for. */
static FILE *part_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    FILE *from = NULL;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        from = fdopen(fd, "r");
    if (fd >= 0 && !from)
        close(fd);
    return from;
}

bool record_part_take(struct record *record, uint32_t rank, uint64_t run_id)
{
    struct part_head head;
    char path[PATH_MAX];
    size_t before[RECORD_LISTS];
    bool taken;

    record_part_name(record, rank, path);
    FILE *from = part_open(path);
    if (!from) {
        (void)unlink(path);
        return false;
    }
    for (unsigned i = 0; i < RECORD_LISTS; i++)
        before[i] = record->lists[i].n;
    taken = fread(&head, sizeof(head), 1, from) == 1 &&
            head_fits(record, rank, run_id, &head);
    taken = taken && part_read(record, &head, from);
    for (unsigned i = 0; !taken && i < RECORD_LISTS; i++)
        record->lists[i].n = before[i];
    fclose(from);
    (void)unlink(path);
    return taken;
}
