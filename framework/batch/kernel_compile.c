/* kernel_compile.c - compiles a kernel's source, once for each text, compiler and
 * flags.
 *
 * The name in the cache holds a hash of the preprocessed source, so that a changed
 * header counts as a change; of the compiler's version and the flags; and of the macros
 * it predefines, because -march=native means another processor on another machine that
 * shares the home directory.  The compiler writes to a temporary name in the cache and
 * the result gets its own name when it is whole and on the disk.  What is there by then
 * stays: a job that has begun with it opens it again in each of its processes, and
 * looks whether it is the same. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xxhash.h>

#include "batch/kernel_private.h"
#include "core/log.h"
#include "core/signals.h"

#define WORDS_MAX 64 /* with CC and SWIM_KERNEL_CFLAGS */
#define ARGS_MAX 96  /* and with those of our own */
#define STEM_MAX 100
#define OURS_MS 1000

/* Without contraction a*b+c rounds alike on machines with and without FMA.  Comparisons
 * may raise flags of the processor, which nobody looks at, nor at errno: for these the
 * compiler would keep branches. */
static const char *const default_flags[] = {
    "-std=c11",        "-D_GNU_SOURCE",       "-O3",   "-march=native",
    "-fPIC",           "-fvisibility=hidden", "-Wall", "-ffp-contract=off",
    "-fno-math-errno", "-fno-trapping-math",
};

struct compile {
    const char *source;
    const char *stem; /* of the name in the cache, ... */
    size_t stem_length;
    bool is_text;                       /* source is a name that is made up each time */
    char *cc, *flags, *include, *cache; /* cc and flags: cut into words */
    char *args[ARGS_MAX];
    size_t n_args; /* the compiler and its flags */
    XXH3_state_t *hash;
};

static int compile_nomem(const struct compile *c, swim_error_t *err)
{
    return swim_error_set(err, SWIM_ERR_NOMEM, "compile %s: no memory", c->source);
}

static int words_add(struct compile *c, char *text, swim_error_t *err)
{
    char *rest = NULL;

    for (char *word = strtok_r(text, " \t\n", &rest); word;
         word = strtok_r(NULL, " \t\n", &rest)) {
        if (c->n_args >= WORDS_MAX)
            return swim_error_set(err, SWIM_ERR_ARG,
                                  "compile %s: too many words in CC and "
                                  "SWIM_KERNEL_CFLAGS",
                                  c->source);
        c->args[c->n_args++] = word;
    }
    return SWIM_OK;
}

/* The headers beside the command, where they are installed and in a build tree. */
static char *include_find(void)
{
    char *dir = kernel_command_dir(), *flag = NULL;

    if (dir && asprintf(&flag, "-I%s/../include", dir) < 0)
        flag = NULL;
    free(dir);
    return flag;
}

static int args_make(struct compile *c, swim_error_t *err)
{
    const char *cc = getenv("CC"), *flags = getenv("SWIM_KERNEL_CFLAGS");
    int rc = SWIM_OK;

    c->cc = strdup(cc && cc[strspn(cc, " \t")] ? cc : "cc");
    c->flags = strdup(flags ? flags : "");
    c->include = include_find();
    if (!c->cc || !c->flags || !c->include)
        return compile_nomem(c, err);
    rc = words_add(c, c->cc, err);
    for (size_t i = 0; i < sizeof(default_flags) / sizeof(*default_flags); i++)
        c->args[c->n_args++] = (char *)default_flags[i]; /* execvp() changes none */
    c->args[c->n_args++] = c->include;
    if (rc == SWIM_OK)
        rc = words_add(c, c->flags, err);
    return rc;
}

/* Make a directory and those above it, closed to others. */
static int dirs_make(char *path, swim_error_t *err)
{
    struct stat st;

    for (char *c = path + 1;; c++) {
        if (*c && *c != '/')
            continue;
        char end = *c;
        *c = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return swim_error_sys(
                err, errno,
                "make directory %s for compiled kernels (SWIM_CACHE_DIR "
                "names another place)",
                path);
        *c = end;
        if (!end)
            break;
    }
    if (stat(path, &st) != 0)
        return swim_error_sys(err, errno, "look at directory %s", path);
    /* Whoever can write there decides what code runs here. */
    if ((st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & 022))
        return swim_error_set(err, SWIM_ERR_IO,
                              "use directory %s for compiled kernels: others may write "
                              "to it; chmod go-w it or set SWIM_CACHE_DIR",
                              path);
    return SWIM_OK;
}

static int cache_make(struct compile *c, swim_error_t *err)
{
    const char *own = getenv("SWIM_CACHE_DIR"), *xdg = getenv("XDG_CACHE_HOME"),
               *home = getenv("HOME");
    int n = -1;

    if (own && *own)
        n = asprintf(&c->cache, "%s/kernels", own);
    else if (xdg && *xdg == '/')
        n = asprintf(&c->cache, "%s/h5swim/kernels", xdg);
    else if (home && *home == '/')
        n = asprintf(&c->cache, "%s/.cache/h5swim/kernels", home);
    else
        return swim_error_set(err, SWIM_ERR_IO,
                              "compile %s: no place to keep the result: set "
                              "SWIM_CACHE_DIR or HOME",
                              c->source);
    if (n < 0) {
        c->cache = NULL;
        return compile_nomem(c, err);
    }
    return dirs_make(c->cache, err);
}

