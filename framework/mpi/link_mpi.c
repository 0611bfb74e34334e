/* link_mpi.c - ranks that talk to the coordinator by MPI messages.
 *
 * The only file that includes MPI, built as a plug-in and loaded only under an MPI
 * launcher.  Each rank has at most one report under way; rank 0 answers whenever its
 * own exchange() is called.  Nothing here blocks, so a waiting rank can sleep. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/link.h"
#include "core/clock.h"

#define HELD_UP_NS 1000000000LL /* exchange() is called much more often */

enum { TAG_REPORT = 1, TAG_ORDERS };

/* What says how Open MPI sends messages. */
static const char PML[] = "OMPI_MCA_pml";

struct mpi_link {
    struct link link;
    MPI_Comm comm;
    /* rank 0 */
    struct coordinator coordinator;
    struct coordinator_rank *ranks;
    /* Of each rank, the last.  One that died after it had asked never takes it, and who
     * waited for that would wait for ever. */
    struct answer {
        struct rank_orders orders;
        MPI_Request request;
    } * answers;
    int64_t *heard_ns; /* of each rank, last */
    int64_t served_ns; /* when exchange() was called last */
    struct joined *joined;
    /* the others */
    bool asked;
    struct rank_report report; /* in flight */
    struct rank_orders orders; /* being received */
    MPI_Request requests[2];
    /* What all meet for; it stays until the end, as nobody need wait for it. */
    struct gathering {
        MPI_Request request;
        void *mine, *all;
    } gatherings[LINK_GATHERS];
    MPI_Request sharing;
    void *shared;
    size_t shared_bytes;
    char library[MPI_MAX_LIBRARY_VERSION_STRING];
};

int swim_mpi_link_open_v5(struct link **out, swim_error_t *err) SWIM_API;

static int mpi_failed(int code, const char *what, swim_error_t *err)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;

    MPI_Error_string(code, text, &length);
    return swim_error_set(err, SWIM_ERR_IO, "MPI: %s: %s", what, text);
}

static int answer(struct mpi_link *m, const struct rank_report *report,
                  swim_error_t *err)
{
    struct answer *a = &m->answers[report->rank];

    /* It has asked again, so it has the one before. */
    int rc = MPI_Wait(&a->request, MPI_STATUS_IGNORE);
    if (rc == MPI_SUCCESS) {
        coordinator_handle(&m->coordinator, m->ranks, report, &a->orders);
        rc = MPI_Isend(&a->orders, sizeof(a->orders), MPI_BYTE, (int)report->rank,
                       TAG_ORDERS, m->comm, &a->request);
    }
    return rc == MPI_SUCCESS ? SWIM_OK : mpi_failed(rc, "send orders", err);
}

/* Whether all have theirs that may still take it. */
static bool answers_sent(struct mpi_link *m)
{
    int sent = 1;

    for (uint32_t r = 1; sent && r < m->link.n_ranks; r++)
        if (!m->ranks[r].given_up)
            (void)MPI_Test(&m->answers[r].request, &sent, MPI_STATUS_IGNORE);
    return sent;
}

static int serve(struct mpi_link *m, swim_error_t *err)
{
    int found = 0, rc = MPI_SUCCESS;

    for (;;) {
        MPI_Status status;
        struct rank_report report;
        rc = MPI_Iprobe(MPI_ANY_SOURCE, TAG_REPORT, m->comm, &found, &status);
        if (rc != MPI_SUCCESS)
            return mpi_failed(rc, "look for reports", err);
        if (!found)
            return SWIM_OK;
        rc = MPI_Recv(&report, sizeof(report), MPI_BYTE, status.MPI_SOURCE, TAG_REPORT,
                      m->comm, MPI_STATUS_IGNORE);
        if (rc != MPI_SUCCESS)
            return mpi_failed(rc, "receive a report", err);
        if (report.rank != (uint32_t)status.MPI_SOURCE)
            return swim_error_set(err, SWIM_ERR_IO,
                                  "MPI: rank %d sends reports of rank %u",
                                  status.MPI_SOURCE, report.rank);
        m->heard_ns[report.rank] = swim_clock_mono_ns();
        rc = answer(m, &report, err);
        if (rc != SWIM_OK)
            return rc;
    }
}

