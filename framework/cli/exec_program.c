/* exec_program.c - whether a program can be run with a preloaded object. */
#include "cli/exec_program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define INTERPRETERS_MAX 4 /* as the kernel follows */
#define LINE_MAX_SHOWN 256 /* bytes that the kernel looks at */

static bool is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

static int program_take(const char *name, const char *path, swim_error_t *err)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return swim_error_set(err, SWIM_ERR_ARG, "run %s: %s", name, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return swim_error_set(err, SWIM_ERR_IO, "run %s: it is a directory", name);
    if (access(path, X_OK) != 0)
        return swim_error_sys(err, errno, "run %s", name);
    return SWIM_OK;
}

int exec_program_find(const char *name, char *path, size_t size, swim_error_t *err)
{
    const char *dirs = getenv("PATH");
    bool not_executable = false;

    if (strchr(name, '/')) {
        if (snprintf(path, size, "%s", name) >= (int)size)
            return swim_error_sys(err, ENAMETOOLONG, "run %s", name);
        return program_take(name, path, err);
    }
    for (const char *at = dirs ? dirs : "/bin:/usr/bin"; *name && at;) {
        size_t length = strcspn(at, ":");
        int n = snprintf(path, size, "%.*s%s%s", (int)length, at, length ? "/" : "./",
                         name);
        if (n < (int)size && is_file(path)) {
            if (access(path, X_OK) == 0)
                return SWIM_OK;
            not_executable = true;
        }
        at = at[length] ? at + length + 1 : NULL;
    }
    if (not_executable)
        return swim_error_sys(err, EACCES, "run %s", name);
    return swim_error_set(err, SWIM_ERR_ARG, "run %s: there is no such command", name);
}

/* --- what it is */

/* The kernel runs it with more rights, and the linker then preloads nothing. */
static bool gives_rights(const char *path, const struct stat *st)
{
    if ((st->st_mode & S_ISUID) && st->st_uid != getuid())
        return true;
    if ((st->st_mode & S_ISGID) && st->st_gid != getgid())
        return true;
    return getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0;
}

/* What h5swim itself is. */
static bool elf_is_of_this_kind(const ElfW(Ehdr) * head)
{
    ElfW(Ehdr) own = {0};
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    bool known = fd >= 0 && read(fd, &own, sizeof(own)) == (ssize_t)sizeof(own);

    if (fd >= 0)
        (void)close(fd);
    return !known || (head->e_ident[EI_CLASS] == own.e_ident[EI_CLASS] &&
                      head->e_ident[EI_DATA] == own.e_ident[EI_DATA] &&
                      head->e_machine == own.e_machine);
}

static bool elf_is_dynamic(int fd, const ElfW(Ehdr) * head)
{
    for (unsigned i = 0; i < head->e_phnum; i++) {
        ElfW(Phdr) part;
        off_t at = (off_t)(head->e_phoff + (size_t)i * head->e_phentsize);
        if (pread(fd, &part, sizeof(part), at) != (ssize_t)sizeof(part))
            return true; /* the kernel says what is wrong with it */
        if (part.p_type == PT_INTERP)
            return true;
    }
    return false;
}

static int elf_check(const char *path, int fd, const ElfW(Ehdr) * head,
                     swim_error_t *err)
{
    if (!elf_is_of_this_kind(head))
        return swim_error_set(err, SWIM_ERR_ARG,
                              "run %s: it is a program for another architecture than "
                              "h5swim, which cannot be loaded into it",
                              path);
    if (!elf_is_dynamic(fd, head))
        return swim_error_set(err, SWIM_ERR_ARG,
                              "run %s: it is statically linked, so h5swim cannot be "
                              "loaded into it (use one that is linked to libhdf5.so)",
                              path);
    return SWIM_OK;
}

/* "#! INTERPRETER ARGUMENT": cuts the line to the interpreter. */
static char *interpreter_of(char *line)
{
    char *at = line + 2 + strspn(line + 2, " \t");

    at[strcspn(at, " \t\n")] = '\0';
    return *at ? at : NULL;
}

/* One file; *next is the interpreter that it names, or empty. */
static int file_check(const char *path, char *next, size_t size, swim_error_t *err)
{
    union {
        ElfW(Ehdr) head;
        char line[LINE_MAX_SHOWN + 1];
    } start = {0};
    struct stat st;
    int rc = SWIM_OK, fd = open(path, O_RDONLY | O_CLOEXEC);

    *next = '\0';
    if (fd < 0)
        return SWIM_OK; /* it may be executed all the same */
    ssize_t n = read(fd, start.line, LINE_MAX_SHOWN);
    if (n >= 2 && memcmp(start.line, "#!", 2) == 0) {
        const char *interpreter = interpreter_of(start.line);
        snprintf(next, size, "%s", interpreter ? interpreter : "");
    } else if (fstat(fd, &st) == 0 && gives_rights(path, &st)) {
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "run %s: it runs with other rights than yours (setuid, "
                            "setgid or capabilities), so h5swim cannot be loaded into "
                            "it",
                            path);
    } else if (n >= (ssize_t)sizeof(start.head) &&
               memcmp(start.head.e_ident, ELFMAG, SELFMAG) == 0) {
        rc = elf_check(path, fd, &start.head, err);
    }
    (void)close(fd);
    return rc;
}

int exec_program_check(const char *path, swim_error_t *err)
{
    char at[PATH_MAX], next[LINE_MAX_SHOWN + 1];
    int rc = SWIM_OK;

    snprintf(at, sizeof(at), "%s", path);
    for (int i = 0; rc == SWIM_OK && *at && i <= INTERPRETERS_MAX; i++) {
        rc = file_check(at, next, sizeof(next), err);
        snprintf(at, sizeof(at), "%s", next);
    }
    return rc;
}