/* The line that says what is wrong, else the last one that says anything. */
static const char *error_line(char *text)
{
    const char *best = NULL;
    char *rest = NULL;

    for (char *line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "collect2: error", 15) == 0 && best)
            return best; /* what the linker says of it */
        if (strstr(line, "error:"))
            return line;
        if (line[strspn(line, " \t")])
            best = line;
    }
    return best;
}

static void text_log(const char *text)
{
    while (text && *text) {
        int n = (int)strcspn(text, "\n");
        if (n)
            swim_log(SWIM_LOG_DEBUG, "kernel", "%.*s", n, text);
        text += n + (text[n] == '\n');
    }
}

/* A terminal's Ctrl-C ends the compiler before the thread that takes our signals may
 * have seen ours: then the kernel is not to blame. */
static int compiler_killed(const struct compile *c, int signo, swim_error_t *err)
{
    struct pollfd ours = {.fd = swim_signals_fd(), .events = POLLIN};

    if (ours.fd >= 0 && (signo == SIGINT || signo == SIGTERM || signo == SIGHUP))
        poll(&ours, 1, OURS_MS);
    if (swim_signals_check("compile the kernel", err) != SWIM_OK)
        return SWIM_ERR_CANCELLED;
    return swim_error_set(err, SWIM_ERR_IO, "compile %s: %s ended by signal %d",
                          c->source, c->args[0], signo);
}

static int run_verdict(const struct compile *c, struct kernel_run *run,
                       swim_error_t *err)
{
    const char *line = NULL;

    text_log(run->text);
    if (WIFEXITED(run->status) && WEXITSTATUS(run->status) == 0)
        return SWIM_OK;
    if (WIFSIGNALED(run->status))
        return compiler_killed(c, WTERMSIG(run->status), err);
    line = error_line(run->text);
    size_t length = strlen(c->source);
    if (line && strncmp(line, c->source, length) == 0 && line[length] == ':')
        return swim_error_set(err, SWIM_ERR_ARG, "compile %s", line);
    if (line)
        return swim_error_set(err, SWIM_ERR_IO, "compile %s: %s", c->source, line);
    return swim_error_set(err, SWIM_ERR_ARG, "compile %s: %s exited with status %d",
                          c->source, c->args[0], WEXITSTATUS(run->status));
}

static int compiler_run(struct compile *c, const char *const *more,
                        void (*sink)(void *, const void *, size_t), swim_error_t *err)
{
    struct kernel_run run = {.sink = sink, .arg = c->hash};
    swim_error_t cause = {0};
    size_t n = c->n_args;
    int rc = SWIM_OK;

    while (*more)
        c->args[n++] = (char *)*more++;
    c->args[n] = NULL;
    rc = kernel_run(c->args, &run, &cause);
    if (rc != SWIM_OK)
        swim_error_set(err, rc, "compile %s: %s", c->source, cause.text);
    else
        rc = run_verdict(c, &run, err);
    free(run.text);
    return rc;
}

static void hash_sink(void *arg, const void *bytes, size_t n)
{
    XXH3_128bits_update(arg, bytes, n);
}

static int source_hash(struct compile *c, XXH128_canonical_t *out, swim_error_t *err)
{
    const char *const version[] = {"--version", NULL};
    const char *const macros[] = {"-E", "-dM", "-x", "c", "/dev/null", NULL};
    const char *const text[] = {"-E", "-P", c->source, NULL};
    const unsigned abi = SWIM_KERNEL_ABI;
    int rc = SWIM_OK;

    c->hash = XXH3_createState();
    if (!c->hash)
        return compile_nomem(c, err);
    XXH3_128bits_reset(c->hash);
    hash_sink(c->hash, &abi, sizeof(abi));
    hash_sink(c->hash, &c->is_text, sizeof(c->is_text));
    for (size_t i = 0; i < c->n_args; i++)
        hash_sink(c->hash, c->args[i], strlen(c->args[i]) + 1);
    rc = compiler_run(c, version, hash_sink, err);
    if (rc == SWIM_OK)
        rc = compiler_run(c, macros, hash_sink, err);
    if (rc == SWIM_OK)
        rc = compiler_run(c, text, hash_sink, err);
    if (rc == SWIM_OK)
        XXH128_canonicalFromHash(out, XXH3_128bits_digest(c->hash));
    return rc;
}

