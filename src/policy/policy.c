#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/users.h"

static void patterns_free(struct patterns *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->v[i].text);
    free(list->v);
}

static void rule_free(struct rule *r)
{
    for (size_t i = 0; i < r->unit.n; i++)
        free(r->unit.v[i]);
    free(r->unit.v);
    free(r->name);
    free(r->reason);
    free(r->exe.v);
    free(r->parent.v);
    free(r->ancestor.v);
    free(r->exe_sha256.v);
    free(r->uid.v);
    free(r->gid.v);
    free(r->egid.v);
    free(r->loginuid.v);
    patterns_free(&r->path);
}

void policy_drop_last_rule(struct policy *p)
{
    rule_free(&p->rules[--p->n_rules]);
}

void policy_free(struct policy *p)
{
    if (!p)
        return;
    while (p->n_rules > 0)
        policy_drop_last_rule(p);
    for (int i = 0; i < p->n_watches; i++) {
        free(p->watches[i].name);
        patterns_free(&p->watches[i].path);
        patterns_free(&p->watches[i].exclude);
    }
    struct patterns programs = {p->programs, p->n_programs};
    patterns_free(&programs);
    for (size_t i = 0; i < p->n_sets; i++)
        free(p->sets[i].name);
    for (size_t i = 0; i < p->n_files; i++)
        free(p->files[i]);
    homes_free(p->homes, p->n_homes);
    free(p->rules);
    free(p->watches);
    free(p->sets);
    free(p->files);
    free(p->file_sizes);
    free(p->settings.listen);
    free(p->settings.socket);
    free(p->settings.log_file);
    free(p->settings.user);
    free(p);
}

const char *op_name(enum op op)
{
    static const char *const names[] = {"read", "write", "exec", "list", "any"};
    return names[op];
}

const char *action_name(enum action a)
{
    return a == ACTION_ALLOW ? "allow" : "deny";
}

const char *mode_name(enum mode m)
{
    static const char *const names[] = {"unset", "audit", "enforce"};
    return names[m];
}

const char *guard_name(enum guard g)
{
    static const char *const names[] = {"open", "open+read", "open+write"};
    return names[g];
}

const char *coverage_name(enum coverage c)
{
    return c == COVERAGE_INODE ? "inode" : "filesystem";
}

const char *log_name(enum log_level l)
{
    static const char *const names[] = {"none", "deny", "all"};
    return names[l];
}

const char *condition_name(enum condition c)
{
    static const char *const names[COND_COUNT] = {
        [COND_EXPIRES] = "expires", [COND_OBJECT] = "object",     [COND_UID] = "uid",
        [COND_EGID] = "egid",       [COND_EXE] = "exe",           [COND_GID] = "gid",
        [COND_PATH] = "path",       [COND_LOGINUID] = "loginuid", [COND_UNIT] = "unit",
        [COND_PARENT] = "parent",   [COND_ANCESTOR] = "ancestor", [COND_EXE_SHA256] = "exe_sha256",
        [COND_TRUST] = "trust",     [COND_CODE] = "code",
    };
    return names[c];
}

const char *rule_name(const struct policy *p, int watch, int rule)
{
    static char name[NAME_MAX_LEN + sizeof "/default"];
    if (rule != RULE_DEFAULT)
        return p->rules[rule].name;
    snprintf(name, sizeof name, "%s/default", p->watches[watch].name);
    return name;
}
