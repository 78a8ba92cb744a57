#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "cli/client.h"
#include "cli/content.h"
#include "cli/coverage.h"
#include "selftest/selftest.h"

static bool setting(const char *file, char *out, size_t size)
{
    CLEAN_FD int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);
    if (n < 0)
        return false;
    out[n] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return true;
}

static void add(struct report *r, const char *name, const char *found, const char *weakens)
{
    if (r->n_features == FEATURES_MAX)
        return;
    struct feature *f = &r->features[r->n_features++];
    snprintf(f->name, sizeof f->name, "%s", name);
    snprintf(f->found, sizeof f->found, "%s", found);
    snprintf(f->weakens, sizeof f->weakens, "%s", weakens);
}

/* Whether `try` succeeds as the unprivileged user. */
static bool user_can(const struct plan *p, bool (*try)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        const struct arena a = {.uid = p->uid};
        _exit(become_owner(&a) && try() ? 0 : 1);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool make_ring(void)
{
    char params[120] = {0}; /* struct io_uring_params */
    return syscall(SYS_io_uring_setup, 1, params) >= 0;
}

void features_find(const struct plan *p, struct report *r)
{
    char scope[16], pattern[48];
    bool yama = setting("/proc/sys/kernel/yama/ptrace_scope", scope, sizeof scope);
    bool tight = yama && (scope[0] == '2' || scope[0] == '3');
    add(r, "ptrace_scope (Yama)", yama ? scope : "missing",
        tight ? "" : "a user's programs may put code into each other: exe alone does not stop that user");
    bool namespaces = user_can(p, own_namespaces);
    add(r, "user namespaces", namespaces ? "on" : "off",
        namespaces ? "a user can forge the exe link of his processes: exe alone does not stop that user" : "");
    bool ring = user_can(p, make_ring);
    add(r, "io_uring", ring ? "on" : "off",
        ring ? "where the rules tell read from write, an open through it counts as a write" : "");
    if (setting("/proc/sys/kernel/core_pattern", pattern, sizeof pattern))
        add(r, "core_pattern", pattern,
            pattern[0] == '|' ? "" : "core dumps are files: what a program had read can lie in one outside of a watch");
}

void features_of_daemon(const struct plan *p, struct report *r)
{
    char socket[128];
    struct reply reply = {0};
    snprintf(socket, sizeof socket, "%s/run/fileward.sock", p->top);
    if (client_get(socket, "/status", &reply) < 0)
        return;
    json_t *status = json_loadb(reply.body, reply.len, 0, NULL);
    const json_t *features = json_object_get(status, "features");
    const char *name;
    json_t *has, *words;
    size_t i;
    json_object_foreach((json_t *)features, name, has)
    {
        add(r, name, json_is_true(has) ? "there" : "missing", "");
    }
    json_array_foreach(json_object_get(status, "weaker"), i, words)
    {
        add(r, "this kernel", "older", json_string_value(words));
    }
    json_decref(status);
    free(reply.body);
}

/* What the clerk would say of our own code: the reader is the same program, with the same libraries. */
static bool is_intact(char *why, size_t size)
{
    static struct portrait w;
    struct rule rule = {.conditions = 1u << COND_CODE};
    struct watch watch = {.rules = 1};
    const struct policy p = {.watches = &watch, .n_watches = 1, .rules = &rule, .n_rules = 1};
    portrait_content(&p, getpid(), &w);
    snprintf(why, size, "code = intact is not tried: %.200s", w.code_why);
    return w.subject.intact;
}

bool features_allow(const struct plan *p, struct report *r)
{
    char why[240] = "guard = open+write is not tried: only from Linux 6.14 on does the kernel ask about writing";
    bool can = true;
    if (p->setting->closes == OPEN_GUARD)
        can = coverage_of_writing();
    else if (p->setting->closes == OPEN_CODE)
        can = is_intact(why, sizeof why);
    else
        return true;
    add(r, p->setting->words, can ? "there" : "missing", can ? "" : why);
    return can;
}
