#include "cli/lint.h"

#include <errno.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "clerk/packages.h"
#include "policy/findings.h"
#include "policy/glob.h"
#include "policy/needs.h"
#include "policy/trail.h"

/* --- rules that are never reached --- */

static bool ids_within(const struct ids *narrow, const struct ids *wide)
{
    if (narrow->owner && !wide->owner)
        return false;
    for (size_t i = 0; i < narrow->n; i++) {
        bool inside = false;
        for (size_t j = 0; j < wide->n; j++)
            inside |= wide->v[j].low <= narrow->v[i].low && narrow->v[i].high <= wide->v[j].high;
        if (!inside)
            return false;
    }
    return true;
}

/* Does whatever `narrow` names belong to what `wide` names, as far as their texts tell? */
static bool pattern_within(const struct pattern *narrow, const struct pattern *wide)
{
    const struct policy none = {0};
    const struct pattern plain = {.text = wide->text};
    if (narrow->home != wide->home)
        return false;
    return strcmp(narrow->text, wide->text) == 0 ||
           (glob_is_literal(narrow->text) && pattern_covers(&none, &plain, narrow->text));
}

static bool patterns_within(const struct patterns *narrow, const struct patterns *wide)
{
    for (size_t i = 0; i < narrow->n; i++) {
        bool inside = false;
        for (size_t j = 0; j < wide->n && !inside; j++)
            inside = pattern_within(&narrow->v[i], &wide->v[j]);
        if (!inside)
            return false;
    }
    return true;
}

static bool programs_within(const struct policy *p, const struct program_list *narrow, const struct program_list *wide)
{
    for (size_t i = 0; i < narrow->n; i++) {
        const char *text = p->programs[narrow->v[i]].text;
        bool inside = false;
        for (size_t j = 0; j < wide->n && !inside; j++)
            inside =
                narrow->v[i] == wide->v[j] || (glob_is_literal(text) && glob_match(p->programs[wide->v[j]].text, text));
        if (!inside)
            return false;
    }
    return true;
}

static bool units_within(const struct names *narrow, const struct names *wide)
{
    for (size_t i = 0; i < narrow->n; i++) {
        bool inside = false;
        for (size_t j = 0; j < wide->n; j++)
            inside |= strcmp(narrow->v[i], wide->v[j]) == 0;
        if (!inside)
            return false;
    }
    return true;
}

static bool hashes_within(const struct sha256_list *narrow, const struct sha256_list *wide)
{
    for (size_t i = 0; i < narrow->n; i++) {
        bool inside = false;
        for (size_t j = 0; j < wide->n; j++)
            inside |= memcmp(&narrow->v[i], &wide->v[j], sizeof *wide->v) == 0;
        if (!inside)
            return false;
    }
    return true;
}

/* Does condition `c` of `wide` hold whenever that of `narrow` does? Both rules have it. */
static bool condition_within(const struct policy *p, enum condition c, const struct rule *narrow,
                             const struct rule *wide)
{
    switch (c) {
    case COND_EXPIRES:
        return narrow->expires <= wide->expires;
    case COND_OBJECT:
        return true;
    case COND_UID:
        return ids_within(&narrow->uid, &wide->uid);
    case COND_GID:
        return ids_within(&narrow->gid, &wide->gid);
    case COND_EGID:
        return ids_within(&narrow->egid, &wide->egid);
    case COND_LOGINUID:
        return ids_within(&narrow->loginuid, &wide->loginuid);
    case COND_EXE:
        return programs_within(p, &narrow->exe, &wide->exe);
    case COND_PARENT:
        return programs_within(p, &narrow->parent, &wide->parent);
    case COND_ANCESTOR:
        return programs_within(p, &narrow->ancestor, &wide->ancestor);
    case COND_UNIT:
        return units_within(&narrow->unit, &wide->unit);
    case COND_PATH:
        return patterns_within(&narrow->path, &wide->path);
    case COND_EXE_SHA256:
        return hashes_within(&narrow->exe_sha256, &wide->exe_sha256);
    case COND_TRUST:
    case COND_CODE:
        return true;
    case COND_COUNT:
        break;
    }
    return false;
}

