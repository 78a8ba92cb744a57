/* Other mounts, other mount trees. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "selftest/selftest.h"

/* sys/mount.h and linux/mount.h do not go together in older C libraries. */
int mount(const char *from, const char *to, const char *type, unsigned long flags, const void *data);
int umount2(const char *target, int flags);
enum { READ_ONLY = 1, BIND = 4096, DETACH = 2 };

static int then_open(const struct arena *a, bool made, const char *step, const char *opened)
{
    return made ? try_open(a, at(a, opened), O_RDONLY) : cannot(a, step);
}

static bool bound_before(struct arena *a)
{
    return mount(at(a, "g"), at(a, "out"), NULL, BIND, NULL) == 0;
}

static int bind_before(const struct arena *a)
{
    return try_open(a, at(a, "out/secret"), O_RDONLY);
}

static int bind_after(const struct arena *a)
{
    int seen = then_open(a, mount(at(a, "g"), at(a, "out"), NULL, BIND, NULL) == 0, "a bind mount", "out/secret");
    umount2(at(a, "out"), DETACH);
    return seen;
}

static int bind_file(const struct arena *a)
{
    if (!write_file(at(a, "out/file"), "", 0600))
        return cannot(a, "out/file");
    int seen =
        then_open(a, mount(at(a, "g/secret"), at(a, "out/file"), NULL, BIND, NULL) == 0, "a bind mount", "out/file");
    umount2(at(a, "out/file"), DETACH);
    return seen;
}

static int clone_tree(const struct arena *a, const char *what)
{
    return (int)syscall(SYS_open_tree, AT_FDCWD, at(a, what), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
}

static int cloned_tree(const struct arena *a)
{
    CLEAN_FD int tree = clone_tree(a, "g");
    return tree < 0 ? cannot(a, "open_tree") : got(a, openat(tree, "secret", O_RDONLY | O_CLOEXEC));
}

static int cloned_file(const struct arena *a)
{
    char name[40];
    CLEAN_FD int tree = clone_tree(a, "g/secret");
    snprintf(name, sizeof name, "/proc/self/fd/%d", tree);
    return tree < 0 ? cannot(a, "open_tree") : try_open(a, name, O_RDONLY);
}

/* A mount that shows other owners. */
static int idmapped(const struct arena *a)
{
    char name[40], map[] = "0 0 4294967294";
    int ends[2];
    if (pipe(ends) < 0)
        return cannot(a, "pipe");
    pid_t pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWUSER) == 0 && write(ends[1], "y", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    close(ends[1]);
    if (pid < 0 || read(ends[0], name, 1) != 1)
        return cannot(a, "a user namespace");
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "/proc/%d/%s", pid, i ? "gid_map" : "uid_map");
        CLEAN_FD int fd = open(name, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, map, strlen(map)) < 0)
            return cannot(a, name);
    }
    snprintf(name, sizeof name, "/proc/%d/ns/user", pid);
    CLEAN_FD int ns = open(name, O_RDONLY | O_CLOEXEC);
    CLEAN_FD int tree = clone_tree(a, "g");
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (unsigned)ns};
    if (ns < 0 || tree < 0 || syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
        return cannot(a, "an idmapped mount");
    return got(a, openat(tree, "secret", O_RDONLY | O_CLOEXEC));
}

static int second_mount(const struct arena *a)
{
    const char *inside = a->dir + strlen(a->fs->top);
    char path[PATH_MAX];
    if (mount(a->fs->loop, at(a, "out"), a->fs->name, READ_ONLY, NULL) < 0 &&
        mount(a->fs->loop, at(a, "out"), a->fs->name, 0, NULL) < 0)
        return cannot(a, "mount");
    snprintf(path, sizeof path, "%s/out%s/g/secret", a->dir, inside);
    int seen = try_open(a, path, O_RDONLY);
    umount2(at(a, "out"), DETACH);
    return seen;
}

static int own_root(const struct arena *a)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "/proc/self/root%s/g/secret", a->dir);
    return try_open(a, path, O_RDONLY);
}

static bool in_other_tree(struct arena *a)
{
    return unshare(CLONE_NEWNS) == 0 && mount(at(a, "g"), at(a, "out"), NULL, BIND, NULL) == 0 && become_owner(a);
}

static bool keep_other_tree(struct arena *a)
{
    a->helper = keep_process(a, in_other_tree);
    return a->helper > 0;
}

static int root_of_other(const struct arena *a)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "/proc/%d/root%s/out/secret", a->helper, a->dir);
    return try_open(a, path, O_RDONLY);
}

static int changed_root(const struct arena *a)
{
    return chroot(at(a, "g")) < 0 ? cannot(a, "chroot") : try_open(a, "/secret", O_RDONLY);
}

static int own_tree(const struct arena *a)
{
    return then_open(a, unshare(CLONE_NEWNS) == 0, "unshare", "g/secret");
}

static int user_namespace(const struct arena *a)
{
    return then_open(a, own_namespaces(), "a user namespace", "g/secret");
}

static int user_namespace_bind(const struct arena *a)
{
    if (!own_namespaces())
        return cannot(a, "a user namespace");
    return then_open(a, mount(at(a, "g"), at(a, "out"), NULL, BIND, NULL) == 0, "a bind mount", "out/secret");
}

static int user_namespace_chroot(const struct arena *a)
{
    return own_namespaces() ? changed_root(a) : cannot(a, "a user namespace");
}