/* While rank 0 was held up itself (a file system that did not answer), nobody could be
 * heard, and what was said then need not be there at the first look. */
static void forgive_own_silence(struct mpi_link *m)
{
    const int64_t now_ns = swim_clock_mono_ns();
    const int64_t away_ns = m->served_ns ? now_ns - m->served_ns : 0;

    for (uint32_t r = 1; away_ns > HELD_UP_NS && r < m->link.n_ranks; r++)
        m->heard_ns[r] += away_ns;
    m->served_ns = now_ns;
}

/* The launcher may not notice, or not tell, that a rank is gone (its node is cut off,
 * or Slurm's own process there was killed).  What others have said meanwhile was read.
 */
static void give_up_silent(struct mpi_link *m)
{
    int64_t since = swim_clock_mono_ns() - m->link.silent_ms * 1000000;
    char why[100];

    for (uint32_t r = 1; m->link.silent_ms && r < m->link.n_ranks; r++) {
        const struct coordinator_rank *rank = &m->ranks[r];
        if (!rank->report.ready || rank->report.leaving || rank->given_up ||
            m->heard_ns[r] > since)
            continue;
        snprintf(why, sizeof(why), "rank %u has been silent for %g s and is given up",
                 r, (double)m->link.silent_ms / 1000);
        fprintf(stderr, "h5swim: %s: others do its blocks\n", why);
        coordinator_note_loss(&m->coordinator, m->ranks, r, swim_clock_mono_ns(), why);
        coordinator_give_up(&m->coordinator, m->ranks, r);
    }
}

static int ask(struct mpi_link *m, const struct rank_report *report, swim_error_t *err)
{
    m->report = *report;
    int rc = MPI_Irecv(&m->orders, sizeof(m->orders), MPI_BYTE, 0, TAG_ORDERS, m->comm,
                       &m->requests[0]);
    if (rc == MPI_SUCCESS)
        rc = MPI_Isend(&m->report, sizeof(m->report), MPI_BYTE, 0, TAG_REPORT, m->comm,
                       &m->requests[1]);
    if (rc != MPI_SUCCESS)
        return mpi_failed(rc, "send a report", err);
    m->asked = true;
    return SWIM_OK;
}

static int mpi_exchange(struct link *link, const struct rank_report *report,
                        struct rank_orders *orders, bool *answered, swim_error_t *err)
{
    struct mpi_link *m = (struct mpi_link *)(void *)link;
    int done = 0, rc;

    *answered = false;
    if (link->rank == 0) {
        forgive_own_silence(m);
        rc = serve(m, err);
        give_up_silent(m);
        coordinator_handle(&m->coordinator, m->ranks, report, orders);
        *answered = true;
        return rc;
    }
    if (!m->asked) {
        rc = ask(m, report, err);
        if (rc != SWIM_OK)
            return rc;
    }
    /* gcc takes MPICH's MPI_STATUSES_IGNORE for an array that is too small. */
    MPI_Status statuses[2];
    rc = MPI_Testall(2, m->requests, &done, statuses);
    if (rc != MPI_SUCCESS)
        return mpi_failed(rc, "wait for orders", err);
    if (done) {
        m->asked = false;
        *orders = m->orders;
        *answered = true;
    }
    return SWIM_OK;
}

static int start_gather(struct mpi_link *m, struct gathering *g, const void *mine,
                        size_t size, swim_error_t *err)
{
    size_t ranks = m->link.rank == 0 ? m->link.n_ranks : 1;

    g->mine = malloc(size);
    g->all = calloc(ranks, size);
    if (!g->mine || !g->all)
        return swim_error_set(err, SWIM_ERR_NOMEM, "gather from %u ranks",
                              m->link.n_ranks);
    memcpy(g->mine, mine, size);
    int rc = MPI_Igather(g->mine, (int)size, MPI_BYTE, g->all, (int)size, MPI_BYTE, 0,
                         m->comm, &g->request);
    return rc == MPI_SUCCESS ? SWIM_OK : mpi_failed(rc, "gather from ranks", err);
}