static bool rule_within(const struct policy *p, const struct rule *narrow, const struct rule *wide)
{
    if (wide->conditions & ~narrow->conditions)
        return false;
    for (unsigned c = 0; c < COND_COUNT; c++) {
        if ((wide->conditions >> c & 1) && !condition_within(p, (enum condition)c, narrow, wide))
            return false;
    }
    return true;
}

static void lint_shadowed(const struct policy *p, const struct watch *w, struct findings *f)
{
    for (int i = w->first_rule; i < w->first_rule + w->rules; i++) {
        const struct rule *r = &p->rules[i], *first = NULL;
        unsigned left = r->ops;
        for (int j = w->first_rule; j < i && left; j++) {
            if ((left & p->rules[j].ops) && rule_within(p, r, &p->rules[j])) {
                left &= ~p->rules[j].ops;
                first = first ? first : &p->rules[j];
            }
        }
        if (first && !left)
            findings_warning(f, r->at, "[rule %s] is never reached: %s (%s:%d) comes first and holds whenever it would",
                             r->name, first->name, first->at.file, first->at.line);
    }
}

static void lint_expired(const struct policy *p, int64_t now, struct findings *f)
{
    for (int i = 0; i < p->n_rules; i++) {
        const struct rule *r = &p->rules[i];
        if ((r->conditions >> COND_EXPIRES & 1) && r->expires <= now)
            findings_warning(f, r->at, "[rule %s] is past its time and never matches again", r->name);
    }
}

/* --- programs --- */

/* One existing or missing program that the policy names as `as`. */
static void lint_program(const char *path, const struct pattern *as, struct findings *f)
{
    struct trail trail;
    struct stat st;
    trail_follow(path, false, NULL, &trail);
    if (trail.fd >= 0)
        close(trail.fd);
    if (trail.end == TRAIL_END_UNTRUSTED)
        findings_warning(f, as->at, "program `%s`: others than root can write %s, and so replace it", path, trail.bad);
    else if (trail.end == TRAIL_END_MISSING)
        findings_warning(f, as->at, "program `%s` does not exist", path);
    else if (trail.end == TRAIL_END_FAILED || stat(path, &st) < 0)
        findings_warning(f, as->at, "program `%s` cannot be looked at: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        findings_warning(f, as->at, "program `%s` is not a file; DIRECTORY/* means the programs in it", path);
    else if (st.st_uid != 0)
        findings_warning(f, as->at, "program `%s` belongs to uid %u, who can change it", path, st.st_uid);
    else if (st.st_mode & S_IWOTH)
        findings_warning(f, as->at, "program `%s` can be written by everyone", path);
    else if ((st.st_mode & S_IWGRP) && st.st_gid != 0)
        findings_warning(f, as->at, "program `%s` can be written by gid %u", path, st.st_gid);
}

static void lint_programs(const struct policy *p, struct findings *f)
{
    for (size_t i = 0; i < p->n_programs; i++) {
        const struct pattern *as = &p->programs[i];
        glob_t found = {0};
        if (glob_is_literal(as->text)) {
            lint_program(as->text, as, f);
            continue;
        }
        if (strstr(as->text, "**")) /* glob(3) does not know it */
            continue;
        if (glob(as->text, GLOB_NOSORT, NULL, &found) == GLOB_NOMATCH)
            findings_warning(f, as->at, "program `%s` matches nothing", as->text);
        for (size_t k = 0; k < found.gl_pathc; k++)
            lint_program(found.gl_pathv[k], as, f);
        globfree(&found);
    }
}

static const char *const interpreters[] = {
    "sh",    "bash", "dash",   "ash",   "zsh", "ksh",   "mksh",   "fish", "csh", "tcsh",  "busybox", "toybox",
    "env",   "perl", "python", "ruby",  "lua", "node",  "nodejs", "php",  "awk", "gawk",  "mawk",    "nawk",
    "tclsh", "wish", "expect", "guile", "gdb", "ld.so", "java",   "deno", "bun", "xargs", "find",
};