/* Below `out`, on a tmpfs, because an overlay's upper directory must be on a file system that serves for it. */
static bool overlay(const struct arena *a, const char *lower, const char *upper)
{
    char options[3 * PATH_MAX + 64];
    if (mount("none", at(a, "out"), "tmpfs", 0, NULL) < 0 || mkdir(at(a, "out/u"), 0700) < 0 ||
        mkdir(at(a, "out/w"), 0700) < 0 || mkdir(at(a, "out/m"), 0700) < 0)
        return false;
    snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s", at(a, lower), at(a, upper), at(a, "out/w"));
    return mount("overlay", at(a, "out/m"), "overlay", 0, options) == 0;
}

static int overlay_flags(const struct arena *a, int flags)
{
    if (unshare(CLONE_NEWNS) < 0 || !overlay(a, "g", "out/u"))
        return cannot(a, "an overlay");
    return try_open(a, at(a, "out/m/secret"), flags);
}

static int overlay_read(const struct arena *a)
{
    return overlay_flags(a, O_RDONLY);
}

/* Opening it for writing copies it up: the kernel reads the guarded file. */
static int overlay_write(const struct arena *a)
{
    return overlay_flags(a, O_WRONLY);
}

/* So does changing its mode; then the copy is read. */
static int overlay_copy_up(const struct arena *a)
{
    if (unshare(CLONE_NEWNS) < 0 || !overlay(a, "g", "out/u"))
        return cannot(a, "an overlay");
    if (chmod(at(a, "out/m/secret"), 0644) < 0)
        return -errno;
    return try_open(a, at(a, "out/u/secret"), O_RDONLY);
}

static int overlay_upper(const struct arena *a)
{
    char options[3 * PATH_MAX + 64];
    if (unshare(CLONE_NEWNS) < 0 || mkdir(at(a, "w"), 0700) < 0 || mkdir(at(a, "l"), 0700) < 0)
        return cannot(a, "mkdir");
    snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s", at(a, "l"), at(a, "g"), at(a, "w"));
    if (mount("overlay", at(a, "out"), "overlay", 0, options) < 0)
        return cannot(a, "an overlay");
    return try_open(a, at(a, "out/secret"), O_RDONLY);
}

static bool overlay_made(struct arena *a)
{
    return overlay(a, "g", "out/u") && chmod(at(a, "out/u"), 0755) == 0 && chmod(at(a, "out/m"), 0755) == 0;
}

static int overlay_before(const struct arena *a)
{
    return try_open(a, at(a, "out/m/secret"), O_RDONLY);
}

static int user_overlay(const struct arena *a)
{
    if (!own_namespaces() || !overlay(a, "g", "out/u"))
        return cannot(a, "an overlay in a user namespace");
    return try_open(a, at(a, "out/m/secret"), O_RDONLY);
}

static int user_overlay_copy_up(const struct arena *a)
{
    if (!own_namespaces() || !overlay(a, "g", "out/u"))
        return cannot(a, "an overlay in a user namespace");
    if (rename(at(a, "out/m/secret"), at(a, "out/m/mine")) < 0)
        return -errno;
    return try_open(a, at(a, "out/u/mine"), O_RDONLY);
}

enum { ON_DEVICES = 1u << FS_EXT4 | 1u << FS_XFS | 1u << FS_BTRFS };

static const struct route list_of[] = {
    {"bind-before", "a bind mount from before", BY_BOTH, .prepare = bound_before, .attempt = bind_before},
    {"bind-after", "a new bind mount", BY_ROOT, .attempt = bind_after},
    {"bind-file", "a bind mount of the file", BY_ROOT, .attempt = bind_file},
    {"open-tree", "open_tree(2), a cloned mount of the directory", BY_ROOT, .attempt = cloned_tree},
    {"open-tree-file", "open_tree(2), a cloned mount of the file", BY_ROOT, .attempt = cloned_file},
    {"idmapped-mount", "a mount with other owners", BY_ROOT, .attempt = idmapped},
    {"second-mount", "the device mounted once more", BY_ROOT, .only = ON_DEVICES, .attempt = second_mount},
    {"own-root", "/proc/self/root", BY_BOTH, .attempt = own_root},
    {"root-of-other", "/proc/PID/root of a process with other mounts", BY_BOTH, .prepare = keep_other_tree,
     .attempt = root_of_other},
    {"chroot", "chroot(2) into the directory", BY_ROOT, .attempt = changed_root},
    {"mount-namespace", "a mount namespace", BY_ROOT, .attempt = own_tree},
    {"user-namespace", "a user and a mount namespace", BY_BOTH, .attempt = user_namespace},
    {"user-namespace-bind", "a bind mount in a user namespace", BY_BOTH, .attempt = user_namespace_bind},
    {"user-namespace-chroot", "chroot(2) in a user namespace", BY_USER, .attempt = user_namespace_chroot},
    {"overlay-before", "an overlay from before, with the directory below", BY_BOTH, .prepare = overlay_made,
     .attempt = overlay_before},
    {"overlay-read", "an overlay with the directory below", BY_ROOT, .attempt = overlay_read},
    {"overlay-write", "the same, for writing", BY_ROOT, .attempt = overlay_write},
    {"overlay-copy-up", "the same, copied up by chmod", BY_ROOT, .attempt = overlay_copy_up},
    {"overlay-upper", "an overlay with the directory on top", BY_ROOT, .attempt = overlay_upper},
    {"user-overlay", "an overlay in a user namespace", BY_USER, .attempt = user_overlay},
    {"user-overlay-copy-up", "the same, copied up by rename", BY_USER, .attempt = user_overlay_copy_up},
};

struct routes routes_mounts(void)
{
    return (struct routes){list_of, sizeof list_of / sizeof *list_of};
}
