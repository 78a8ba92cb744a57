#include "keeper/lastgood.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/own.h"

#define STATE "/var/lib/fileward"
#define HOME  STATE "/last-good"
static const char temporary[] = "/run/fileward/policy.d/";

/* "/etc/fileward/fileward.ini" -> "%etc%fileward%fileward.ini": a name for a directory. */
static bool directory_name(const char *main_file, char out[NAME_MAX + 1])
{
    size_t n = strlen(main_file);
    if (n + sizeof ".new" > NAME_MAX)
        return false;
    for (size_t i = 0; i <= n; i++)
        out[i] = main_file[i] == '/' ? '%' : main_file[i];
    return true;
}

char *last_good_path(const char *main_file)
{
    char name[NAME_MAX + 1], *path = NULL;
    if (!directory_name(main_file, name) || asprintf(&path, HOME "/%s/%s", name, strrchr(main_file, '/') + 1) < 0)
        return NULL;
    return path;
}

static bool make_directory(int dir, const char *name)
{
    return mkdirat(dir, name, 0700) == 0 || errno == EEXIST;
}

static int open_directory(int dir, const char *name)
{
    return openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void empty_directory(int dir)
{
    int again = dup(dir);
    CLEAN_DIR DIR *d = again < 0 ? NULL : fdopendir(again);
    const struct dirent *e;
    while (d && (e = readdir(d)))
        unlinkat(dir, e->d_name, 0); /* fails on directories, which is well */
}

/* Removes `name` with its files and its policy.d: nothing else is ever made in it. */
static void remove_copy(int home, const char *name)
{
    CLEAN_FD int dir = open_directory(home, name);
    if (dir < 0) {
        unlinkat(home, name, 0); /* a link or a file that somebody put there is in the way, and not followed */
        return;
    }
    CLEAN_FD int neighbour = open_directory(dir, "policy.d");
    if (neighbour >= 0)
        empty_directory(neighbour);
    empty_directory(dir);
    unlinkat(dir, "policy.d", AT_REMOVEDIR);
    unlinkat(home, name, AT_REMOVEDIR);
}

static bool write_file(int dir, const char *name, const char *bytes, size_t size)
{
    CLEAN_FD int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd >= 0 && write(fd, bytes, size) == (ssize_t)size && fsync(fd) == 0;
}

static bool write_files(int dir, const struct policy *p, const char *contents)
{
    if (!make_directory(dir, "policy.d"))
        return false;
    CLEAN_FD int neighbour = open_directory(dir, "policy.d");
    if (neighbour < 0)
        return false;
    for (size_t i = 0; i < p->n_files; contents += p->file_sizes[i++]) {
        if (strncmp(p->files[i], temporary, sizeof temporary - 1) == 0)
            continue;
        const char *name = strrchr(p->files[i], '/') + 1;
        if (!write_file(i == 0 ? dir : neighbour, name, contents, p->file_sizes[i]))
            return false;
    }
    return fsync(neighbour) == 0;
}

/* The new copy stands in the old one's place in one step. */
static bool exchange(int home, const char *from, const char *to)
{
    if (renameat(home, from, home, to) == 0)
        return true; /* there was none */
    return syscall(SYS_renameat2, home, from, home, to, RENAME_EXCHANGE) == 0;
}

bool last_good_save(const struct policy *p, const char *contents)
{
    char name[NAME_MAX + 1], fresh[NAME_MAX + 8];
    if (!directory_name(p->files[0], name)) {
        errno = ENAMETOOLONG;
        return false;
    }
    snprintf(fresh, sizeof fresh, "%s.new", name);
    make_directory(AT_FDCWD, STATE);
    if (!make_directory(AT_FDCWD, HOME))
        return false;
    CLEAN_FD int home = open_directory(AT_FDCWD, HOME);
    if (home < 0)
        return false;
    remove_copy(home, fresh); /* of one that was interrupted */
    if (!make_directory(home, fresh))
        return false;
    CLEAN_FD int dir = open_directory(home, fresh);
    bool done =
        dir >= 0 && write_files(dir, p, contents) && fsync(dir) == 0 && exchange(home, fresh, name) && fsync(home) == 0;
    int why = errno;
    remove_copy(home, fresh);
    errno = why;
    return done;
}
