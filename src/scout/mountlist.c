#include "scout/mountlist.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/kernel.h"
#include "base/lookup.h"
#include "base/mounts.h"
#include "base/own.h"

struct row {
    unsigned long id; /* the lowest that is free: the next mount has the last one's */
    char *point;
    char *what;      /* device and root */
    uint64_t unique; /* no other mount's, ever; 0: the kernel does not tell, or nobody asked */
};

struct rows {
    struct row *v;
    size_t n, room;
};

struct mountlist {
    FILE *table;
    struct lookup *names;
    mountlist_wanted *wanted;
    void *ctx;
    struct rows rows; /* sorted */
};

static void forget(struct rows *r)
{
    for (size_t i = 0; i < r->n; i++) {
        free(r->v[i].point);
        free(r->v[i].what);
    }
    free(r->v);
    *r = (struct rows){0};
}

static int by_id(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return x->id != y->id ? (x->id < y->id ? -1 : 1) : strcmp(x->point, y->point);
}

static bool keep(struct rows *r, const struct row *row)
{
    if (r->n == r->room) {
        size_t room = r->room ? 2 * r->room : 64;
        struct row *more = reallocarray(r->v, room, sizeof *more);
        if (!more)
            return false;
        r->v = more;
        r->room = room;
    }
    r->v[r->n++] = *row;
    return true;
}

/* Fields: id, parent, device, root, mount point ... */
static bool take_line(struct rows *r, const char *line)
{
    int what = 0, what_end = 0, at = 0, end = 0;
    unsigned long id;
    if (sscanf(line, "%lu %*s %n%*s %*s%n %n%*s%n", &id, &what, &what_end, &at, &end) != 1 || end <= at)
        return true;
    struct row row = {.id = id,
                      .point = strndup(line + at, (size_t)(end - at)),
                      .what = strndup(line + what, (size_t)(what_end - what))};
    if (row.point)
        mounts_unescape(row.point);
    if (row.point && row.what && keep(r, &row))
        return true;
    free(row.point);
    free(row.what);
    return false;
}

/* What is mounted there, as an O_PATH descriptor that stays lookup's; -1: nothing that can be told. */
static int look(const struct mountlist *l, const char *point, uint64_t *unique)
{
    struct statx st;
    *unique = 0;
    int fd = l->wanted(l->ctx, point) ? lookup_directory(l->names, point, &st) : -1;
    if (fd >= 0 && statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, KERNEL_STATX_MNT_ID_UNIQUE, &st) == 0 &&
        st.stx_mask & KERNEL_STATX_MNT_ID_UNIQUE)
        *unique = st.stx_mnt_id;
    return fd;
}

static bool read_table(const struct mountlist *l, struct rows *r)
{
    CLEAN_FREE char *line = NULL;
    size_t room = 0;
    rewind(l->table);
    while (getline(&line, &room, l->table) > 0)
        if (!take_line(r, line))
            return false;
    if (ferror(l->table))
        return false;
    if (r->n)
        qsort(r->v, r->n, sizeof *r->v, by_id);
    for (size_t i = 0; i < r->n; i++)
        look(l, r->v[i].point, &r->v[i].unique);
    lookup_rest(l->names);
    return true;
}

struct mountlist *mountlist_create(const char *table, mountlist_wanted *wanted, void *ctx)
{
    struct mountlist *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->wanted = wanted;
    l->ctx = ctx;
    if ((l->table = fopen(table, "re")) && (l->names = lookup_create()) && read_table(l, &l->rows))
        return l;
    mountlist_free(l);
    return NULL;
}

void mountlist_free(struct mountlist *l)
{
    if (!l)
        return;
    if (l->table)
        fclose(l->table);
    lookup_free(l->names);
    forget(&l->rows);
    free(l);
}

int mountlist_fd(const struct mountlist *l)
{
    return fileno(l->table);
}

/* The same mount as before, by all that the table says of it. */
static void compare(struct mountlist *l, const struct row *was, const struct row *now, mountlist_each *each)
{
    uint64_t unique = 0;
    if (was->unique != now->unique || strcmp(was->what, now->what) != 0) {
        each(l->ctx, now->point, -1);
    } else if (now->unique == 0 && l->wanted(l->ctx, now->point)) {
        int fd = look(l, now->point, &unique);
        if (fd >= 0 || !lookup_refused(l->names, now->point, strlen(now->point)))
            each(l->ctx, now->point, fd);
    }
}

int mountlist_update(struct mountlist *l, mountlist_each *each)
{
    struct rows now = {0}, *was = &l->rows;
    if (!read_table(l, &now)) {
        forget(&now);
        return -1;
    }
    size_t i = 0, k = 0;
    while (i < was->n || k < now.n) {
        int order = i == was->n ? 1 : k == now.n ? -1 : by_id(&was->v[i], &now.v[k]);
        if (order == 0)
            compare(l, &was->v[i], &now.v[k], each);
        else
            each(l->ctx, order < 0 ? was->v[i].point : now.v[k].point, -1);
        i += order <= 0;
        k += order >= 0;
    }
    lookup_rest(l->names);
    forget(was);
    *was = now;
    return 0;
}
