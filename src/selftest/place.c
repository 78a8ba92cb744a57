/* File systems of our own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "selftest/selftest.h"

const char *const fs_names[FS_COUNT] = {"tmpfs", "ext4", "xfs", "btrfs"};

/* The smallest that their mkfs makes without a word; the image has holes. */
static const struct {
    off_t megabytes;
    const char *mkfs[6];
} images[FS_COUNT] = {
    [FS_EXT4] = {96, {"mkfs.ext4", "-q", "-F"}},
    [FS_XFS] = {320, {"mkfs.xfs", "-q", "-f"}},
    [FS_BTRFS] = {160, {"mkfs.btrfs", "-q", "-f"}},
};

static bool not_made(struct fs *fs, const char *what)
{
    snprintf(fs->why, sizeof fs->why, "%s: %s", what, strerror(errno));
    return false;
}

static bool make_image(struct fs *fs, enum fs_kind kind, const char *image)
{
    const char *argv[8] = {0};
    int n = 0, status = -1;
    CLEAN_FD int fd = open(image, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, images[kind].megabytes << 20) < 0)
        return not_made(fs, "an image file");
    for (; images[kind].mkfs[n]; n++)
        argv[n] = images[kind].mkfs[n];
    argv[n] = image;
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return not_made(fs, "fork");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    snprintf(fs->why, sizeof fs->why, WIFEXITED(status) && WEXITSTATUS(status) == 127 ? "no %s" : "%s failed", argv[0]);
    return false;
}

/* The device goes when it is unmounted, whoever dies. Another program may take the free number first. */
static int attach(struct fs *fs, const char *image)
{
    CLEAN_FD int file = open(image, O_RDWR | O_CLOEXEC);
    CLEAN_FD int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (file < 0 || control < 0) {
        not_made(fs, "no loop devices");
        return -1;
    }
    const struct loop_config config = {.fd = (unsigned)file, .info.lo_flags = LO_FLAGS_AUTOCLEAR};
    for (int tries = 0; tries < 50; tries++) {
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        snprintf(fs->loop, sizeof fs->loop, "/dev/loop%d", number);
        CLEAN_FD int device = number < 0 ? -1 : open(fs->loop, O_RDWR | O_CLOEXEC);
        if (device >= 0 && ioctl(device, LOOP_CONFIGURE, &config) == 0)
            return STEAL_FD(device);
        if (device < 0 || errno != EBUSY)
            break;
    }
    not_made(fs, "no loop device");
    return -1;
}

static bool make(const char *top, struct fs *fs, enum fs_kind kind)
{
    char image[128];
    snprintf(fs->top, sizeof fs->top, "%s/%s", top, fs->name);
    if (mkdir(fs->top, 0755) < 0)
        return not_made(fs, "mkdir");
    if (kind == FS_TMPFS)
        return mount("fileward-selftest", fs->top, "tmpfs", 0, "mode=0755") == 0 || not_made(fs, "mount");
    snprintf(image, sizeof image, "%s/%s.image", top, fs->name);
    if (!make_image(fs, kind, image))
        return false;
    CLEAN_FD int device = attach(fs, image);
    if (device < 0)
        return false;
    return mount(fs->loop, fs->top, fs->name, 0, NULL) == 0 || not_made(fs, "mount");
}

void place_make(const char *top, struct fs fs[FS_COUNT], unsigned wanted)
{
    for (int i = 0; i < FS_COUNT; i++) {
        fs[i] = (struct fs){.name = fs_names[i]};
        if (!(wanted & 1u << i))
            strcpy(fs[i].why, "not asked for");
        else
            make(top, &fs[i], (enum fs_kind)i);
    }
}
