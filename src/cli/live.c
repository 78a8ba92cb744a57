#include "cli/live.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/lookup.h"
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

static void free_lookup(struct lookup **l)
{
    lookup_free(*l);
}

static ssize_t path_of(const void *process, char *out, size_t size)
{
    return process_program_path(process, out, size);
}

/* The program of `process`: its name into `name`, what it is into `set`; `known` says whether that is to be known where it
 * lies. False if the program cannot be seen. */
static bool program_of(struct programs *t, const struct process *process, struct program_set *set, char name[PATH_MAX],
                       bool *known)
{
    struct program program;
    if (process_program(process, &program) < 0 || process_program_path(process, name, PATH_MAX) < 0)
        return false;
    *known = programs_of(t, &program, path_of, process, set);
    return true;
}

static void add_parents(struct programs *t, int32_t pid, struct portrait *w)
{
    w->subject.parent = NULL;
    while (pid > 0 && w->n_ancestors < PORTRAIT_ANCESTORS) {
        CLEAN_PROCESS struct process p = {.proc = -1};
        struct creds creds;
        struct program_set set = {0};
        bool known;
        if (process_open(&p, pid) < 0 || process_creds(&p, &creds) < 0) {
            w->subject.failed |= w->n_ancestors ? ATTR_LINEAGE : ATTR_LINEAGE | ATTR_PARENT;
            return;
        }
        program_of(t, &p, &set, w->ancestors[w->n_ancestors], &known);
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

static int is_missing(int32_t pid, int error)
{
    if (error == ENOENT && kill(pid, 0) < 0 && errno == ESRCH)
        error = ESRCH;
    if (error == ESRCH) {
        fprintf(stderr, "fileward: --pid: there is no process %d\n", pid);
        return EXIT_FAILED;
    }
    if (error == ENOENT || error == EACCES || error == EPERM) { /* hidepid answers with any of them */
        fprintf(stderr, "fileward: --pid: /proc does not show process %d to you: use root\n", pid);
        return EXIT_NOT_PERMITTED;
    }
    fprintf(stderr, "fileward: --pid: process %d: %s\n", pid, strerror(error));
    return EXIT_FAILED;
}

static int is_hidden(int32_t pid, int error)
{
    fprintf(stderr, "fileward: --pid: cannot see what process %d runs: ", pid);
    if (error == ENOENT) {
        fputs("it has no program: it is a thread of the kernel, or has ended\n", stderr);
        return EXIT_FAILED;
    }
    if (error != EACCES && error != EPERM) {
        fprintf(stderr, "%s\n", strerror(error));
        return EXIT_FAILED;
    }
    fputs(geteuid() == 0 ? "root needs CAP_SYS_PTRACE for that, in the user namespace of the process; or the kernel "
                           "hides it (a security module does so)\n"
                         : "use root (it takes CAP_SYS_PTRACE)\n",
          stderr);
    return EXIT_NOT_PERMITTED;
}

int portrait_process(const struct policy *p, int32_t pid, struct portrait *w)
{
    CLEAN_PROCESS struct process process = {.proc = -1};
    __attribute__((cleanup(free_lookup))) struct lookup *names = lookup_create();
    __attribute__((cleanup(free_programs))) struct programs *programs = names ? programs_create(p, names, NULL) : NULL;
    struct creds creds;
    bool known;
    if (!programs || process_open(&process, pid) < 0 || process_creds(&process, &creds) < 0)
        return is_missing(pid, errno);
    if (!program_of(programs, &process, &w->exe_set, w->exe, &known))
        return is_hidden(pid, errno);
    struct subject *s = &w->subject;
    s->failed |= known ? 0u : ATTR_EXE;
    s->fsuid = creds.fsuid;
    s->ruid = creds.ruid;
    s->gid = creds.fsgid;
    s->rgid = creds.rgid;
    s->sgid = creds.sgid;
    s->egid = creds.egid;
    add_groups(&process, w);
    s->failed |= process_loginuid(&process, &s->loginuid) ? 0u : ATTR_LOGINUID;
    s->failed |= process_unit(&process, w->unit, NULL) ? 0u : ATTR_UNIT;
    add_parents(programs, creds.ppid, w);
    return 0;
}