bool lint_is_interpreter(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "ld-musl", 7) == 0)
        return true;
    for (size_t i = 0; i < sizeof interpreters / sizeof interpreters[0]; i++) {
        size_t len = strlen(interpreters[i]);
        if (strncmp(name, interpreters[i], len) == 0 && name[len + strspn(name + len, "0123456789.-")] == '\0')
            return true;
    }
    return false;
}

/* An interpreter that the pattern names, written to `name`; false if there is none to be seen. */
static bool names_interpreter(const struct pattern *program, char name[PATH_MAX])
{
    static const char *const places[] = {"/usr/bin/", "/bin/"};
    if (glob_is_literal(program->text)) {
        snprintf(name, PATH_MAX, "%s", program->text);
        char real[PATH_MAX];
        return lint_is_interpreter(name) || (realpath(name, real) && lint_is_interpreter(real));
    }
    for (size_t i = 0; i < sizeof interpreters / sizeof interpreters[0]; i++) {
        for (size_t j = 0; j < 2; j++) {
            snprintf(name, PATH_MAX, "%s%s", places[j], interpreters[i]);
            if (glob_match(program->text, name))
                return true;
        }
    }
    return false;
}

static void lint_interpreters(const struct policy *p, struct findings *f)
{
    const unsigned narrow = 1u << COND_PATH | 1u << COND_UNIT | 1u << COND_EGID | 1u << COND_OBJECT;
    for (int i = 0; i < p->n_rules; i++) {
        const struct rule *r = &p->rules[i];
        if (r->action != ACTION_ALLOW || (r->conditions & narrow))
            continue;
        for (size_t k = 0; k < r->exe.n; k++) {
            char name[PATH_MAX];
            if (names_interpreter(&p->programs[r->exe.v[k]], name))
                findings_warning(f, r->at,
                                 "[rule %s] allows the interpreter %s, and so every script; narrow it with path, unit "
                                 "or egid",
                                 r->name, name);
        }
    }
}

/* What whoever asks can bring about: a login of one's own choice, or to be started by a program that is allowed. */
static void lint_chosen(const struct policy *p, struct findings *f)
{
    const unsigned firm = 1u << COND_UID | 1u << COND_UNIT | 1u << COND_EGID;
    for (int i = 0; i < p->n_rules; i++) {
        const struct rule *r = &p->rules[i];
        if (r->action != ACTION_ALLOW || (r->conditions & firm))
            continue;
        if (r->conditions >> COND_LOGINUID & 1)
            findings_warning(f, r->at,
                             "[rule %s] rests on loginuid, which a process without a login can choose itself; add uid, "
                             "unit or egid",
                             r->name);
        if (r->conditions & (1u << COND_PARENT | 1u << COND_ANCESTOR))
            findings_warning(f, r->at,
                             "[rule %s] rests on %s: whoever may start that program can be its child; add uid, unit or "
                             "egid",
                             r->name, r->conditions >> COND_PARENT & 1 ? "parent" : "ancestor");
    }
}

/* The clerk reads what it has to hash, one program after the other. */
static void lint_hashes(const struct policy *p, struct findings *f)
{
    for (int i = 0; i < p->n_rules; i++) {
        const struct rule *r = &p->rules[i];
        if ((r->conditions >> COND_EXE_SHA256 & 1) && !(r->conditions & (1u << COND_EXE | 1u << COND_TRUST)))
            findings_warning(
                f, r->at,
                "[rule %s] has exe_sha256 without exe: every program that asks is read whole, and who runs a "
                "large one keeps others waiting until on_timeout; add exe",
                r->name);
    }
}

void lint_packages(const struct policy *p, struct findings *notes)
{
    const struct rule *r = NULL;
    const char *why = "";
    for (int i = 0; i < p->n_rules && !r; i++)
        if (needs_of_rule(&p->rules[i]) & (ATTR_TRUST | ATTR_CODE))
            r = &p->rules[i];
    struct packages *packages = r ? packages_read("", NULL, NULL, &why) : NULL;
    if (r && !packages)
        findings_note(
            notes, r->at,
            "[rule %s] rests on installed packages, and no package database can be read here (%s): `trust` and "
            "`code` cannot be determined, so that allow rules with them never hold",
            r->name, why);
    packages_free(packages);
}

