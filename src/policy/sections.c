#include "policy/sections.h"

#include "base/own.h"
#include "policy/findings.h"
#include "policy/heap.h"
#include "policy/suggest.h"

static const char *const kinds[SECTION_KINDS] = {"fileward", "set", "watch", "rule"};

/* One file being added. */
struct adding {
    struct sections *sections;
    struct findings *findings;
    const char *file;
    bool temporary;
    bool in_section; /* some header came before */
    size_t current;  /* where pairs go; SIZE_MAX: nowhere, the header was bad */
};

const char *section_kind_name(enum section_kind k)
{
    return kinds[k];
}

static bool is_name(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                    c == '_' || c == '-';
        if (!good)
            return false;
    }
    return len > 0 && len <= NAME_MAX_LEN;
}

/* What is wrong with the name of a section of this kind, or NULL. */
static const char *name_fault(enum section_kind kind, const char *name)
{
    static const char rules_of_names[] = "a name has 1 to 64 letters, digits, `.`, `_` or `-`";
    size_t len = strlen(name);
    const char *slash = strchr(name, '/');
    if (kind == SECTION_FILEWARD)
        return len == 0 ? NULL : "[fileward] has no name";
    if (len == 0)
        return kind == SECTION_RULE ? "a rule needs a name: [rule WATCH/NAME]" : "the section needs a name";
    if (kind != SECTION_RULE)
        return is_name(name, len) ? NULL : rules_of_names;
    if (!slash)
        return "a rule names its watch: [rule WATCH/NAME]";
    if (!is_name(name, (size_t)(slash - name)) || !is_name(slash + 1, strlen(slash + 1)))
        return rules_of_names;
    if (strcmp(slash + 1, "default") == 0)
        return "the name `default` stands for the watch's own default; choose another";
    return NULL;
}

static size_t find(const struct sections *s, enum section_kind kind, const char *name)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->v[i].kind == kind && strcmp(s->v[i].name, name) == 0)
            return i;
    }
    return SIZE_MAX;
}

const struct section *sections_find(const struct sections *s, enum section_kind kind, const char *name)
{
    size_t i = find(s, kind, name);
    return i == SIZE_MAX ? NULL : &s->v[i];
}

/* The kind that "kind name" begins with; *name is what follows. SECTION_KINDS when there is no such kind. */
static enum section_kind kind_of(const char *header, const char **name)
{
    size_t len = strcspn(header, " \t");
    *name = header + len + strspn(header + len, " \t");
    for (unsigned k = 0; k < SECTION_KINDS; k++) {
        if (strlen(kinds[k]) == len && memcmp(kinds[k], header, len) == 0)
            return (enum section_kind)k;
    }
    return SECTION_KINDS;
}

static void report_unknown(struct adding *a, const char *header, struct origin at)
{
    CLEAN_FREE char *word = heap_copy(header, strcspn(header, " \t"));
    const char *near = suggest(word, kinds, SECTION_KINDS);
    if (near)
        findings_error(a->findings, at, "unknown section [%s]: did you mean [%s%s?", header, near,
                       strcmp(near, "fileward") == 0 ? "]" : " ...]");
    else
        findings_error(a->findings, at,
                       "unknown section [%s]; there are [fileward], [set NAME], [watch NAME] and [rule WATCH/NAME]",
                       header);
}

/* Goes on with a section that exists. */
static void go_on(struct adding *a, size_t i, struct origin at)
{
    struct section *s = &a->sections->v[i];
    const char *blank = s->name[0] ? " " : "";
    if (a->temporary)
        findings_error(a->findings, at, "[rule %s] exists already (%s:%d); a temporary rule needs a name of its own",
                       s->name, s->at.file, s->at.line);
    else if (s->last.file == a->file)
        findings_error(a->findings, at, "[%s%s%s] stands twice in this file, first on line %d", kinds[s->kind], blank,
                       s->name, s->last.line);
    s->last = at;
    a->current = i;
}

static void on_section(void *user, const char *header, int line)
{
    struct adding *a = user;
    struct origin at = {a->file, line};
    const char *name;
    a->in_section = true;
    a->current = SIZE_MAX;
    a->sections->headers++;
    if (!header)
        return;
    enum section_kind kind = kind_of(header, &name);
    const char *fault = kind == SECTION_KINDS ? NULL : name_fault(kind, name);
    if (kind == SECTION_KINDS) {
        report_unknown(a, header, at);
        return;
    }
    if (fault) {
        findings_error(a->findings, at, "[%s]: %s", header, fault);
        return;
    }
    if (a->temporary && kind != SECTION_RULE) {
        findings_error(a->findings, at, "[%s]: only rules can be temporary", header);
        return;
    }
    size_t i = find(a->sections, kind, name);
    if (i != SIZE_MAX) {
        go_on(a, i, at);
        return;
    }
    if (a->sections->n == SECTIONS_MAX) {
        findings_error(a->findings, at, "too many sections; a policy has at most %d", SECTIONS_MAX);
        return;
    }
    a->current = a->sections->n;
    *HEAP_APPEND(a->sections) =
        (struct section){.kind = kind, .name = heap_string(name), .at = at, .last = at, .temporary = a->temporary};
}

static void on_pair(void *user, const char *key, const char *value, int line)
{
    struct adding *a = user;
    struct origin at = {a->file, line};
    if (!a->in_section) {
        findings_error(a->findings, at, "`%s` stands before any [section]", key);
        return;
    }
    if (a->current == SIZE_MAX)
        return;
    struct section *s = &a->sections->v[a->current];
    *HEAP_APPEND(s) = (struct entry){heap_string(key), heap_string(value), at, a->sections->headers};
}

static void on_problem(void *user, int line, const char *message)
{
    struct adding *a = user;
    findings_error(a->findings, (struct origin){a->file, line}, "%s", message);
}

void sections_add(struct sections *s, const struct content *content, const char *file, bool temporary,
                  struct findings *f)
{
    struct adding a = {.sections = s, .findings = f, .file = file, .temporary = temporary, .current = SIZE_MAX};
    struct reader_handler h = {&a, on_section, on_pair, on_problem};
    reader_parse(content, &h);
}

void sections_free(struct sections *s)
{
    for (size_t i = 0; i < s->n; i++) {
        for (size_t j = 0; j < s->v[i].n; j++) {
            free(s->v[i].v[j].key);
            free(s->v[i].v[j].value);
        }
        free(s->v[i].v);
        free(s->v[i].name);
    }
    free(s->v);
    *s = (struct sections){0};
}
