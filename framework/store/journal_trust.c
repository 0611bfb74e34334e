/* journal_trust.c - who may have put a journal beside a file.
 *
 * It is believed when nobody could have made it who may not write to the file itself,
 * or may not put another file in its place. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "journal.h"

/* Of the folder in which a file is. */
static bool folder_look(const struct io_file *file, struct stat *st)
{
    char name[PATH_MAX];

    if ((size_t)snprintf(name, sizeof(name), "%s", file->path) >= sizeof(name))
        return false;
    char *slash = strrchr(name, '/');
    if (slash)
        slash[slash == name] = '\0';
    else
        snprintf(name, sizeof(name), ".");
    return io_lstat(file->io, name, st) == 0;
}

/* All users may write to the file.  Or its group may, which is that of the journal and
 * of the folder, too, and nobody else may make files there.  (An ACL may let others;
 * but in a folder that is not sticky who makes one may also replace the file.) */
static bool writers_share(const struct io_file *file, const struct stat *main,
                          const struct stat *log)
{
    struct stat folder;

    if (main->st_mode & S_IWOTH)
        return true;
    return (main->st_mode & S_IWGRP) && log->st_gid == main->st_gid &&
           folder_look(file, &folder) && folder.st_gid == main->st_gid &&
           !(folder.st_mode & (S_IWOTH | S_ISVTX));
}

bool journal_trust(const struct io_file *file, const struct stat *main,
                   const struct stat *log, struct journal_doubt *doubt)
{
    *doubt = (struct journal_doubt){0};
    if (!S_ISREG(log->st_mode))
        snprintf(doubt->why, sizeof(doubt->why), "it is not a regular file");
    else if (log->st_nlink > 1)
        snprintf(doubt->why, sizeof(doubt->why), "it has other names (hard links)");
    else if (log->st_uid != main->st_uid && log->st_uid != geteuid() &&
             log->st_uid != 0 && !writers_share(file, main, log))
        doubt->of_another = true;
    if (doubt->of_another)
        snprintf(doubt->why, sizeof(doubt->why),
                 "it is of user %ju, who is neither the file's owner nor you, and the "
                 "rights do not say that this user may write to the file",
                 (uintmax_t)log->st_uid);
    return !doubt->why[0];
}
