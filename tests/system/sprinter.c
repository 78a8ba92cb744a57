/* sprinter HOW N INSIDE OUTSIDE: N times, as fast as it can: brings a file about that a watch on INSIDE should know, and opens
 * it at once. Prints how many of the opens succeeded, and how many failed by anything but a refusal.
 *   dirs      a file in a new directory in INSIDE
 *   moved     a file from OUTSIDE, moved in, linked out again and opened there
 *   stripped  INSIDE/N (must exist): linked out, held as O_PATH, both names unlinked (the kernel forgets its marks), and
 *             opened again through the descriptor
 *   held      the same, and opened some seconds later
 *   unlinked  a new file in INSIDE, held as O_PATH and unlinked, opened again */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void must(int rc, const char *what)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "sprinter: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int in_new_directory(int i, const char *inside, const char *outside)
{
    char dir[4096], file[4200];
    (void)outside;
    snprintf(dir, sizeof dir, "%s/d%d", inside, i);
    snprintf(file, sizeof file, "%s/f", dir);
    must(mkdir(dir, 0700), dir);
    must(mknod(file, S_IFREG | 0600, 0), file);
    return open(file, O_RDONLY);
}

static int moved_in(int i, const char *inside, const char *outside)
{
    char from[4096], to[4096], out[4096];
    snprintf(from, sizeof from, "%s/m%d", outside, i);
    snprintf(to, sizeof to, "%s/m%d", inside, i);
    snprintf(out, sizeof out, "%s/l%d", outside, i);
    must(mknod(from, S_IFREG | 0600, 0), from);
    must(rename(from, to), to);
    must(link(to, out), out);
    return open(out, O_RDONLY);
}

static int reopened(int i, const char *inside, const char *outside, unsigned seconds)
{
    char name[4096], out[4096], again[64];
    snprintf(name, sizeof name, "%s/%d", inside, i);
    snprintf(out, sizeof out, "%s/s%d", outside, i);
    must(link(name, out), out);
    int fd = open(out, O_PATH);
    must(fd, out);
    must(unlink(out), out);
    must(unlink(name), name);
    sleep(seconds);
    snprintf(again, sizeof again, "/proc/self/fd/%d", fd);
    int opened = open(again, O_RDONLY), why = errno;
    close(fd);
    errno = why;
    return opened;
}

static int stripped(int i, const char *inside, const char *outside)
{
    return reopened(i, inside, outside, 0);
}

static int held(int i, const char *inside, const char *outside)
{
    return reopened(i + 1000, inside, outside, 4); /* longer than it takes to be forgotten */
}

static int unlinked(int i, const char *inside, const char *outside)
{
    char name[4096], again[64];
    (void)outside;
    snprintf(name, sizeof name, "%s/u%d", inside, i);
    must(mknod(name, S_IFREG | 0600, 0), name);
    int fd = open(name, O_PATH);
    must(fd, name);
    must(unlink(name), name);
    snprintf(again, sizeof again, "/proc/self/fd/%d", fd);
    int opened = open(again, O_RDONLY), why = errno;
    close(fd);
    errno = why;
    return opened;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int i, const char *inside, const char *outside);
    } ways[] = {{"dirs", in_new_directory},
                {"moved", moved_in},
                {"stripped", stripped},
                {"held", held},
                {"unlinked", unlinked}};
    int opened = 0, failed = 0;
    for (size_t w = 0; argc == 5 && w < sizeof ways / sizeof *ways; w++) {
        if (strcmp(argv[1], ways[w].name) != 0)
            continue;
        for (int i = 0; i < atoi(argv[2]); i++) {
            int fd = ways[w].run(i, argv[3], argv[4]);
            opened += fd >= 0;
            failed += fd < 0 && errno != EPERM;
            if (fd >= 0)
                close(fd);
        }
        printf("opened %d failed %d\n", opened, failed);
        return 0;
    }
    fprintf(stderr, "usage: sprinter dirs|moved|stripped|held|unlinked N INSIDE OUTSIDE\n");
    return 2;
}
