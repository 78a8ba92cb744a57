#include "cli/live.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/programs.h"
#include "cli/cli.h"

static void close_process(struct process *p)
{
    if (p->proc >= 0)
        process_close(p);
}
#define CLEAN_PROCESS __attribute__((cleanup(close_process)))

static void free_programs(struct programs **t)
{
    programs_free(*t);
}

static ssize_t path_of(const void *process, char *out, size_t size)
{
    return process_program_path(process, out, size);
}

/* The program of `process`: its name into `name`, what it is into `set`. False if it cannot be determined. */
static bool program_of(struct programs *t, const struct process *process, struct program_set *set, char name[PATH_MAX])
{
    struct program program;
    bool impostor;
    if (process_program(process, &program) < 0 || process_program_path(process, name, PATH_MAX) < 0)
        return false;
    programs_of(t, &program, path_of, process, set, &impostor);
    return true;
}

static void add_parents(struct programs *t, int32_t pid, struct portrait *w)
{
    w->subject.parent = NULL;
    while (pid > 0 && w->n_ancestors < PORTRAIT_ANCESTORS) {
        CLEAN_PROCESS struct process p = {.proc = -1};
        struct creds creds;
        struct program_set set = {0};
        if (process_open(&p, pid) < 0 || process_creds(&p, &creds) < 0) {
            w->subject.failed |= ATTR_LINEAGE;
            return;
        }
        program_of(t, &p, &set, w->ancestors[w->n_ancestors]);
        if (w->n_ancestors++ == 0) {
            w->parent_set = set;
            w->subject.parent = &w->parent_set;
            memcpy(w->parent, w->ancestors[0], sizeof w->parent);
        }
        for (int i = 0; i < PROGRAM_WORDS; i++)
            w->ancestor_set.bits[i] |= set.bits[i];
        pid = creds.ppid;
    }
}

static void add_groups(const struct process *p, struct portrait *w)
{
    struct proc_status status;
    if (!process_status(p, &status)) {
        w->subject.failed |= ATTR_GROUPS;
        return;
    }
    memcpy(w->groups, status.groups, status.n_groups * sizeof *status.groups);
    w->subject.n_groups = status.n_groups;
    if (status.more_groups)
        w->subject.failed |= ATTR_GROUPS;
}

int portrait_process(const struct policy *p, int32_t pid, struct portrait *w)
{
    CLEAN_PROCESS struct process process = {.proc = -1};
    __attribute__((cleanup(free_programs))) struct programs *programs = programs_create(p);
    struct creds creds;
    if (!programs || process_open(&process, pid) < 0 || process_creds(&process, &creds) < 0) {
        fprintf(stderr, "fileward: --pid: there is no process %d\n", pid);
        return EXIT_FAILED;
    }
    if (!program_of(programs, &process, &w->exe_set, w->exe)) {
        fprintf(stderr, "fileward: --pid: cannot see what process %d runs: %s\n", pid, strerror(errno));
        return errno == EACCES ? EXIT_NOT_PERMITTED : EXIT_FAILED;
    }
    struct subject *s = &w->subject;
    s->fsuid = creds.fsuid;
    s->ruid = creds.ruid;
    s->euid = creds.euid;
    s->gid = creds.fsgid;
    s->egid = creds.egid;
    add_groups(&process, w);
    s->failed |= process_loginuid(&process, &s->loginuid) ? 0u : ATTR_LOGINUID;
    s->failed |= process_unit(&process, w->unit) ? 0u : ATTR_UNIT;
    add_parents(programs, creds.ppid, w);
    return 0;
}