/* --- watched paths --- */

static bool lint_place(const char *path, const struct pattern *pattern, struct findings *f)
{
    struct stat st;
    if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    findings_warning(f, pattern->at,
                     "path `%s` is a single file: opens of its neighbours are asked about too, and who replaces it "
                     "is seen late; a directory of its own avoids both",
                     path);
    return true;
}

/* How many files the pattern matches below a glob. Warns when one of them is a single file. */
static size_t lint_matches(const struct pattern *pattern, const char *below, struct findings *f)
{
    glob_t found = {0};
    CLEAN_FREE char *text = NULL;
    if (asprintf(&text, "%s%s", below, pattern->text) < 0)
        return 0;
    glob(text, GLOB_NOSORT, NULL, &found);
    bool warned = false;
    for (size_t i = 0; i < found.gl_pathc && !warned; i++)
        warned = lint_place(found.gl_pathv[i], pattern, f);
    size_t n = found.gl_pathc;
    globfree(&found);
    return n;
}

static void lint_paths(const struct policy *p, const struct watch *w, struct findings *f)
{
    for (size_t i = 0; i < w->path.n; i++) {
        const struct pattern *pattern = &w->path.v[i];
        size_t n = 0;
        if (strstr(pattern->text, "**"))
            continue;
        for (size_t h = 0; pattern->home && h < p->n_homes; h++) {
            CLEAN_FREE char *home = glob_escape(p->homes[h].path, strlen(p->homes[h].path));
            n += home ? lint_matches(pattern, home, f) : 0;
        }
        if (!pattern->home)
            n = lint_matches(pattern, "", f);
        if (n == 0)
            findings_warning(f, pattern->at, "path `%s%s` does not exist yet", pattern->home ? "~" : "", pattern->text);
    }
}

static bool in_list(const struct pattern *one, const struct patterns *list)
{
    const struct patterns alone = {(struct pattern *)one, 1};
    return patterns_within(&alone, list);
}

static void lint_excludes(const struct policy *p, int watch, struct findings *f)
{
    const struct watch *w = &p->watches[watch];
    for (size_t i = 0; i < w->exclude.n; i++) {
        const struct pattern *e = &w->exclude.v[i];
        bool guarded = false;
        for (int v = 0; v < p->n_watches && !guarded; v++)
            guarded = v != watch && in_list(e, &p->watches[v].path);
        if (!guarded)
            findings_warning(f, e->at, "exclude `%s%s`: no other watch covers it, so nothing guards it",
                             e->home ? "~" : "", e->text);
    }
}

void lint(const struct policy *p, int64_t now, struct findings *warnings)
{
    for (int w = 0; w < p->n_watches; w++) {
        lint_paths(p, &p->watches[w], warnings);
        lint_excludes(p, w, warnings);
        lint_shadowed(p, &p->watches[w], warnings);
    }
    lint_expired(p, now, warnings);
    lint_programs(p, warnings);
    lint_interpreters(p, warnings);
    lint_chosen(p, warnings);
    lint_hashes(p, warnings);
    for (size_t i = 0; i < p->n_sets; i++) {
        if (!p->sets[i].used)
            findings_warning(warnings, p->sets[i].at, "[set %s] is never used", p->sets[i].name);
    }
    findings_sort(warnings, p->files, p->n_files);
}

void lint_costs(const struct policy *p, struct findings *notes)
{
    enum { DEAR_US = 8 };
    for (int w = 0; w < p->n_watches; w++) {
        for (int i = 0; i < NEEDS; i++) {
            const struct rule *r = needs[i].us < DEAR_US ? NULL : needs_first(p, &p->watches[w], needs[i].bit);
            if (r)
                findings_note(
                    notes, r->at,
                    "[rule %s] is the first of [watch %s] that asks for %s, about %d us for each open that no "
                    "rule before it decides",
                    r->name, p->watches[w].name, needs[i].words, needs[i].us);
        }
    }
    findings_sort(notes, p->files, p->n_files);
}
