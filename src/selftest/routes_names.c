/* Other names, and names that change. */
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "selftest/selftest.h"

static int after_rename(const struct arena *a, const char *from, const char *to, const char *opened)
{
    return rename(at(a, from), at(a, to)) < 0 ? cannot(a, "rename") : try_open(a, at(a, opened), O_RDONLY);
}

static bool link_before(struct arena *a)
{
    return link(at(a, "g/secret"), at(a, "out/link")) == 0;
}

static int hard_link_before(const struct arena *a)
{
    return try_open(a, at(a, "out/link"), O_RDONLY);
}

static int hard_link_after(const struct arena *a)
{
    return link(at(a, "g/sub/deep"), at(a, "out/link")) < 0 ? cannot(a, "link")
                                                            : try_open(a, at(a, "out/link"), O_RDONLY);
}

static int hard_link_single(const struct arena *a)
{
    return link(at(a, "one/key"), at(a, "out/link")) < 0 ? cannot(a, "link") : try_open(a, at(a, "out/link"), O_RDONLY);
}

/* Through the descriptor, so that the name is not needed. */
static int link_of_o_path(const struct arena *a)
{
    char name[40];
    CLEAN_FD int fd = open(at(a, "g/secret"), O_PATH | O_CLOEXEC);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, name, AT_FDCWD, at(a, "out/link"), AT_SYMLINK_FOLLOW) < 0
               ? cannot(a, "linkat")
               : try_open(a, at(a, "out/link"), O_RDONLY);
}

static int symbolic(const struct arena *a)
{
    return symlink(at(a, "g/secret"), at(a, "out/link")) < 0 ? cannot(a, "symlink")
                                                             : try_open(a, at(a, "out/link"), O_RDONLY);
}

static int symbolic_directory(const struct arena *a)
{
    return symlink(at(a, "g"), at(a, "out/link")) < 0 ? cannot(a, "symlink")
                                                      : try_open(a, at(a, "out/link/secret"), O_RDONLY);
}

static int moved_out(const struct arena *a)
{
    return after_rename(a, "g/secret", "out/moved", "out/moved");
}

static int moved_within(const struct arena *a)
{
    return after_rename(a, "g/secret", "g/sub/moved", "g/sub/moved");
}

static int directory_moved(const struct arena *a)
{
    return after_rename(a, "g", "out/g", "out/g/secret");
}

static int subdirectory_moved(const struct arena *a)
{
    return after_rename(a, "g/sub", "out/sub", "out/sub/deep");
}

static int single_moved(const struct arena *a)
{
    return after_rename(a, "one/key", "out/key", "out/key");
}

static int exchanged(const struct arena *a)
{
    if (!write_file(at(a, "out/mine"), "mine", 0600) ||
        renameat2(AT_FDCWD, at(a, "g/secret"), AT_FDCWD, at(a, "out/mine"), RENAME_EXCHANGE) < 0)
        return cannot(a, "renameat2");
    return try_open(a, at(a, "out/mine"), O_RDONLY);
}

static int written_outside(const struct arena *a, const char *to)
{
    return !write_file(at(a, "out/mine"), SECRET, 0600) || rename(at(a, "out/mine"), at(a, to)) < 0
               ? cannot(a, "rename")
               : try_open(a, at(a, to), O_RDONLY);
}

static int renamed_over(const struct arena *a)
{
    return written_outside(a, "g/secret");
}

static int moved_in(const struct arena *a)
{
    return written_outside(a, "g/in");
}

static int single_replaced(const struct arena *a)
{
    return written_outside(a, "one/key");
}

/* A file of another program's that was just moved in: a link to it is made before it has a mark of its own. */
static int moved_in_linked_out(const struct arena *a)
{
    if (!write_file(at(a, "out/mine"), SECRET, 0600) || rename(at(a, "out/mine"), at(a, "g/in")) < 0 ||
        link(at(a, "g/in"), at(a, "out/link")) < 0)
        return cannot(a, "rename and link");
    return try_open(a, at(a, "out/link"), O_RDONLY);
}

static int new_directory(const struct arena *a)
{
    return mkdir(at(a, "g/new"), 0700) < 0 ? cannot(a, "mkdir") : try_open(a, at(a, "g/new/file"), O_WRONLY | O_CREAT);
}

static int directory_moved_in(const struct arena *a)
{
    if (mkdir(at(a, "out/d"), 0700) < 0 || !write_file(at(a, "out/d/file"), SECRET, 0600))
        return cannot(a, "mkdir");
    return after_rename(a, "out/d", "g/d", "g/d/file");
}

