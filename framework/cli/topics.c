/* topics.c - what h5swim help explains besides the commands. */
#include "cli/topics.h"

#include <string.h>

#include "texts.h"

const struct topic topics[] = {
    {"job", 5, "job files of h5swim run", text_job_txt, NULL, NULL},
    {"kernel", 3, "the interface that kernels are written to", NULL, text_kernel_h,
     NULL},
    {"lock", 3, "locks for any program", NULL, text_lock_h, NULL},
    {"store", 3, "HDF5 files with transactions, for C programs", NULL, text_store_h,
     NULL},
    {"file", 3, "groups, datasets and attributes that many processes use", NULL,
     text_file_h, NULL},
    {"signals", 3, "leave on a signal without letting others wait", NULL,
     text_signals_h, NULL},
    {"errors", 7, "error codes and exit statuses, with remedies", NULL, NULL,
     errors_print},
    {"environment", 7, "environment variables", text_environment_txt, NULL, NULL},
};
const size_t n_topics = sizeof(topics) / sizeof(*topics);

const struct topic *topic_find(const char *name)
{
    for (size_t i = 0; i < n_topics; i++)
        if (strcmp(topics[i].name, name) == 0)
            return &topics[i];
    return NULL;
}

void topic_print(const struct topic *topic, FILE *to)
{
    if (topic->text)
        fputs(topic->text, to);
    else if (topic->header)
        header_print(topic->header, to);
    else
        topic->print(to);
}
