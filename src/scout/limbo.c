#include "scout/limbo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/handle.h"
#include "base/register.h"

enum { MOST = 100000 }; /* who holds more has opened more files than the machine lets him */

struct lost_soul {
    int32_t fsid[2];
    union any_handle handle;
};

/* While it cannot be told, it lives. */
static bool lives(struct reach *reach, const int32_t fsid[2], const struct file_handle *h)
{
    int fd = reach_open(reach, fsid, h);
    if (fd >= 0)
        close(fd);
    return fd >= 0 || errno != ESTALE;
}

static struct lost_soul *room_for_one(struct limbo *l)
{
    if (l->n == l->room) {
        size_t room = l->room ? 2 * l->room : 64;
        struct lost_soul *more = room > 2 * MOST ? NULL : reallocarray(l->v, room, sizeof *more);
        if (!more)
            return NULL;
        l->v = more;
        l->room = room;
    }
    return &l->v[l->n++];
}

bool limbo_receive(struct limbo *l, struct reach *reach, const int32_t fsid[2], const struct file_handle *h)
{
    if (h->handle_bytes > MAX_HANDLE_SZ || !lives(reach, fsid, h))
        return false;
    struct lost_soul *s = room_for_one(l);
    if (!s)
        return false;
    memcpy(s->fsid, fsid, sizeof s->fsid);
    memcpy(s->handle.bytes, h, sizeof *h + h->handle_bytes);
    return true;
}

void limbo_keep(struct limbo *l, const struct reg_handle *h)
{
    struct lost_soul *s = h->bytes <= sizeof h->data ? room_for_one(l) : NULL;
    if (!s)
        return;
    memcpy(s->fsid, h->fsid, sizeof s->fsid);
    s->handle.h.handle_bytes = h->bytes;
    s->handle.h.handle_type = h->type;
    memcpy(s->handle.h.f_handle, h->data, h->bytes);
}

bool limbo_keep_unknown(struct limbo *l)
{
    if (l->unknown == MOST)
        return false;
    l->unknown++;
    return true;
}

void limbo_look(struct limbo *l, struct reach *reach, limbo_gone *gone, void *ctx)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (lives(reach, l->v[i].fsid, &l->v[i].handle.h))
            l->v[kept++] = l->v[i];
        else
            gone(ctx, l->v[i].fsid, &l->v[i].handle.h);
    }
    l->n = kept;
    reach_let_go(reach);
}

void limbo_free(struct limbo *l)
{
    free(l->v);
    *l = (struct limbo){0};
}