static int root_replaced(const struct arena *a)
{
    if (mkdir(at(a, "out/g"), 0700) < 0 || !write_file(at(a, "out/g/secret"), SECRET, 0600) ||
        rename(at(a, "g"), at(a, "out/old")) < 0)
        return cannot(a, "mkdir");
    return after_rename(a, "out/g", "g", "g/secret");
}

static int tmpfile_linked_in(const struct arena *a)
{
    char name[40];
    CLEAN_FD int fd = open(at(a, "out"), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, SECRET, strlen(SECRET)) < 0)
        return cannot(a, "O_TMPFILE");
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, name, AT_FDCWD, at(a, "g/in"), AT_SYMLINK_FOLLOW) < 0
               ? cannot(a, "linkat")
               : try_open(a, at(a, "g/in"), O_RDONLY);
}

/* Deleted, and held by an O_PATH descriptor: its inode mark is still there. */
static int unlinked(const struct arena *a)
{
    char name[40];
    CLEAN_FD int fd = open(at(a, "g/secret"), O_PATH | O_CLOEXEC);
    if (fd < 0 || unlink(at(a, "g/secret")) < 0)
        return cannot(a, "unlink");
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return try_open(a, name, O_RDONLY);
}

/* The kernel forgets the marks of an inode when its last name goes in a dentry that nobody holds. */
static int stripped(const struct arena *a)
{
    char name[40];
    if (link(at(a, "g/secret"), at(a, "out/link")) < 0)
        return cannot(a, "link");
    CLEAN_FD int fd = open(at(a, "out/link"), O_PATH | O_CLOEXEC);
    if (fd < 0 || unlink(at(a, "out/link")) < 0 || unlink(at(a, "g/secret")) < 0)
        return cannot(a, "unlink");
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return try_open(a, name, O_RDONLY);
}

static int stripped_by_rename(const struct arena *a)
{
    char name[40];
    if (link(at(a, "g/secret"), at(a, "out/link")) < 0 || !write_file(at(a, "out/mine"), "mine", 0600))
        return cannot(a, "link");
    CLEAN_FD int fd = open(at(a, "out/link"), O_PATH | O_CLOEXEC);
    if (fd < 0 || unlink(at(a, "out/link")) < 0 || rename(at(a, "out/mine"), at(a, "g/secret")) < 0)
        return cannot(a, "rename");
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return try_open(a, name, O_RDONLY);
}

