/* What is open already, what is changed without an open, and what lies below. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "selftest/selftest.h"

static bool open_before(struct arena *a)
{
    a->fd = open(at(a, "g/secret"), O_RDWR | O_CLOEXEC);
    return a->fd >= 0;
}

static int read_before(const struct arena *a)
{
    char text[sizeof SECRET] = "";
    if (pread(a->fd, text, sizeof text - 1, 0) < 0)
        return -errno;
    return strcmp(text, SECRET) == 0 ? 0 : cannot(a, "read");
}

static int write_before(const struct arena *a)
{
    return pwrite(a->fd, "X", 1, 0) < 0 ? -errno : 0;
}

static int map_before(const struct arena *a)
{
    const char *text = mmap(NULL, sizeof SECRET, PROT_READ, MAP_SHARED, a->fd, 0);
    if (text == MAP_FAILED)
        return -errno;
    return memcmp(text, SECRET, sizeof SECRET - 1) == 0 ? 0 : cannot(a, "mmap");
}

static int ftruncate_before(const struct arena *a)
{
    return ftruncate(a->fd, 0) < 0 ? -errno : 0;
}

static bool directory_before(struct arena *a)
{
    a->fd = open(at(a, "g"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return a->fd >= 0;
}

static int list_before(const struct arena *a)
{
    char room[1024];
    return syscall(SYS_getdents64, a->fd, room, sizeof room) <= 0 ? -errno : 0;
}

/* One that may opens it and hands it over. As root, a subject can be both, one after the other. */
static int handed_over(const struct arena *a)
{
    if (setgroups(1, &a->allowed) < 0)
        return cannot(a, "setgroups");
    CLEAN_FD int fd = open(at(a, "g/secret"), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || (a->trial == TRIAL_REFUSED && setgroups(0, NULL) < 0))
        return cannot(a, "open as one that may");
    char text[sizeof SECRET];
    return read(fd, text, sizeof text) < 0 ? -errno : 0;
}

static int truncate_by_path(const struct arena *a)
{
    return truncate(at(a, "g/secret"), 0) < 0 ? -errno : 0;
}

static int removes(const struct arena *a)
{
    return unlink(at(a, "g/secret")) < 0 ? -errno : 0;
}

static int renames(const struct arena *a)
{
    return rename(at(a, "g/secret"), at(a, "out/moved")) < 0 ? -errno : 0;
}

static int changes_mode(const struct arena *a)
{
    return chmod(at(a, "g/secret"), 0644) < 0 ? -errno : 0;
}

/* The image below the file system, as the device below any other. */
static int below(const struct arena *a)
{
    enum { CHUNK = 1 << 20 };
    char path[128];
    snprintf(path, sizeof path, "%s/%s.image", a->top, a->fs->name);
    sync();
    CLEAN_FREE char *text = malloc(CHUNK);
    CLEAN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || !text)
        return cannot(a, "the device");
    for (off_t from = 0; (from = lseek(fd, from, SEEK_DATA)) >= 0; from += CHUNK) {
        ssize_t n = pread(fd, text, CHUNK, from);
        if (n > 0 && memmem(text, (size_t)n, SECRET, sizeof SECRET - 1))
            return 0;
    }
    errno = ENODATA;
    return cannot(a, "the device");
}

/* fanotify(7), for whoever has CAP_SYS_ADMIN: an event brings a descriptor of what somebody else opened. The allowed
 * program opens it here. (sys/fanotify.h is for the daemon alone.) */
