/* shifter: a process that changes. Reads commands, a line each, and answers each with a line: "ok", or the error.
 *   open PATH           opens it to read;  write PATH  to write
 *   uid N  gid N  egid N  groups N...     as the kernel calls them: file-system uid, all gids, the effective one
 *   exec PROGRAM        goes on as that program, which must be another copy of this one
 *   child               goes on as a child; its parent waits for its end, and does this on its behalf:
 *   parent-exec PROGRAM */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int parent = -1; /* a socket to it */

static int try_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd;
}

static int set_groups(char *words)
{
    gid_t groups[16];
    size_t n = 0;
    for (char *w = strtok(words, " "); w && n < 16; w = strtok(NULL, " "))
        groups[n++] = (gid_t)atoi(w);
    return setgroups(n, groups);
}

/* The parent: becomes what the child says, and answers. */
static void wait_for_child(int child)
{
    char path[512], number[16];
    ssize_t n = read(child, path, sizeof path - 1);
    if (n > 0) {
        path[n] = '\0';
        snprintf(number, sizeof number, "%d", child);
        execl(path, path, "parent", number, NULL);
        dprintf(child, "%s", strerror(errno));
    }
    wait(NULL);
    _exit(0);
}

static int go_on_as_child(void)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        return -1;
    pid_t pid = fork();
    if (pid > 0) {
        close(pair[1]);
        wait_for_child(pair[0]);
    }
    close(pair[0]);
    parent = pair[1];
    return pid;
}

static int exec_parent(const char *path)
{
    char answer[8] = "";
    return write(parent, path, strlen(path)) > 0 && read(parent, answer, sizeof answer) > 0 && answer[0] == 'o' ? 0
                                                                                                                : -1;
}

static int obey(const char *verb, char *rest)
{
    unsigned n = (unsigned)atoi(rest);
    if (strcmp(verb, "open") == 0)
        return try_open(rest, O_RDONLY);
    if (strcmp(verb, "write") == 0)
        return try_open(rest, O_WRONLY);
    if (strcmp(verb, "uid") == 0)
        return setresuid((uid_t)-1, n, (uid_t)-1); /* the file-system uid goes with it */
    if (strcmp(verb, "gid") == 0)
        return setresgid(n, n, n);
    if (strcmp(verb, "egid") == 0)
        return setresgid((gid_t)-1, n, (gid_t)-1);
    if (strcmp(verb, "groups") == 0)
        return set_groups(rest);
    if (strcmp(verb, "exec") == 0)
        return execl(rest, rest, "again", NULL);
    if (strcmp(verb, "child") == 0)
        return go_on_as_child();
    if (strcmp(verb, "parent-exec") == 0)
        return exec_parent(rest);
    errno = EINVAL;
    return -1;
}

int main(int argc, char **argv)
{
    char line[512];
    if (argc == 3 && strcmp(argv[1], "parent") == 0) { /* another program now, still the parent */
        dprintf(atoi(argv[2]), "ok");
        wait(NULL);
        return 0;
    }
    if (argc == 2) /* by exec: it has worked */
        puts("ok");
    setvbuf(stdin, NULL, _IONBF, 0); /* what an exec leaves unread is for the next program */
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        char *rest = line + strcspn(line, " ");
        if (*rest)
            *rest++ = '\0';
        puts(obey(line, rest) < 0 ? strerror(errno) : "ok");
    }
    return 0;
}