static int cached_name(const struct compile *c, const XXH128_canonical_t *hash,
                       char **out)
{
    char hex[2 * sizeof(hash->digest) + 1];

    for (size_t i = 0; i < sizeof(hash->digest); i++)
        snprintf(hex + 2 * i, 3, "%02x", hash->digest[i]);
    return asprintf(out, "%s/%.*s-%s.so", c->cache,
                    (int)(c->stem_length < STEM_MAX ? c->stem_length : STEM_MAX),
                    c->stem, hex);
}

/* Give a whole file its name, or take it away: one that can be read and has the name
 * already stays. */
static int built_name(const char *temporary, const char *so, swim_error_t *err)
{
    int fd = open(temporary, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    int rc = good ? SWIM_OK : swim_error_sys(err, errno, "sync %s", temporary);

    if (fd >= 0)
        close(fd);
    bool linked = good && (link(temporary, so) == 0 ||
                           (errno == EEXIST && access(so, R_OK) == 0));
    if (good && !linked) { /* not all file systems have hard links */
        if (rename(temporary, so) == 0)
            return SWIM_OK;
        rc = swim_error_sys(err, errno, "rename %s to %s", temporary, so);
    }
    unlink(temporary);
    return rc;
}

static int source_build(struct compile *c, const char *so, swim_error_t *err)
{
    char *temporary = NULL;
    int rc = SWIM_OK, fd = -1;

    if (asprintf(&temporary, "%s/.build-XXXXXX.so", c->cache) < 0)
        return compile_nomem(c, err);
    fd = mkostemps(temporary, 3, 0);
    if (fd < 0) {
        rc = swim_error_sys(err, errno, "compile %s: create a file in %s", c->source,
                            c->cache);
        free(temporary);
        return rc;
    }
    close(fd);
    /* The name of a made up source would stand in the symbols, and be another one in
     * each file: --resume would not know the kernel again. */
    const char *const build[] = {
        "-shared", "-o", temporary, c->source, "-lm", c->is_text ? "-s" : NULL, NULL};
    rc = compiler_run(c, build, NULL, err);
    if (rc == SWIM_OK)
        rc = built_name(temporary, so, err);
    else
        unlink(temporary);
    free(temporary);
    return rc;
}

/* From the cache, or into it; the cache is there. */
static int source_cached(struct compile *c, char **so, swim_error_t *err)
{
    XXH128_canonical_t hash = {{0}};
    char *path = NULL;
    int rc = source_hash(c, &hash, err);

    if (rc == SWIM_OK && cached_name(c, &hash, &path) < 0) {
        path = NULL;
        rc = compile_nomem(c, err);
    }
    if (rc == SWIM_OK && path && access(path, R_OK) != 0)
        rc = source_build(c, path, err);
    if (rc == SWIM_OK)
        *so = path;
    else
        free(path);
    return rc;
}

static void compile_free(struct compile *c)
{
    XXH3_freeState(c->hash);
    free(c->cache);
    free(c->include);
    free(c->flags);
    free(c->cc);
}

int kernel_compile(const char *source, char **so, swim_error_t *err)
{
    const char *slash = strrchr(source, '/');
    struct compile c = {.source = source, .stem = slash ? slash + 1 : source};
    c.stem_length = strlen(c.stem) - 2; /* without .c */
    int rc = args_make(&c, err);

    *so = NULL;
    if (rc == SWIM_OK)
        rc = cache_make(&c, err);
    if (rc == SWIM_OK)
        rc = source_cached(&c, so, err);
    compile_free(&c);
    return rc;
}

/* In the cache, where nobody else may change it meanwhile. */
static int text_write(struct compile *c, const char *text, char **path,
                      swim_error_t *err)
{
    size_t left = strlen(text);
    int rc = SWIM_OK, fd = -1;

    if (asprintf(path, "%s/.source-XXXXXX.c", c->cache) < 0) {
        *path = NULL;
        return compile_nomem(c, err);
    }
    fd = mkostemps(*path, 2, O_CLOEXEC);
    if (fd < 0) {
        rc = swim_error_sys(err, errno, "compile %s: create a file in %s", c->source,
                            c->cache);
        free(*path);
        *path = NULL;
        return rc;
    }
    while (rc == SWIM_OK && left > 0) {
        ssize_t put = write(fd, text, left);
        if (put < 0 && errno != EINTR)
            rc = swim_error_sys(err, errno, "compile %s: write %s", c->source, *path);
        text += put > 0 ? put : 0;
        left -= put > 0 ? (size_t)put : 0;
    }
    close(fd);
    return rc;
}

int kernel_compile_text(const char *name, const char *text, char **so,
                        swim_error_t *err)
{
    struct compile c = {
        .source = name, .stem = name, .stem_length = strlen(name), .is_text = true};
    char *path = NULL;
    int rc = args_make(&c, err);

    *so = NULL;
    if (rc == SWIM_OK)
        rc = cache_make(&c, err);
    if (rc == SWIM_OK)
        rc = text_write(&c, text, &path, err);
    if (path)
        c.source = path;
    if (rc == SWIM_OK)
        rc = source_cached(&c, so, err);
    if (path)
        unlink(path);
    free(path);
    compile_free(&c);
    return rc;
}