static int mpi_gather(struct link *link, uint32_t which, const void *mine, size_t size,
                      const void **all, bool *done, swim_error_t *err)
{
    struct mpi_link *m = (struct mpi_link *)(void *)link;
    struct gathering *g = &m->gatherings[which];
    int tested = 0, rc = SWIM_OK;

    *all = NULL;
    *done = false;
    if (!g->mine)
        rc = start_gather(m, g, mine, size, err);
    if (rc != SWIM_OK)
        return rc;
    rc = MPI_Test(&g->request, &tested, MPI_STATUS_IGNORE);
    if (rc != MPI_SUCCESS)
        return mpi_failed(rc, "gather from ranks", err);
    *done = tested != 0;
    *all = tested && link->rank == 0 ? g->all : NULL;
    return SWIM_OK;
}

static int start_share(struct mpi_link *m, const void *bytes, size_t size,
                       swim_error_t *err)
{
    m->shared = malloc(size);
    m->shared_bytes = size;
    if (!m->shared)
        return swim_error_set(err, SWIM_ERR_NOMEM, "share with ranks");
    memcpy(m->shared, bytes, size);
    int rc = MPI_Ibcast(m->shared, (int)size, MPI_BYTE, 0, m->comm, &m->sharing);
    return rc == MPI_SUCCESS ? SWIM_OK : mpi_failed(rc, "share with ranks", err);
}

static int mpi_share(struct link *link, void *bytes, size_t size, bool *done,
                     swim_error_t *err)
{
    struct mpi_link *m = (struct mpi_link *)(void *)link;
    int shared = 0, rc = SWIM_OK;

    *done = false;
    if (!m->shared)
        rc = start_share(m, bytes, size, err);
    if (rc != SWIM_OK)
        return rc;
    rc = MPI_Test(&m->sharing, &shared, MPI_STATUS_IGNORE);
    if (rc != MPI_SUCCESS)
        return mpi_failed(rc, "share with ranks", err);
    *done = shared != 0;
    if (*done)
        memcpy(bytes, m->shared, size);
    return SWIM_OK;
}

static void mpi_set_states(struct link *link, const struct source_state *states,
                           uint32_t n_states)
{
    struct mpi_link *m = (struct mpi_link *)(void *)link;

    coordinator_set_states(&m->coordinator, states, n_states);
}

static int mpi_set_work(struct link *link, uint32_t n_phases, const uint64_t *blocks,
                        bool fail_fast, swim_error_t *err)
{
    struct mpi_link *m = (struct mpi_link *)(void *)link;
    uint64_t most = 0;

    for (uint32_t p = 0; p < n_phases; p++)
        most = blocks[p] > most ? blocks[p] : most;
    m->coordinator.todo = calloc(most / 64 + 1, sizeof(*m->coordinator.todo));
    if (!m->coordinator.todo)
        return swim_error_set(err, SWIM_ERR_NOMEM, "progress of %llu blocks",
                              (unsigned long long)most);
    coordinator_set_work(&m->coordinator, n_phases, blocks, fail_fast);
    return SWIM_OK;
}

static int mpi_set_epoch(struct link *link, const struct setup_epoch *epoch,
                         uint64_t n_blocks, swim_error_t *err)
{
    struct mpi_link *m = (struct mpi_link *)(void *)link;
    uint64_t *todo = realloc(m->coordinator.todo, (n_blocks / 64 + 1) * sizeof(*todo));

    if (!todo)
        return swim_error_set(err, SWIM_ERR_NOMEM, "progress of %llu blocks",
                              (unsigned long long)n_blocks);
    m->coordinator.todo = todo;
    coordinator_set_epoch(&m->coordinator, epoch, n_blocks);
    return SWIM_OK;
}

