#include "scout/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fnv.h"
#include "base/handle.h"
#include "base/mounts.h"
#include "base/own.h"
#include "base/register.h"

#define KERNEL_AT_HANDLE_FID 0x200 /* linux/fcntl.h, 6.5: also where a handle cannot be opened again */

static uint64_t fold(uint64_t h, const void *bytes, size_t n)
{
    h = fnv(h, bytes, n);
    return h ^ h >> 32;
}

uint64_t handle_key(const int32_t fsid[2], const struct file_handle *h)
{
    uint64_t k = fold(FNV_BEGIN, fsid, 2 * sizeof *fsid);
    k = fold(k, &h->handle_type, sizeof h->handle_type);
    k = fold(k, h->f_handle, h->handle_bytes);
    return k ? k : 1;
}

static bool fsid_of_fd(int fd, int32_t fsid[2])
{
    struct statfs st;
    if (fstatfs(fd, &st) < 0)
        return false;
    _Static_assert(sizeof st.f_fsid == 2 * sizeof *fsid, "two words");
    memcpy(fsid, &st.f_fsid, sizeof st.f_fsid);
    return true;
}

static bool same(const int32_t a[2], const int32_t b[2])
{
    return a[0] == b[0] && a[1] == b[1];
}

void handle_of_fd(int fd, struct reg_handle *out)
{
    union any_handle u;
    int mount;
    *out = (struct reg_handle){0};
    if (!fsid_of_fd(fd, out->fsid))
        return;
    u.h.handle_bytes = MAX_HANDLE_SZ;
    bool opens = name_to_handle_at(fd, "", &u.h, &mount, AT_EMPTY_PATH) == 0;
    if (!opens) { /* only to know it again: to open it would always say that it is gone */
        u.h.handle_bytes = MAX_HANDLE_SZ;
        if (name_to_handle_at(fd, "", &u.h, &mount, AT_EMPTY_PATH | KERNEL_AT_HANDLE_FID) < 0)
            return;
    }
    out->key = handle_key(out->fsid, &u.h);
    if (!opens || u.h.handle_bytes > sizeof out->data)
        return;
    out->bytes = u.h.handle_bytes;
    out->type = u.h.handle_type;
    memcpy(out->data, u.h.f_handle, u.h.handle_bytes);
}

/* --- reaching them ---------------------------------------------------------------------------------------------- */

void reach_init(struct reach *r, struct mounts *mounts)
{
    *r =
        (struct reach){.mounts = mounts, .fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC), .open_fd = -1};
}

void reach_free(struct reach *r)
{
    reach_let_go(r);
    own_close(&r->fds);
    for (size_t i = 0; i < sizeof r->row / sizeof *r->row; i++)
        free(r->row[i].path);
}

static struct reach_row *find(struct reach *r, const int32_t fsid[2])
{
    for (size_t i = 0; i < sizeof r->row / sizeof *r->row; i++)
        if (r->row[i].path && same(r->row[i].fsid, fsid))
            return &r->row[i];
    return NULL;
}

void reach_learn(struct reach *r, const int32_t fsid[2], const char *path)
{
    if (find(r, fsid))
        return;
    struct reach_row *row = &r->row[r->next++ % (sizeof r->row / sizeof *r->row)];
    free(row->path);
    row->path = strdup(path);
    memcpy(row->fsid, fsid, sizeof row->fsid);
}

/* The name may lead elsewhere by now: then it is forgotten. */
static bool open_row(struct reach *r, const int32_t fsid[2])
{
    int32_t found[2];
    if (r->open_fd >= 0 && same(r->open_fsid, fsid))
        return true;
    reach_let_go(r);
    struct reach_row *row = find(r, fsid);
    if (!row || !mounts_refresh(r->mounts) || mounts_refused(r->mounts, row->path, strlen(row->path)))
        return false;
    CLEAN_FD int fd = open(row->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && (errno == EPERM || errno == EBUSY)) /* a rescue answers: it is still there */
        return false;
    if (fd < 0 || !fsid_of_fd(fd, found) || !same(found, fsid)) {
        free(row->path);
        row->path = NULL;
        return false;
    }
    r->open_fd = STEAL_FD(fd);
    memcpy(r->open_fsid, fsid, sizeof r->open_fsid);
    return true;
}

int reach_open(struct reach *r, const int32_t fsid[2], const struct file_handle *h)
{
    if (!open_row(r, fsid)) {
        errno = ENODEV;
        return -1;
    }
    return open_by_handle_at(r->open_fd, (struct file_handle *)(uintptr_t)h, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

int reach_open_kept(struct reach *r, const struct reg_handle *h)
{
    union any_handle u;
    if (h->bytes == 0 || h->bytes > sizeof h->data) {
        errno = EOPNOTSUPP;
        return -1;
    }
    u.h.handle_bytes = h->bytes;
    u.h.handle_type = h->type;
    memcpy(u.h.f_handle, h->data, h->bytes);
    return reach_open(r, h->fsid, &u.h);
}

void reach_let_go(struct reach *r)
{
    if (r->open_fd >= 0)
        close(r->open_fd);
    r->open_fd = -1;
}
