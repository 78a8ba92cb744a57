#include "base/mounts.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"

/* Undoes the \ooo of the mount table, in place. */
static void unescape(char *s)
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

/* Fields: id, parent, device, root, mount point, options, optional fields ..., "-", type, source, options. */
static bool add(struct mounts *m, char *line)
{
    char *field = NULL, *rest = line;
    struct mount one = {NULL, NULL};
    for (int i = 0; i < 5; i++)
        field = strsep(&rest, " ");
    char *type = rest ? strstr(rest, " - ") : NULL;
    if (!field || !type)
        return true;
    type += 3;
    unescape(field);
    one.point = strdup(strcmp(field, "/") == 0 ? "" : field);
    one.type = strndup(type, strcspn(type, " \n"));
    struct mount *v = reallocarray(m->v, m->n + 1, sizeof *m->v);
    m->v = v ? v : m->v;
    if (!v || !one.point || !one.type) {
        free(one.point);
        free(one.type);
        return false;
    }
    m->v[m->n++] = one;
    return true;
}

bool mounts_read(struct mounts *out)
{
    *out = (struct mounts){NULL, 0};
    CLEAN_FILE FILE *file = fopen("/proc/self/mountinfo", "re");
    CLEAN_FREE char *line = NULL;
    size_t size = 0;
    bool ok = file != NULL;
    while (ok && getline(&line, &size, file) > 0)
        ok = add(out, line);
    if (!ok)
        mounts_free(out);
    return ok;
}

void mounts_free(struct mounts *m)
{
    for (size_t i = 0; i < m->n; i++) {
        free(m->v[i].point);
        free(m->v[i].type);
    }
    free(m->v);
    *m = (struct mounts){NULL, 0};
}

const char *mounts_type_at(const struct mounts *m, const char *path, size_t len)
{
    const struct mount *best = NULL;
    size_t best_len = 0;
    for (size_t i = 0; i < m->n; i++) { /* a later mount on the same point covers the earlier one */
        size_t n = strlen(m->v[i].point);
        bool above = n <= len && memcmp(m->v[i].point, path, n) == 0 && (n == len || path[n] == '/');
        if (above && n >= best_len) {
            best = &m->v[i];
            best_len = n;
        }
    }
    return best ? best->type : NULL;
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
