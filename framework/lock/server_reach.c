/* server_reach.c - finding the lock server of a job, by one of its addresses. */
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/signals.h"
#include "redis_link.h"
#include "server_job_private.h"

#define REACH_MS 2000 /* an address may be one that leads nowhere */

static void url_of(const struct server_job *job, const struct address *at,
                   struct lock_url *url)
{
    memset(url, 0, sizeof(*url));
    (void)address_text(at, url->host);
    url->port = (int)job->port;
    url->has_login = true;
    memcpy(url->password, job->password, sizeof(job->password));
}

static struct redis_wait wait_until(int64_t until_ns, const int *signal_fd)
{
    return (struct redis_wait){
        .until_ns = until_ns, .fds = signal_fd, .fds_count = 1, .strict = true};
}

/* Its run id. */
static int ask_run_id(struct redis_link *link, const struct redis_wait *wait, char *id,
                      size_t size, swim_error_t *err)
{
    static const char name[] = "\nrun_id:";
    const char *const argv[] = {"INFO", "server"};
    struct redis_answer *answer = NULL;

    int rc = redis_link_call(link, 2, argv, wait, &answer, err);
    if (rc != SWIM_OK)
        return redis_unsure_is_io(rc, err);
    const char *at = strstr(redis_answer_text(answer), name);
    at = at ? at + sizeof(name) - 1 : "";
    snprintf(id, size, "%.*s", (int)strcspn(at, "\r\n"), at);
    redis_answer_free(answer);
    return SWIM_OK;
}

static int vouch(struct redis_link *link, const struct redis_wait *wait,
                 swim_error_t *err)
{
    const char *const argv[] = {"SET", "{h5swim}:fresh", "1"};
    struct redis_answer *answer = NULL;

    int rc = redis_link_call(link, 3, argv, wait, &answer, err);
    redis_answer_free(answer);
    return redis_unsure_is_io(rc, err);
}

int server_job_greet(struct server_job *job, swim_error_t *err)
{
    int signal_fd = swim_signals_fd();
    const struct redis_wait wait =
        wait_until(swim_clock_mono_ns() + REACH_MS * 1000000LL, &signal_fd);
    struct lock_url url;

    url_of(job, &job->where.at[0], &url);
    struct redis_link *link = redis_link_create(&url, &redis_link_sockets);
    int rc = link ? ask_run_id(link, &wait, job->run_id, sizeof(job->run_id), err)
                  : swim_error_set(err, SWIM_ERR_NOMEM, "ask the lock server");
    if (rc == SWIM_OK)
        rc = vouch(link, &wait, err);
    redis_link_destroy(link);
    explicit_bzero(&url, sizeof(url));
    return rc;
}

static int try_address(const struct server_job *job, const struct address *at,
                       swim_error_t *err)
{
    int signal_fd = swim_signals_fd();
    const struct redis_wait wait =
        wait_until(swim_clock_mono_ns() + REACH_MS * 1000000LL, &signal_fd);
    char run_id[sizeof(job->run_id)] = "", text[ADDRESS_TEXT_MAX];
    struct lock_url url;

    url_of(job, at, &url);
    struct redis_link *link = redis_link_create(&url, &redis_link_sockets);
    int rc = link ? ask_run_id(link, &wait, run_id, sizeof(run_id), err)
                  : swim_error_set(err, SWIM_ERR_NOMEM, "ask the lock server");
    redis_link_destroy(link);
    explicit_bzero(&url, sizeof(url));
    if (rc == SWIM_OK && (!run_id[0] || strcmp(run_id, job->run_id) != 0))
        rc = swim_error_set(err, SWIM_ERR_IO, "another server answers at %s",
                            address_text(at, text));
    return rc;
}

struct tries {
    char text[300]; /* "10.0.0.1, 10.1.0.1" */
    swim_error_t last;
};

static void tries_add(struct tries *t, const struct address *at)
{
    char text[ADDRESS_TEXT_MAX];
    size_t used = strlen(t->text);

    snprintf(t->text + used, sizeof(t->text) - used, "%s%s", used ? ", " : "",
             address_text(at, text));
}

/* Those near, or those that are not. */
static int try_addresses(const struct server_job *job,
                         const struct host_addresses *self, bool near,
                         const struct address **found, struct tries *t)
{
    bool here = strcmp(job->where.stack, self->stack) == 0;

    for (uint32_t i = 0; i < job->where.n; i++) {
        const struct address *at = &job->where.at[i];
        if ((here || address_is_near(at, self)) != near ||
            (!here && address_is_of(at, self)))
            continue;
        swim_error_clear(&t->last);
        tries_add(t, at);
        int rc = try_address(job, at, &t->last);
        if (rc == SWIM_OK)
            *found = at;
        if (rc == SWIM_OK || rc == SWIM_ERR_CANCELLED)
            return rc;
    }
    return SWIM_ERR_IO;
}

int server_job_reach(const struct server_job *job, const struct host_addresses *self,
                     char url[SERVER_JOB_URL_MAX], swim_error_t *err)
{
    const struct address *found = NULL;
    struct tries tries = {.text = ""};
    char text[ADDRESS_TEXT_MAX];

    url[0] = '\0';
    int rc = try_addresses(job, self, true, &found, &tries);
    if (rc == SWIM_ERR_IO)
        rc = try_addresses(job, self, false, &found, &tries);
    if (rc == SWIM_OK) {
        bool v6 = found->is_v6;
        snprintf(url, SERVER_JOB_URL_MAX, "redis://:%s@%s%s%s:%u", job->password,
                 v6 ? "[" : "", address_text(found, text), v6 ? "]" : "", job->port);
        return rc;
    }
    if (rc == SWIM_ERR_CANCELLED)
        return swim_error_set(err, rc, "%s", tries.last.text);
    if (!tries.text[0])
        snprintf(tries.text, sizeof(tries.text), "nothing, it has only this host's");
    tries.last.text[strcspn(tries.last.text, "(")] = '\0'; /* its advice is another */
    return swim_error_set(
        err, SWIM_ERR_IO,
        "host %s cannot reach the lock server of this job on %s, port %u (tried: %s): "
        "%s- give one that all hosts reach by --redis URL or SWIM_REDIS_URL (see "
        "slurm/redis.sbatch), or name the interface of %s that they reach in "
        "SWIM_INTERFACE",
        self->host, job->where.host, job->port, tries.text, tries.last.text,
        job->where.host);
}
