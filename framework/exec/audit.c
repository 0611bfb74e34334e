/* audit.c - ends a program that brings an HDF5 of its own, when that is loaded.
 *
 * The dynamic linker tells this object (LD_AUDIT) of each that it loads, at the start
 * or later, whatever way it looks for symbols then.  An HDF5 beside the one that h5swim
 * is built with is never protected: with RTLD_DEEPBIND or RTLD_LOCAL alone h5swim is
 * not called, and otherwise calls go partly to the one, partly to the other.
 *
 * It lives in a namespace of its own, with a libc of its own: it does little. */
#include <elf.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AUDIT_API __attribute__((visibility("default")))
#define STATUS_CANNOT_RUN 126

struct symbols {
    const char *strings;
    const ElfW(Sym) * table;
    const uint32_t *hash;     /* GNU's */
    const uint32_t *old_hash; /* System V's */
};

/* The linker has added the address to what it uses itself, but not everywhere. */
static const void *section(const struct link_map *map, ElfW(Addr) at)
{
    return (const void *)(at < map->l_addr ? map->l_addr + at : at); /* NOLINT */
}

static struct symbols symbols_of(const struct link_map *map)
{
    struct symbols s = {0};

    for (const ElfW(Dyn) *d = map->l_ld; d && d->d_tag != DT_NULL; d++) {
        const void *at = section(map, d->d_un.d_ptr);
        if (d->d_tag == DT_STRTAB)
            s.strings = at;
        else if (d->d_tag == DT_SYMTAB)
            s.table = at;
        else if (d->d_tag == DT_GNU_HASH)
            s.hash = at;
        else if (d->d_tag == DT_HASH)
            s.old_hash = at;
    }
    return s;
}

static bool symbol_is(const struct symbols *s, uint32_t i, const char *name)
{
    return s->table[i].st_shndx != SHN_UNDEF &&
           strcmp(s->strings + s->table[i].st_name, name) == 0;
}

static bool find_by_gnu_hash(const struct symbols *s, const char *name)
{
    uint32_t n_buckets = s->hash[0], first = s->hash[1], n_bloom = s->hash[2];
    const uint32_t *buckets = s->hash + 4 + n_bloom * (sizeof(ElfW(Addr)) / 4);
    const uint32_t *chains = buckets + n_buckets;
    uint32_t h = 5381;

    for (const char *c = name; *c; c++)
        h = h * 33 + (unsigned char)*c;
    uint32_t i = n_buckets ? buckets[h % n_buckets] : 0;
    for (; i >= first && i != 0; i++) {
        uint32_t hash = chains[i - first];
        if ((hash | 1) == (h | 1) && symbol_is(s, i, name))
            return true;
        if (hash & 1)
            break;
    }
    return false;
}

static bool defines(const struct symbols *s, const char *name)
{
    if (!s->strings || !s->table)
        return false;
    if (s->hash)
        return find_by_gnu_hash(s, name);
    for (uint32_t i = 0; s->old_hash && i < s->old_hash[1]; i++)
        if (symbol_is(s, i, name))
            return true;
    return false;
}

/* What stands before HDF5 and calls it - our own object, tracers as Darshan - defines
 * functions of files and datasets, but not H5open(), which HDF5's macros call for
 * whoever opens a file. */
static bool has_hdf5(const struct link_map *map)
{
    struct symbols s = symbols_of(map);

    return defines(&s, "H5Fopen") && defines(&s, "H5open");
}

static bool is_expected(const char *name)
{
    const char *own = getenv("SWIM_EXEC_HDF5");
    char real[PATH_MAX];

    return own && realpath(name, real) && strcmp(real, own) == 0;
}

static void refuse(const char *name)
{
    bool allowed = getenv("SWIM_EXEC_OWN_HDF5") != NULL;

    (void)dprintf(STDERR_FILENO,
                  "h5swim exec: this program brings its own HDF5, %s, whose files are "
                  "not protected%s\n",
                  *name ? name : "in the program itself",
                  allowed ? ""
                          : "; it is ended (use one that is built with the system's "
                            "HDF5, or --allow-own-hdf5)");
    if (!allowed)
        _exit(STATUS_CANNOT_RUN);
}

AUDIT_API unsigned la_version(unsigned version)
{
    (void)version;
    return 1; /* all that is used here */
}

AUDIT_API unsigned la_objopen(struct link_map *map, Lmid_t namespace, uintptr_t *cookie)
{
    (void)cookie;
    if (namespace == LM_ID_BASE && has_hdf5(map) && !is_expected(map->l_name))
        refuse(map->l_name);
    return 0;
}
