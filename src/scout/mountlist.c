#include "scout/mountlist.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mounts.h"
#include "base/own.h"

struct row {
    unsigned long id;
    char *point;
};

struct rows {
    struct row *v;
    size_t n, room;
};

struct mountlist {
    FILE *table;
    struct rows rows; /* sorted */
};

static void forget(struct rows *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->v[i].point);
    free(r->v);
    *r = (struct rows){0};
}

static int by_id(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return x->id != y->id ? (x->id < y->id ? -1 : 1) : strcmp(x->point, y->point);
}

/* Takes the point over. */
static bool keep(struct rows *r, unsigned long id, char *point)
{
    if (r->n == r->room) {
        size_t room = r->room ? 2 * r->room : 64;
        struct row *more = reallocarray(r->v, room, sizeof *more);
        if (!more)
            return false;
        r->v = more;
        r->room = room;
    }
    r->v[r->n++] = (struct row){id, point};
    return true;
}

/* Fields: id, parent, device, root, mount point ... */
static bool take_line(struct rows *r, const char *line)
{
    int at = 0, end = 0;
    unsigned long id;
    if (sscanf(line, "%lu %*s %*s %*s %n%*s%n", &id, &at, &end) != 1 || end <= at)
        return true;
    CLEAN_FREE char *point = strndup(line + at, (size_t)(end - at));
    if (!point)
        return false;
    mounts_unescape(point);
    if (!keep(r, id, point))
        return false;
    (void)STEAL_PTR(point);
    return true;
}

static bool read_table(FILE *table, struct rows *r)
{
    CLEAN_FREE char *line = NULL;
    size_t room = 0;
    rewind(table);
    while (getline(&line, &room, table) > 0)
        if (!take_line(r, line))
            return false;
    if (ferror(table))
        return false;
    if (r->n)
        qsort(r->v, r->n, sizeof *r->v, by_id);
    return true;
}

struct mountlist *mountlist_create(const char *table)
{
    CLEAN_FREE struct mountlist *l = calloc(1, sizeof *l);
    if (!l || !(l->table = fopen(table, "re")))
        return NULL;
    if (read_table(l->table, &l->rows))
        return STEAL_PTR(l);
    mountlist_free(STEAL_PTR(l));
    return NULL;
}

void mountlist_free(struct mountlist *l)
{
    if (!l)
        return;
    fclose(l->table);
    forget(&l->rows);
    free(l);
}

int mountlist_fd(const struct mountlist *l)
{
    return fileno(l->table);
}

int mountlist_update(struct mountlist *l, mountlist_each *each, void *ctx)
{
    struct rows now = {0}, *was = &l->rows;
    if (!read_table(l->table, &now)) {
        forget(&now);
        return -1;
    }
    size_t i = 0, k = 0;
    while (i < was->n || k < now.n) {
        int order = i == was->n ? 1 : k == now.n ? -1 : by_id(&was->v[i], &now.v[k]);
        if (order != 0)
            each(ctx, order < 0 ? was->v[i].point : now.v[k].point);
        i += order <= 0;
        k += order >= 0;
    }
    forget(was);
    *was = now;
    return 0;
}
