/* soak_board.c - shared memory, histories and dice of the soak. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "soak.h"

struct board *board_open(const char *dir, bool create)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/board", dir);
    int fd = open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT | O_EXCL : 0), 0600);
    if (fd < 0 || (create && ftruncate(fd, sizeof(struct board)) != 0)) {
        perror(path);
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    void *at =
        mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return at == MAP_FAILED ? NULL : at;
}

void resource_name(char *name, size_t size, int resource)
{
    snprintf(name, size, "/soak/%c", 'a' + resource);
}

int history_open(const char *dir, const char *name)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s.history", dir, name);
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

void history_write(int fd, const char *fmt, ...)
{
    char line[512];
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    if (len >= (int)sizeof(line)) {
        len = sizeof(line);
        line[len - 1] = '\n';
    }
    /* A full disk shows as a history that the checker cannot read. */
    ssize_t ignored = write(fd, line, (size_t)len);
    (void)ignored;
}

/* SplitMix64. */
uint32_t dice(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ (z >> 31)) >> 16);
}

int dice_below(uint64_t *state, int n)
{
    return (int)(dice(state) % (uint32_t)n);
}