static uint64_t mpi_set_pass(struct link *link, int32_t phase,
                             const unsigned char *done)
{
    struct mpi_link *m = (struct mpi_link *)(void *)link;

    return coordinator_set_pass(&m->coordinator, phase, done);
}

static void mpi_set_aside(struct link *link, const struct block_failure *failure)
{
    struct mpi_link *m = (struct mpi_link *)(void *)link;

    coordinator_set_aside(&m->coordinator, failure);
}

static void mpi_observe(struct link *link, struct coordinator *c,
                        struct coordinator_rank *ranks)
{
    struct mpi_link *m = (struct mpi_link *)(void *)link;

    *c = m->coordinator;
    memcpy(ranks, m->ranks, (link->n_ranks + c->n_joined) * sizeof(*ranks));
}

static void mpi_with(struct link *link,
                     void (*fn)(struct coordinator *c, struct coordinator_rank *ranks,
                                void *arg),
                     void *arg)
{
    struct mpi_link *m = (struct mpi_link *)(void *)link;

    fn(&m->coordinator, m->ranks, arg);
}

static void mpi_free(struct mpi_link *m)
{
    if (m->shared) /* there may be a password in it */
        explicit_bzero(m->shared, m->shared_bytes);
    free(m->shared);
    for (uint32_t i = 0; i < LINK_GATHERS; i++) {
        free(m->gatherings[i].mine);
        free(m->gatherings[i].all);
    }
    free(m->coordinator.todo);
    free(m->coordinator.failures);
    free(m->ranks);
    free(m->answers);
    free(m->heard_ns);
    free(m->joined);
    free(m);
}

/* Finalize meets all ranks, so it is only entered when all are known to be on their way
 * to it.  It never comes back under an mpirun that was told to end: after a signal the
 * rank ends without it, as the launcher expects. */
static void mpi_close(struct link *link, int wait_ms, bool meet)
{
    struct mpi_link *m = (struct mpi_link *)(void *)link;
    int64_t until = swim_clock_mono_ns() + (int64_t)wait_ms * 1000000;
    bool all = link->rank != 0;

    while (!all) {
        if (serve(m, NULL) != SWIM_OK)
            break;
        all = answers_sent(m);
        for (uint32_t r = 1; r < link->n_ranks; r++)
            all = all && m->ranks[r].report.leaving;
        if (all || swim_clock_mono_ns() >= until)
            break;
        swim_clock_nap_ns(500000);
    }
    if (all && meet)
        MPI_Finalize();
    mpi_free(m);
}

static const struct link_ops mpi_ops = {
    .exchange = mpi_exchange,
    .set_states = mpi_set_states,
    .set_work = mpi_set_work,
    .set_epoch = mpi_set_epoch,
    .set_pass = mpi_set_pass,
    .set_aside = mpi_set_aside,
    .observe = mpi_observe,
    .with = mpi_with,
    .close = mpi_close,
    .gather = mpi_gather,
    .share = mpi_share,
};

/* On how many hosts the ranks are, each of which has one rank that is the first there,
 * and on which of them this one is. */
static int count_hosts(struct mpi_link *m)
{
    MPI_Comm here = MPI_COMM_NULL;
    int rank_here = 0, first = 0, hosts = 0, host = 0;

    int rc =
        MPI_Comm_split_type(m->comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here);
    if (rc == MPI_SUCCESS)
        rc = MPI_Comm_rank(here, &rank_here);
    first = rank_here == 0;
    if (rc == MPI_SUCCESS)
        rc = MPI_Allreduce(&first, &hosts, 1, MPI_INT, MPI_SUM, m->comm);
    if (rc == MPI_SUCCESS)
        rc = MPI_Exscan(&first, &host, 1, MPI_INT, MPI_SUM, m->comm);
    if (m->link.rank == 0)
        host = 0; /* where MPI_Exscan leaves it undefined */
    if (rc == MPI_SUCCESS)
        rc = MPI_Bcast(&host, 1, MPI_INT, 0, here);
    if (here != MPI_COMM_NULL)
        MPI_Comm_free(&here);
    m->link.host = (uint32_t)host;
    m->link.n_hosts = (uint32_t)hosts;
    return rc;
}

