#include "cli/content.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/own.h"
#include "clerk/lookups.h"
#include "policy/needs.h"

static unsigned needs_of(const struct policy *p)
{
    unsigned all = 0;
    for (int i = 0; i < p->n_watches; i++)
        all |= needs_of_watch(p, &p->watches[i]);
    return all;
}

/* Of a process everything is looked at anew, as the clerk does. */
static bool identify(int32_t pid, struct desk_question *q)
{
    struct process process;
    struct program program;
    if (process_open(&process, pid) < 0)
        return false;
    bool ok = process_program(&process, &program) == 0;
    process_close(&process);
    q->program = program.id;
    q->changed_ns = program.changed_ns;
    q->tid = pid;
    return ok;
}

static void look(struct lookups *l, int32_t pid, unsigned attribute, struct portrait *w)
{
    struct desk_answer a = {.to.wants = attribute, .failed = true};
    CLEAN_FD int program = pid ? -1 : open(w->exe, O_PATH | O_CLOEXEC);
    if (pid && identify(pid, &a.to))
        lookups_answer(l, &a);
    else if (program >= 0)
        lookups_answer_of(l, program, &a);
    w->subject.failed |= a.failed ? attribute : 0;
    if (attribute == ATTR_SHA256)
        w->subject.sha256 = a.sha256;
    if (attribute == ATTR_TRUST) {
        w->subject.packaged = a.packaged;
        snprintf(w->trust_why, sizeof w->trust_why, "%s", lookups_why(l));
    }
    if (attribute == ATTR_CODE) {
        w->subject.intact = a.intact;
        snprintf(w->code_why, sizeof w->code_why, "%s", lookups_why(l));
    }
}

void portrait_content(const struct policy *p, int32_t pid, struct portrait *w)
{
    unsigned wanted = needs_of(p) & (unsigned)ATTRS_OF_CLERK;
    struct lookups *l = wanted ? lookups_create(p, NULL, NULL) : NULL;
    if (wanted && !l)
        w->subject.failed |= wanted;
    if (!l)
        return;
    if (wanted & ATTR_CODE && !pid) {
        fputs("fileward: note: `code` is taken for intact: only of a process (--pid) can it be told\n", stderr);
        w->subject.intact = true;
        wanted &= ~(unsigned)ATTR_CODE;
    }
    lookups_look(l);
    lookups_read(l);
    for (; wanted; wanted &= wanted - 1)
        look(l, pid, wanted & -wanted, w);
    lookups_free(l);
}
