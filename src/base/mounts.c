#include "base/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/own.h"

/* Room for what a user may bring about (fusermount stops at 1,000 mounts) whatever the length of the names. Pages that
 * are not used cost nothing. */
enum { MOUNTS_MAX = 4096, NAME_BYTES = 8 << 20, LINE_BYTES = 256 << 10 };

struct mount {
    const char *point; /* without closing slash, "" for the root */
    size_t len;
    const char *type;
    uint32_t major, minor;
};

struct mounts {
    int table;
    bool known;                 /* false: the table could not be read, or has not enough room here */
    struct mount v[MOUNTS_MAX]; /* the refused ones, but for those that another mount covers */
    size_t n;
    char names[NAME_BYTES];
    size_t used;
    char line[LINE_BYTES];
    uint64_t sought;                     /* the number of a mount; 0: none */
    uint32_t sought_major, sought_minor; /* a device; 0:0: none */
    bool allowed;                        /* it is there, and of a kind that is not refused */
};

void mounts_unescape(char *s)
{
    char *out = s;
    while (*s) {
        bool octal =
            s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7';
        if (octal) {
            *out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
            s += 4;
        } else {
            *out++ = *s++;
        }
    }
    *out = '\0';
}

static const char *keep(struct mounts *m, const char *text, size_t len)
{
    if (len >= NAME_BYTES - m->used)
        return NULL;
    char *at = m->names + m->used;
    memcpy(at, text, len);
    at[len] = '\0';
    m->used += len + 1;
    return at;
}

/* What is mounted later on the same point covers what was there. */
static void uncover(struct mounts *m, const char *point, size_t len)
{
    for (size_t i = m->n; i-- > 0;)
        if (m->v[i].len == len && memcmp(m->v[i].point, point, len) == 0)
            m->v[i] = m->v[--m->n];
}

static const char *find(const struct mounts *m, const char *path, size_t len)
{
    for (size_t i = 0; i < m->n; i++) {
        const struct mount *v = &m->v[i];
        if (v->len <= len && memcmp(v->point, path, v->len) == 0 && (v->len == len || path[v->len] == '/'))
            return v->type;
    }
    return NULL;
}

/* The first layer of an overlay that lies on a refused file system, by the names in its options: that file system would
 * be asked behind the overlay's. Names that are relative to where it was mounted from tell nothing. */
static const char *refused_layer(const struct mounts *m, char *options)
{
    static const char *const keys[] = {"lowerdir=", "lowerdir+=", "datadir+=", "upperdir="};
    for (char *option; (option = strsep(&options, ",\n"));) {
        char *layers = NULL;
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            if (strncmp(option, keys[i], strlen(keys[i])) == 0)
                layers = option + strlen(keys[i]);
        for (char *layer; (layer = strsep(&layers, ":"));) {
            mounts_unescape(layer);
            const char *type = layer[0] == '/' ? find(m, layer, strlen(layer)) : NULL;
            if (type)
                return type;
        }
    }
    return NULL;
}

/* Fields: id, parent, device, root, mount point, options, optional fields ..., "-", type, source, options. */
static bool take_line(struct mounts *m, char *line)
{
    char *field[5] = {NULL}, *rest = line, *end;
    for (int i = 0; i < 5; i++)
        field[i] = strsep(&rest, " ");
    char *type = rest ? strstr(rest, " - ") : NULL;
    if (!field[4] || !type)
        return false;
    unsigned long major = strtoul(field[2], &end, 10), minor = *end == ':' ? strtoul(end + 1, NULL, 10) : 0;
    rest = type + 3;
    type = strsep(&rest, " ");
    strsep(&rest, " ");
    char *point = field[4];
    mounts_unescape(point);
    size_t len = strcmp(point, "/") == 0 ? 0 : strlen(point);
    uncover(m, point, len);
    if (strcmp(type, "overlay") == 0 && rest) {
        const char *layer = refused_layer(m, rest);
        type = layer ? (char *)layer : type;
    }
    if (!mounts_refusal(type)) {
        m->allowed |= m->sought && strtoull(field[0], NULL, 10) == m->sought;
        m->allowed |= (m->sought_major || m->sought_minor) && major == m->sought_major && minor == m->sought_minor;
        return true;
    }
    const char *kept = keep(m, point, len), *kept_type = keep(m, type, strlen(type));
    if (!kept || !kept_type || m->n == MOUNTS_MAX)
        return false;
    m->v[m->n++] = (struct mount){kept, len, kept_type, (uint32_t)major, (uint32_t)minor};
    return true;
}