/* Whether the launcher says so, before MPI can. */
static bool is_one_host(void)
{
    const char *here = getenv("OMPI_COMM_WORLD_LOCAL_SIZE"),
               *all = getenv("OMPI_COMM_WORLD_SIZE"),
               *nodes = getenv("SLURM_STEP_NUM_NODES");

    return here && all ? strcmp(here, all) == 0 : nodes && strcmp(nodes, "1") == 0;
}

/* Ranks of one host talk through its memory.  Told so, Open MPI does not look for
 * fabrics first, which takes three times as long as all the rest of MPI_Init. */
static int start(void)
{
    const bool is_told = is_one_host() && !getenv(PML) && setenv(PML, "ob1", 0) == 0;
    int rc = MPI_Init(NULL, NULL);

    if (is_told)
        (void)unsetenv(PML);
    return rc;
}

/* What rank 0 has besides. */
static int zero_make(struct mpi_link *m)
{
    uint32_t n = m->link.n_ranks;
    struct block_failure *failures =
        calloc(COORDINATOR_FAILURES_MOST, sizeof(*failures));

    coordinator_init(&m->coordinator, n, NULL, failures);
    m->ranks = calloc(LINK_RANKS_MOST(n), sizeof(*m->ranks));
    m->heard_ns = calloc(n, sizeof(*m->heard_ns));
    m->answers = calloc(n, sizeof(*m->answers));
    for (uint32_t r = 0; m->answers && r < n; r++)
        m->answers[r].request = MPI_REQUEST_NULL;
    m->joined = calloc(JOINED_MOST, sizeof(*m->joined));
    m->coordinator.joined = m->joined;
    return m->ranks && m->heard_ns && m->answers && m->joined && failures ? 0 : -1;
}

/* Its name and version: what stands before the first comma, or in the first line. */
static void name_library(struct mpi_link *m)
{
    int length = 0;

    if (MPI_Get_library_version(m->library, &length) != MPI_SUCCESS)
        return;
    m->library[strcspn(m->library, ",\n")] = '\0';
    m->link.library = m->library;
}

int swim_mpi_link_open_v5(struct link **out, swim_error_t *err)
{
    struct mpi_link *m = calloc(1, sizeof(*m));
    int rank = 0, size = 1;

    *out = NULL;
    if (!m)
        return swim_error_set(err, SWIM_ERR_NOMEM, "MPI link");
    int rc = start();
    if (rc == MPI_SUCCESS)
        rc = MPI_Comm_dup(MPI_COMM_WORLD, &m->comm);
    if (rc == MPI_SUCCESS)
        rc = MPI_Comm_set_errhandler(m->comm, MPI_ERRORS_RETURN);
    if (rc == MPI_SUCCESS)
        rc = MPI_Comm_rank(m->comm, &rank);
    if (rc == MPI_SUCCESS)
        rc = MPI_Comm_size(m->comm, &size);
    m->link.rank = (uint32_t)rank;
    m->link.n_ranks = (uint32_t)size;
    if (rc == MPI_SUCCESS)
        rc = count_hosts(m);
    if (rc != MPI_SUCCESS) {
        free(m);
        return mpi_failed(rc, "start", err);
    }
    for (uint32_t i = 0; i < LINK_GATHERS; i++)
        m->gatherings[i].request = MPI_REQUEST_NULL;
    m->sharing = MPI_REQUEST_NULL;
    m->link.ops = &mpi_ops;
    name_library(m);
    if (rank == 0 && zero_make(m) < 0) {
        mpi_free(m);
        return swim_error_set(err, SWIM_ERR_NOMEM, "reports of %d ranks", size);
    }
    *out = &m->link;
    return SWIM_OK;
}