static int reflink(const struct arena *a)
{
    CLEAN_FD int to = open(at(a, "out/copy"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (to < 0)
        return cannot(a, "out/copy");
    CLEAN_FD int from = open(at(a, "g/secret"), O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return -errno;
    return ioctl(to, FICLONE, from) < 0 ? cannot(a, "FICLONE") : 0;
}

static int copy_range(const struct arena *a)
{
    CLEAN_FD int to = open(at(a, "out/copy"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CLEAN_FD int from = open(at(a, "g/secret"), O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return -errno;
    return copy_file_range(from, NULL, to, NULL, 4096, 0) <= 0 ? cannot(a, "copy_file_range") : 0;
}

/* The watch lies in a subvolume; whoever owns that may make a snapshot of it: other inodes. */
static bool make_subvolume(struct arena *a)
{
    struct btrfs_ioctl_vol_args args = {.name = "volume"};
    CLEAN_FD int dir = open(at(a, "g"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || ioctl(dir, BTRFS_IOC_SUBVOL_CREATE, &args) < 0) {
        cannot(a, "a subvolume");
        return false;
    }
    return write_file(at(a, "g/volume/secret"), SECRET, 0600) && chown(at(a, "g/volume"), a->uid, a->uid) == 0 &&
           chown(at(a, "g/volume/secret"), a->uid, a->uid) == 0;
}

static bool hold_subvolume(struct arena *a)
{
    if (!make_subvolume(a))
        return false;
    a->fd = open(at(a, "g/volume"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return a->fd >= 0;
}

static int snapshot_of(const struct arena *a, int volume)
{
    struct btrfs_ioctl_vol_args_v2 args = {.fd = volume, .name = "snapshot"};
    CLEAN_FD int out = open(at(a, "out"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (out < 0 || ioctl(out, BTRFS_IOC_SNAP_CREATE_V2, &args) < 0)
        return cannot(a, "a snapshot");
    return try_open(a, at(a, "out/snapshot/secret"), O_RDONLY);
}

static int snapshot(const struct arena *a)
{
    return snapshot_of(a, a->fd);
}

static int snapshot_after(const struct arena *a)
{
    CLEAN_FD int volume = open(at(a, "g/volume"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return volume < 0 ? -errno : snapshot_of(a, volume);
}

#define APPEARS "what appears in a watch is marked a moment later"
#define BY_FS   "coverage = filesystem"
enum { WITH_REFLINK = 1u << FS_XFS | 1u << FS_BTRFS, ON_BTRFS = 1u << FS_BTRFS };

static const struct route list_of[] = {
    {"hard-link-before", "a hard link from before", BY_BOTH, .prepare = link_before, .attempt = hard_link_before},
    {"hard-link-after", "a new hard link", BY_BOTH, .attempt = hard_link_after},
    {"hard-link-single", "a new hard link to a file that is a watch by itself", BY_BOTH, .attempt = hard_link_single},
    {"hard-link-o-path", "a hard link made of an O_PATH descriptor", BY_BOTH, .attempt = link_of_o_path},
    {"symlink", "a symbolic link", BY_BOTH, .attempt = symbolic},
    {"symlink-directory", "a symbolic link to the directory", BY_BOTH, .attempt = symbolic_directory},
    {"renamed-out", "moved out of the directory", BY_BOTH, .attempt = moved_out},
    {"renamed-within", "moved within the watch", BY_BOTH, .attempt = moved_within},
    {"exchanged-out", "exchanged with a file outside", BY_BOTH, .attempt = exchanged},
    {"directory-renamed", "the guarded directory moved", BY_BOTH, .attempt = directory_moved},
    {"subdirectory-renamed", "a directory below moved out", BY_BOTH, .attempt = subdirectory_moved},
    {"single-renamed", "a file that is a watch by itself, moved", BY_BOTH, .attempt = single_moved},
    {"renamed-over", "a file that replaced a guarded one", BY_BOTH, .attempt = renamed_over},
    {"single-replaced", "a file that replaced one that is a watch by itself", BY_BOTH, .attempt = single_replaced},
    {"moved-in", "a file moved in", BY_BOTH, .attempt = moved_in},
    {"moved-in-linked-out", "a file moved in, opened through a hard link made at once", BY_BOTH, .known = OPEN_INODE,
     .limit = APPEARS, .closes = BY_FS, .attempt = moved_in_linked_out},
    {"new-directory", "a file in a directory made just now", BY_BOTH, .known = OPEN_INODE, .limit = APPEARS,
     .closes = BY_FS, .attempt = new_directory},
    {"directory-moved-in", "a file in a directory moved in just now", BY_BOTH, .known = OPEN_INODE, .limit = APPEARS,
     .closes = BY_FS, .attempt = directory_moved_in},
    {"directory-replaced", "another directory in the place of the guarded one", BY_BOTH, .known = OPEN_INODE,
     .limit = APPEARS, .closes = BY_FS, .attempt = root_replaced},
    {"tmpfile-linked-in", "an O_TMPFILE file, linked in", BY_BOTH, .attempt = tmpfile_linked_in},
    {"unlinked", "a deleted file, through an O_PATH descriptor", BY_BOTH, .attempt = unlinked},
    {"stripped-marks", "marks lost with the last name, through another name's O_PATH descriptor", BY_BOTH,
     .known = OPEN_INODE, .limit = "the kernel drops an inode's marks with its last name; the file is destroyed by it",
     .closes = BY_FS, .attempt = stripped},
    {"stripped-by-rename", "the same, the last name replaced by rename", BY_BOTH, .known = OPEN_INODE,
     .limit = "the kernel drops an inode's marks with its last name; the file is destroyed by it", .closes = BY_FS,
     .attempt = stripped_by_rename},
    {"copy-file-range", "copy_file_range(2)", BY_BOTH, .attempt = copy_range},
    {"reflink", "FICLONE", BY_BOTH, .only = WITH_REFLINK, .attempt = reflink},
    {"snapshot", "a btrfs snapshot, of a subvolume opened before", BY_BOTH, .only = ON_BTRFS, .known = OPEN_INODE,
     .limit = "a snapshot has inodes of its own", .closes = BY_FS, .prepare = hold_subvolume, .attempt = snapshot},
    {"snapshot-after", "a btrfs snapshot, of a guarded subvolume", BY_BOTH, .only = ON_BTRFS, .prepare = make_subvolume,
     .attempt = snapshot_after},
};

struct routes routes_names(void)
{
    return (struct routes){list_of, sizeof list_of / sizeof *list_of};
}
