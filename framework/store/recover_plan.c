/* recover_plan.c - what can be done with a file of some verdict. */
#include <inttypes.h>
#include <stdio.h>

#include "recover.h"

#define KEPT                                                                 \
    "the file as it is stays as %s" VERDICT_SAVED_SUFFIX ", the journal as " \
    "%s" JOURNAL_DISCARDED_SUFFIX

static void plan_apply(const struct verdict *v, struct recover_plan *p)
{
    const size_t size = sizeof(p->text);

    if (v->of_another) {
        p->how = RECOVER_CANNOT;
        snprintf(p->text, size,
                 "%s is of another user, who may have committed something in it: let "
                 "that one run this, or open the file by h5swim (--discard takes it "
                 "away)",
                 v->journal_path);
    } else if (v->has == JOURNAL_UNREADABLE || v->commits == 0) {
        p->how = RECOVER_CANNOT;
        snprintf(p->text, size,
                 "nothing that is committed in %s can be read, so there is nothing to "
                 "apply (--discard takes it away)",
                 v->journal_path);
    } else if (v->has == JOURNAL_VALID && !v->foreign) {
        p->how = RECOVER_CHECKPOINT;
        snprintf(p->text, size,
                 "copies what is committed into the file and removes the journal, as "
                 "the next writer does");
    } else {
        p->how = RECOVER_REBUILD;
        snprintf(p->text, size,
                 "makes the file anew, with the %" PRIu64 " commit%s that can be read "
                 "over what it is now; " KEPT,
                 v->commits, v->commits == 1 ? "" : "s", v->path, v->path);
    }
}

static void plan_discard(const struct verdict *v, struct recover_plan *p)
{
    const struct journal *j = &v->journal;
    bool read = v->has != JOURNAL_UNREADABLE, fits = read && !v->foreign;
    uint64_t size = (uint64_t)v->main_st.st_size;

    if (fits && j->may_be_copied) {
        p->how = RECOVER_CANNOT;
        snprintf(
            p->text, sizeof(p->text),
            "some of the journal may have been copied into the file already, which "
            "without it is neither old nor new (--apply goes on with it)");
    } else if (fits && j->header.number == 0 && size > j->header.size) {
        p->how = RECOVER_CUT_BACK;
        snprintf(p->text, sizeof(p->text),
                 "makes the file anew, as it was before the %" PRIu64
                 " commit%s; " KEPT,
                 v->commits, v->commits == 1 ? "" : "s", v->path, v->path);
    } else {
        p->how = RECOVER_SET_ASIDE;
        snprintf(p->text, sizeof(p->text),
                 "leaves the file as it is and renames the journal to "
                 "%s" JOURNAL_DISCARDED_SUFFIX,
                 v->path);
    }
}

void recover_plan(const struct verdict *v, enum recover_action action,
                  struct recover_plan *p)
{
    if (v->has == JOURNAL_NONE && v->sides[SIDE_NEW]) {
        p->how = RECOVER_LEFTOVER;
        snprintf(p->text, sizeof(p->text),
                 "removes %s" JOURNAL_NEW_SUFFIX
                 ", which a program that was stopped was making",
                 v->path);
    } else if (v->has == JOURNAL_NONE) {
        p->how = RECOVER_NOTHING;
        snprintf(p->text, sizeof(p->text), "does nothing: there is no journal");
    } else if ((v->has == JOURNAL_EMPTY || v->has == JOURNAL_OVER) && !v->foreign) {
        p->how = RECOVER_TIDY;
        snprintf(p->text, sizeof(p->text),
                 "removes the journal, in which nothing is committed%s, as the next "
                 "writer does",
                 v->file_tail > 0 ? ", and what was added to the file with it" : "");
    } else if (action == RECOVER_APPLY) {
        plan_apply(v, p);
    } else {
        plan_discard(v, p);
    }
}
