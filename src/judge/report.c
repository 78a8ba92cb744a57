#include "judge/report.h"

#include <stddef.h>
#include <string.h>

/* Texts lie behind the fixed part, where `bytes` of the record begins. */
_Static_assert(offsetof(struct report, bytes) == sizeof(struct record), "texts follow the record");

/* Room that every later text finds, whatever the earlier ones took; names of watch and rule and its reason come last. */
enum { COMM_MAX = 64, RULE_TEXTS_MAX = 3 * NAME_MAX_LEN + 1024 + 16 };
_Static_assert(2 * RECORD_NAME_MAX + COMM_MAX + UNIT_MAX + RECORD_ANCESTORS_MAX * RECORD_ANCESTOR_MAX + RULE_TEXTS_MAX <
                   sizeof(((struct report *)0)->bytes),
               "everything fits at its longest");

static struct record_text put(struct report *r, const char *text, size_t len)
{
    return record_put(&r->record, sizeof *r, text, len);
}

static void put_program(struct report *r, const struct subjects *subjects, struct inquiry *q)
{
    struct record *rec = &r->record;
    char path[PATH_MAX];
    ssize_t n = q->process ? process_program_path(q->process, path, sizeof path) : -1;
    if (n >= 0)
        rec->exe = put(r, path, (size_t)n);
    if (n < 0 || q->seen.failed & ATTR_EXE) {
        rec->flags |= FLAG_UNKNOWN; /* the name alone, as on a file system where nothing is looked up */
        return;
    }
    rec->exe_major = q->program.id.major;
    rec->exe_minor = q->program.id.minor;
    rec->exe_ino = q->program.id.ino;
    if (q->program.links == 0)
        rec->flags |= strncmp(path, "/memfd:", 7) == 0 ? FLAG_MEMFD : FLAG_DELETED;
    if (subject_is_impostor(subjects, q, path))
        rec->flags |= FLAG_IMPOSTOR;
}

static void put_identity(struct report *r, struct inquiry *q)
{
    struct record *rec = &r->record;
    char comm[COMM_MAX];
    rec->pid = q->creds.tgid;
    rec->uid = q->seen.fsuid;
    rec->ruid = q->seen.ruid;
    rec->gid = q->seen.gid;
    rec->egid = q->seen.egid;
    if (q->seen.failed & ATTR_CREDS) /* unknown is not root */
        rec->uid = rec->ruid = rec->gid = rec->egid = UINT32_MAX;
    rec->loginuid = q->seen.failed & ATTR_LOGINUID ? UINT32_MAX : q->seen.loginuid;
    if (!q->process)
        return;
    rec->comm = put(r, comm, process_comm(q->process, comm, sizeof comm));
    if (!(q->seen.failed & ATTR_UNIT))
        rec->unit = put(r, q->unit, strlen(q->unit));
    if (process_is_foreign(q->process))
        rec->flags |= FLAG_FOREIGN;
    if (q->seen.known & ATTR_CODE && !(q->seen.failed & ATTR_CODE) && !q->seen.intact)
        rec->flags |= FLAG_FOREIGN_CODE;
    struct proc_status status;
    if (process_status(q->process, &status) && status.tracer != 0)
        rec->flags |= FLAG_TRACED;
}

static bool put_ancestor(void *ctx, int32_t pid, const struct process *p)
{
    struct report *r = ctx;
    struct record *rec = &r->record;
    char path[PATH_MAX];
    ssize_t n = p ? process_program_path(p, path, sizeof path) : -1;
    bool seen = n >= 0;
    if (n < 0)
        n = 0;
    if (n > RECORD_ANCESTOR_MAX) {
        n = RECORD_ANCESTOR_MAX;
        rec->cut |= CUT_ANCESTORS;
    }
    rec->ancestors[rec->n_ancestors].pid = pid;
    rec->ancestors[rec->n_ancestors++].exe = put(r, path, (size_t)n);
    return seen;
}

void report_gather(struct report *r, struct subjects *subjects, struct inquiry *q, const struct object_finder *finder,
                   struct thing *thing)
{
    record_begin(&r->record, RECORD_ACCESS, finder->policy);
    subject_gather(subjects, q, ATTR_CREDS | ATTR_EXE | ATTR_LOGINUID | ATTR_UNIT);
    subject_reach(subjects, q);
    put_program(r, subjects, q);
    put_identity(r, q);
    if (q->process)
        subject_ancestors(subjects, q, RECORD_ANCESTORS_MAX, put_ancestor, r);

    struct record *rec = &r->record;
    char path[RECORD_NAME_MAX];
    rec->object_major = thing->id.major;
    rec->object_minor = thing->id.minor;
    rec->object_ino = thing->id.ino;
    rec->path = put(r, path, object_display_name(finder, thing, path, sizeof path));
}
