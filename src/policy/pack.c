#include "policy/pack.h"

#include <stdalign.h>
#include <string.h>

struct room {
    char *at;
    size_t left;
    bool full;
};

/* `n` elements of `size` bytes; NULL for none, or when the room is full (then nothing of the copy is used). */
static void *copy(struct room *r, const void *from, size_t n, size_t size)
{
    size_t bytes = n * size, pad = -(uintptr_t)r->at % alignof(max_align_t);
    if (n == 0 || r->full)
        return NULL;
    if (pad + bytes > r->left) {
        r->full = true;
        return NULL;
    }
    char *to = r->at + pad;
    memcpy(to, from, bytes);
    r->at = to + bytes;
    r->left -= pad + bytes;
    return to;
}

#define COPY(r, pointer, n) ((pointer) = copy((r), (pointer), (n), sizeof *(pointer)))

static char *string(struct room *r, const char *s)
{
    return s ? copy(r, s, strlen(s) + 1, 1) : NULL;
}
#define COPY_STRING(r, s) ((s) = string((r), (s)))

/* Files are named by address: the same string in the copy. */
static void origin(const struct policy *old, const struct policy *new, struct origin *at)
{
    for (size_t i = 0; new->files &&i < old->n_files; i++)
        if (old->files[i] == at->file) {
            at->file = new->files[i];
            return;
        }
    at->file = "";
}

struct packing {
    struct room room;
    const struct policy *old;
    struct policy *new;
};

static void pack_patterns(struct packing *k, struct patterns *list)
{
    COPY(&k->room, list->v, list->n);
    for (size_t i = 0; list->v && i < list->n; i++) {
        COPY_STRING(&k->room, list->v[i].text);
        origin(k->old, k->new, &list->v[i].at);
    }
}

static void pack_names(struct room *r, struct names *list)
{
    COPY(r, list->v, list->n);
    for (size_t i = 0; list->v && i < list->n; i++)
        COPY_STRING(r, list->v[i]);
}

static void pack_watch(struct packing *k, struct watch *w)
{
    COPY_STRING(&k->room, w->name);
    origin(k->old, k->new, &w->at);
    pack_patterns(k, &w->path);
    pack_patterns(k, &w->exclude);
}

static void pack_rule(struct packing *k, struct rule *rule)
{
    struct room *r = &k->room;
    COPY_STRING(r, rule->name);
    COPY_STRING(r, rule->reason);
    origin(k->old, k->new, &rule->at);
    COPY(r, rule->exe.v, rule->exe.n);
    COPY(r, rule->parent.v, rule->parent.n);
    COPY(r, rule->ancestor.v, rule->ancestor.n);
    COPY(r, rule->uid.v, rule->uid.n);
    COPY(r, rule->gid.v, rule->gid.n);
    COPY(r, rule->egid.v, rule->egid.n);
    COPY(r, rule->loginuid.v, rule->loginuid.n);
    COPY(r, rule->exe_sha256.v, rule->exe_sha256.n);
    pack_names(r, &rule->unit);
    pack_patterns(k, &rule->path);
}

static void pack_settings(struct room *r, struct settings *s)
{
    COPY_STRING(r, s->listen);
    COPY_STRING(r, s->socket);
    COPY_STRING(r, s->log_file);
    COPY_STRING(r, s->user);
}

static void pack_programs(struct packing *k)
{
    struct patterns programs = {k->new->programs, k->new->n_programs};
    pack_patterns(k, &programs);
    k->new->programs = programs.v;
}

static void pack_homes(struct room *r, struct policy *p)
{
    COPY(r, p->homes, p->n_homes);
    for (size_t i = 0; p->homes && i < p->n_homes; i++)
        COPY_STRING(r, p->homes[i].path);
}

struct policy *policy_pack(const struct policy *p, void *room, size_t size)
{
    struct packing k = {.room = {.at = room, .left = size}, .old = p};
    struct policy *new = copy(&k.room, p, 1, sizeof *p);
    k.new = new;
    if (!new)
        return NULL;
    COPY(&k.room, new->files, p->n_files);
    for (size_t i = 0; new->files &&i < p->n_files; i++)
        COPY_STRING(&k.room, new->files[i]);
    COPY(&k.room, new->file_sizes, p->n_files);
    pack_settings(&k.room, &new->settings);
    pack_programs(&k);
    pack_homes(&k.room, new);
    new->sets = NULL; /* only for messages while it was read */
    new->n_sets = 0;
    COPY(&k.room, new->watches, (size_t)p->n_watches);
    for (int i = 0; new->watches &&i < p->n_watches; i++)
        pack_watch(&k, &new->watches[i]);
    COPY(&k.room, new->rules, (size_t)p->n_rules);
    for (int i = 0; new->rules &&i < p->n_rules; i++)
        pack_rule(&k, &new->rules[i]);
    return k.room.full ? NULL : new;
}
