/* fork_mark.c - a number in a page that a child finds empty (MADV_WIPEONFORK). */
#include "core/fork_mark.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096

static atomic_ullong *mark; /* NULL: there is no such page */
static atomic_ullong last;  /* that was given; children go on counting */

static void map_page(void)
{
    void *page =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return;
    if (madvise(page, PAGE, MADV_WIPEONFORK) == 0)
        mark = page;
    else
        munmap(page, PAGE);
}

uint64_t fork_mark(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, map_page);
    if (!mark)
        return (uint64_t)getpid();
    unsigned long long is = atomic_load(mark);
    if (is != 0)
        return is;
    /* The first time in this process; another thread may be at it as well. */
    unsigned long long next = atomic_fetch_add(&last, 1) + 1;
    return atomic_compare_exchange_strong(mark, &is, next) ? next : is;
}