/* Takes whole lines out of the buffer; returns how many bytes are left at its beginning. What is longer than the buffer
 * (an overlay of very many layers) is cut, as if it ended there. */
static size_t take_lines(struct mounts *m, size_t bytes, bool *whole, bool *cut)
{
    char *at = m->line, *end;
    m->line[bytes] = '\0';
    while ((end = memchr(at, '\n', bytes - (size_t)(at - m->line)))) {
        *end = '\0';
        *whole &= *cut || take_line(m, at);
        *cut = false;
        at = end + 1;
    }
    size_t left = bytes - (size_t)(at - m->line);
    if (left == LINE_BYTES - 1) {
        *whole &= *cut || take_line(m, at);
        *cut = true;
        left = 0;
    }
    memmove(m->line, at, left);
    return left;
}

static bool read_table(struct mounts *m)
{
    bool whole = true, cut = false;
    size_t have = 0;
    ssize_t n = 0;
    m->n = m->used = 0;
    if (lseek(m->table, 0, SEEK_SET) < 0)
        return false;
    while ((n = read(m->table, m->line + have, LINE_BYTES - 1 - have)) > 0)
        have = take_lines(m, have + (size_t)n, &whole, &cut);
    return n == 0 && whole;
}

bool mounts_refresh(struct mounts *m)
{
    struct pollfd changed = {.fd = m->table, .events = POLLPRI};
    if (poll(&changed, 1, 0) != 0 || !m->known)
        m->known = read_table(m);
    return m->known;
}

struct mounts *mounts_create(const char *table)
{
    struct mounts *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->table = open(table, O_RDONLY | O_CLOEXEC);
    if (m->table >= 0 && (m->known = read_table(m)))
        return m;
    int why = errno;
    mounts_free(m);
    errno = why;
    return NULL;
}

void mounts_free(struct mounts *m)
{
    if (m && m->table >= 0)
        close(m->table);
    free(m);
}

const char *mounts_refused(const struct mounts *m, const char *path, size_t len)
{
    return m->known ? find(m, path, len) : "?";
}

bool mounts_refused_device(const struct mounts *m, uint32_t major, uint32_t minor)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->v[i].minor == minor && m->v[i].major == major)
            return true;
    return !m->known;
}

bool mounts_allow(struct mounts *m, uint64_t number)
{
    m->sought = number;
    m->allowed = false;
    m->known = read_table(m);
    m->sought = 0;
    return m->known && m->allowed;
}

bool mounts_allow_device(struct mounts *m, uint32_t major, uint32_t minor)
{
    m->sought_major = major;
    m->sought_minor = minor;
    m->allowed = false;
    m->known = read_table(m);
    m->sought_major = m->sought_minor = 0;
    return m->known && m->allowed && !mounts_refused_device(m, major, minor);
}

const char *mounts_refusal(const char *type)
{
    static const char *const remote[] = {"nfs", "nfs4",  "cifs", "smb3",     "smbfs",  "9p",   "ceph",
                                         "afs", "ncpfs", "coda", "orangefs", "lustre", "gfs2", "ocfs2"};
    static const char *const kernels[] = {"proc",    "sysfs",    "cgroup", "cgroup2",    "debugfs",
                                          "tracefs", "configfs", "bpf",    "securityfs", "efivarfs"};
    if (strcmp(type, "autofs") == 0)
        return "an automounter answers there: it would mount what fileward looks at";
    if (strncmp(type, "fuse", 4) == 0 && strcmp(type, "fusectl") != 0)
        return "a process serves it: it would be asked, and could keep every opener waiting";
    for (size_t i = 0; i < sizeof remote / sizeof remote[0]; i++) {
        if (strcmp(type, remote[i]) == 0)
            return "it is on the network: opens made elsewhere are not seen, and each event would open the file there";
    }
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
        if (strcmp(type, kernels[i]) == 0)
            return "it holds no files, but the kernel's own data";
    }
    return NULL;
}
