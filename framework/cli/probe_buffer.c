/* probe_buffer.c - buffers between guard pages, and what an address near them is. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/probe.h"

/* A wide stride beyond an end still meets it; it costs no memory. */
#define GUARD ((size_t)1 << 20)
#define BESIDE 0xC3 /* what lies in the pages beside the data */

int probe_buffer_create(struct probe_buffer *b, size_t most_bytes, swim_error_t *err)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);

    b->pages_bytes = (most_bytes / page + 1) * page;
    b->map = mmap(NULL, b->pages_bytes + 2 * GUARD, PROT_NONE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (b->map == MAP_FAILED ||
        mprotect(b->map + GUARD, b->pages_bytes, PROT_READ | PROT_WRITE) != 0) {
        b->map = NULL;
        return swim_error_sys(err, errno, "map %zu bytes for %s", most_bytes, b->name);
    }
    b->data = b->map + GUARD;
    return SWIM_OK;
}

void probe_buffer_place(struct probe_buffer *b, size_t bytes, size_t alignment,
                        bool from_start)
{
    char *pages = b->map + GUARD;
    size_t room = b->pages_bytes - bytes;

    b->bytes = bytes;
    b->data = from_start ? pages : pages + room / alignment * alignment;
    memset(pages, BESIDE, (size_t)(b->data - pages));
    char *end = b->data + bytes;
    memset(end, BESIDE, (size_t)(pages + b->pages_bytes - end));
}

void probe_buffer_protect(const struct probe_buffer *b, bool read_only)
{
    /* The pages are ours, whole and mapped: this cannot fail. */
    (void)mprotect(b->map + GUARD, b->pages_bytes,
                   read_only ? PROT_READ : PROT_READ | PROT_WRITE);
}

bool probe_buffer_intact(const struct probe_buffer *b, uintptr_t *address)
{
    const char *pages = b->map + GUARD, *stop = pages + b->pages_bytes;

    for (const char *c = b->data + b->bytes; c < stop; c++)
        if (*(const unsigned char *)c != BESIDE) {
            *address = (uintptr_t)c;
            return false;
        }
    for (const char *c = b->data - 1; c >= pages; c--)
        if (*(const unsigned char *)c != BESIDE) {
            *address = (uintptr_t)c;
            return false;
        }
    return true;
}

static const char *const access_words[] = {"touches", "reads", "writes to"};

/* In elements, as the kernel counts them: data[0] of an array with a halo lies inside.
 */
static void explain_in(const struct probe_buffer *b, uintptr_t address,
                       enum probe_access access, char *text, size_t size)
{
    const uintptr_t data = (uintptr_t)b->data, end = data + b->bytes;
    const int64_t element = (int64_t)b->element;
    int64_t away = (int64_t)(address - data), place, n;
    char beyond[60] = "";

    place = away >= 0 ? away / element : -((-away + element - 1) / element);
    n = place < 0 ? -place : place + 1 - (int64_t)b->bytes / element;
    if (address >= end || address < data)
        snprintf(beyond, sizeof(beyond), ", %" PRId64 " %s%s %s its %s", n,
                 element == 1 ? "byte" : "element", n == 1 ? "" : "s",
                 address < data ? "before" : "beyond",
                 address < data ? "start" : "end");
    else if (access == PROBE_WRITES)
        snprintf(beyond, sizeof(beyond), ", which must not be changed");
    place -= (int64_t)b->origin;
    if (element == 1)
        snprintf(text, size, "%s byte %" PRId64 " of %s%s", access_words[access], place,
                 b->name, beyond);
    else
        snprintf(text, size, "%s data[%" PRId64 "] of %s%s", access_words[access],
                 place, b->name, beyond);
}

void probe_buffer_explain(const struct probe_buffer *buffers, uint32_t n,
                          uintptr_t address, enum probe_access access, char *text,
                          size_t size)
{
    for (uint32_t i = 0; i < n; i++) {
        uintptr_t from = (uintptr_t)buffers[i].map;
        if (address >= from && address < from + buffers[i].pages_bytes + 2 * GUARD) {
            explain_in(&buffers[i], address, access, text, size);
            return;
        }
    }
    snprintf(text, size, "%s address 0x%" PRIxPTR "%s", access_words[access], address,
             address < 4096 ? ": a pointer that is NULL" : ", which is in no buffer");
}