static int other_listener(const struct arena *a)
{
    enum { CLASS_NOTIFY = 0, MARK_ADD = 1, EVENT_OPEN = 0x20 };
    struct {
        uint32_t length;
        uint8_t version, reserved;
        uint16_t header;
        uint64_t mask;
        int32_t fd, pid;
    } event;
    CLEAN_FD int group = (int)syscall(SYS_fanotify_init, CLASS_NOTIFY, O_RDONLY | O_CLOEXEC);
    if (group < 0 ||
        syscall(SYS_fanotify_mark, group, MARK_ADD, (uint64_t)EVENT_OPEN, AT_FDCWD, at(a, "g/secret")) < 0 ||
        run_program(a, a->reader, OPENS(at(a, "g/secret"))) != 0)
        return cannot(a, "fanotify");
    return read(group, &event, sizeof event) != sizeof event ? -errno : got(a, event.fd);
}

#define OPEN_ALREADY   "what was open before the marks keeps working"
#define START_EARLIER  "start before users do; a restart of what holds it"
#define NAMES          "the kernel does not ask about names and attributes: contents are guarded"
#define OWN_DIRECTORY  "a directory that only root can write"
#define TRUNCATE_LIMIT "the kernel asks about it only with guard = open+write, on ext4, xfs and btrfs"
enum { ON_DEVICES = 1u << FS_EXT4 | 1u << FS_XFS | 1u << FS_BTRFS };

static const struct route list_of[] = {
    {"fd-before-read", "read(2) of a descriptor from before", BY_BOTH, .known = OPEN_ALWAYS, .limit = OPEN_ALREADY,
     .closes = START_EARLIER, .prepare = open_before, .attempt = read_before},
    {"fd-before-write", "write(2) to a descriptor from before", BY_BOTH, .known = OPEN_ALWAYS, .limit = OPEN_ALREADY,
     .closes = START_EARLIER, .prepare = open_before, .attempt = write_before},
    {"fd-before-map", "a mapping of a descriptor from before", BY_BOTH, .known = OPEN_ALWAYS, .limit = OPEN_ALREADY,
     .closes = START_EARLIER, .prepare = open_before, .attempt = map_before},
    {"fd-before-truncate", "ftruncate(2) of a descriptor from before", BY_BOTH, .known = OPEN_GUARD,
     .limit = TRUNCATE_LIMIT, .closes = "guard = open+write", .prepare = open_before, .attempt = ftruncate_before},
    {"fd-before-list", "a directory's descriptor from before, listed", BY_BOTH, .known = OPEN_ALWAYS,
     .limit = OPEN_ALREADY, .closes = START_EARLIER, .prepare = directory_before, .attempt = list_before},
    {"fd-handed-over", "read(2) of a descriptor that one who may handed over", BY_ROOT, .known = OPEN_READ,
     .limit = "who may open hands over what it opened", .closes = "guard = open+read", .attempt = handed_over},
    {"truncate", "truncate(2) by name", BY_BOTH, .known = OPEN_GUARD, .limit = TRUNCATE_LIMIT,
     .closes = "guard = open+write", .attempt = truncate_by_path},
    {"unlink", "unlink(2)", BY_BOTH, .known = OPEN_ALWAYS, .limit = NAMES, .closes = OWN_DIRECTORY, .attempt = removes},
    {"rename", "rename(2)", BY_BOTH, .known = OPEN_ALWAYS, .limit = NAMES, .closes = OWN_DIRECTORY, .attempt = renames},
    {"chmod", "chmod(2)", BY_BOTH, .known = OPEN_ALWAYS, .limit = NAMES, .closes = OWN_DIRECTORY,
     .attempt = changes_mode},
    {"another-listener", "a descriptor that fanotify(7) gives to another listener", BY_ROOT, .known = OPEN_ALWAYS,
     .limit = "whoever has CAP_SYS_ADMIN is given descriptors of what others open", .closes = "nothing: it needs root",
     .attempt = other_listener},
    {"device-below", "the device below the file system", BY_ROOT, .only = ON_DEVICES, .known = OPEN_ALWAYS,
     .limit = "the kernel does not ask about reads of the device", .closes = "nothing: only root can open it",
     .attempt = below},
};

struct routes routes_fds(void)
{
    return (struct routes){list_of, sizeof list_of / sizeof *list_of};
}
