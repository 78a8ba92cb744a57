/* racer HOW N DIR OUT: N times makes something appear in DIR, which is guarded, and opens it at once, as somebody who may
 * not. OUT is a directory outside, on the same file system. Says how many opens were refused and how many were not.
 *   mkdir   a new directory, a file made in it
 *   tree    a directory with a file in it, moved in
 *   link    a file, moved in, then linked out and opened there
 *   file    a file, moved in */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make(const char *path, int flags)
{
    int fd = open(path, O_WRONLY | O_CREAT | flags, 0644);
    if (fd >= 0)
        close(fd);
    return fd;
}

static void die(const char *what)
{
    fprintf(stderr, "racer: %s: %s\n", what, strerror(errno));
    exit(1);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    const char *how = argv[1], *dir = argv[3], *out = argv[4];
    int n = atoi(argv[2]), refused = 0, opened = 0;
    for (int i = 0; i < n; i++) {
        char outside[4096], inside[4096], file[4200];
        snprintf(outside, sizeof outside, "%s/%s.%d", out, how, i);
        snprintf(inside, sizeof inside, "%s/%s.%d", dir, how, i);
        if (strcmp(how, "mkdir") == 0) {
            if (mkdir(inside, 0755) < 0)
                die(inside);
            snprintf(file, sizeof file, "%s/file", inside);
            make(file, O_EXCL);
        } else if (strcmp(how, "tree") == 0) {
            snprintf(file, sizeof file, "%s/file", outside);
            if (mkdir(outside, 0755) < 0 || make(file, O_EXCL) < 0 || rename(outside, inside) < 0)
                die(outside);
            snprintf(file, sizeof file, "%s/file", inside);
        } else {
            if (make(outside, O_EXCL) < 0 || rename(outside, inside) < 0)
                die(outside);
            snprintf(file, sizeof file, "%s", inside);
            if (strcmp(how, "link") == 0 && link(inside, strcpy(file, outside)) < 0)
                die(outside);
        }
        int fd = open(file, O_RDONLY);
        if (fd >= 0)
            close(fd);
        else if (errno != EPERM)
            die(file);
        opened += fd >= 0;
        refused += fd < 0;
    }
    printf("%s: refused %d, not asked about %d\n", how, refused, opened);
    return 0;
}
