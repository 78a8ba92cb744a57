#include "keeper/files.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/own.h"

static int failed(const char *what, const char *path)
{
    fprintf(stderr, "fileward: %s %s: %s\n", what, path, strerror(errno));
    return -1;
}

/* The directory of `path`, opened; made if it is missing, then owned by uid:gid. */
static int open_directory(const char *path, uint32_t uid, uint32_t gid, mode_t mode, const char **name)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (n == 0 || n >= sizeof dir) {
        errno = EINVAL;
        return failed("cannot use", path);
    }
    memcpy(dir, path, n);
    dir[n] = '\0';
    *name = slash + 1;
    bool made = mkdir(dir, mode) == 0;
    CLEAN_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || (made && fchown(fd, uid, gid) < 0))
        return failed("cannot open the directory", dir);
    return STEAL_FD(fd);
}

static int open_log(const struct settings *s, struct files *f)
{
    const char *name;
    f->log_dir = open_directory(s->log_file, s->uid, s->gid, 0750, &name);
    if (f->log_dir < 0)
        return -1;
    snprintf(f->log_name, sizeof f->log_name, "%s", name);
    f->log = openat(f->log_dir, f->log_name, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640);
    struct stat st;
    if (f->log < 0 || fstat(f->log, &st) < 0)
        return failed("cannot write the log", s->log_file);
    if (!S_ISREG(st.st_mode)) {
        fprintf(stderr, "fileward: the log %s is not a regular file\n", s->log_file);
        return -1;
    }
    if (fchown(f->log, s->uid, s->gid) < 0)
        return failed("cannot give the service user the log", s->log_file);
    return 0;
}

/* The lock is ours, or somebody's who runs already. */
static int take_lock(struct files *f)
{
    pid_t keeper = lock_holder(f->lock, LOCK_KEEPER);
    if (!keeper && lock_take(f->lock, LOCK_KEEPER)) {
        f->judge = lock_holder(f->lock, LOCK_JUDGE);
        return 0;
    }
    fprintf(stderr,
            "fileward: it runs already (process %d): `fileward reload` makes it read its policy again, `fileward stop` "
            "ends it; a second one needs another `socket`\n",
            keeper);
    return -1;
}

static const char fresh[] = ".fileward.sock.new"; /* the socket, before it has its name */
static const char usual_gate[] = "/run/fileward/gate";

int files_take_usual_gate(struct files *f)
{
    f->lock = open(usual_gate, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    return f->lock < 0 ? 0 : take_lock(f);
}

/* Whether the lock that we have already is that of this directory: to open and close it again would give it away. */
static bool has_gate_of(const struct files *f, int dir)
{
    struct stat ours, theirs;
    return f->lock >= 0 && fstat(f->lock, &ours) == 0 && fstatat(dir, "gate", &theirs, AT_SYMLINK_NOFOLLOW) == 0 &&
           ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

/* A FIFO, because nobody is ever asked about one. With a file in a guarded directory each question about it would give
 * the judge a descriptor of it; and who closes any descriptor of a file loses his POSIX locks on it. */
static int open_gate(int dir, const struct settings *s, struct files *f)
{
    struct stat st;
    if (mkfifoat(dir, "gate", 0600) < 0 && errno != EEXIST)
        return failed("cannot make the lock beside", s->socket);
    f->lock = openat(dir, "gate", O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (f->lock < 0 || fstat(f->lock, &st) < 0)
        return failed("cannot open the lock beside", s->socket);
    if (S_ISFIFO(st.st_mode) && st.st_uid == 0)
        return take_lock(f);
    fprintf(stderr, "fileward: `gate` beside %s is not a FIFO of root's: remove it\n", s->socket);
    return -1;
}

int files_take_gate(const struct policy *p, struct files *f)
{
    const struct settings *s = &p->settings;
    const char *name;
    int dir = f->run_dir = open_directory(s->socket, 0, s->gid, 0755, &name);
    if (dir < 0)
        return -1;
    if (!has_gate_of(f, dir)) {
        if (f->lock >= 0)
            close(f->lock);
        if (open_gate(dir, s, f) < 0)
            return -1;
    }
    f->ledger = openat(dir, "ledger", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    struct stat st;
    if (f->ledger < 0 || fstat(f->ledger, &st) < 0)
        return failed("cannot make the ledger beside", s->socket);
    if (S_ISREG(st.st_mode) && st.st_uid == 0 && st.st_nlink == 1 && !(st.st_mode & (S_IWGRP | S_IWOTH)))
        return 0;
    fprintf(stderr, "fileward: `ledger` beside %s is not a file of root's alone: remove it\n", s->socket);
    return -1;
}

/* It listens under another name until files_announce(): a keeper that does not come to serve takes nothing away from the
 * family that does. By the directory's descriptor, so that the name may be as long as the socket's own may be. */
static int open_socket(const struct settings *s, struct files *f)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = strlen(s->socket);
    if (n >= sizeof f->socket_path) {
        fprintf(stderr, "fileward: the name of `socket` is longer than %zu bytes: %s\n", sizeof f->socket_path - 1,
                s->socket);
        return -1;
    }
    memcpy(f->socket_path, s->socket, n + 1);
    snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/%s", f->run_dir, fresh);
    f->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (unlinkat(f->run_dir, fresh, 0) < 0 && errno != ENOENT) /* of one that was interrupted: we hold the lock */
        return failed("cannot replace the socket", s->socket);
    mode_t mask = umask(0117);
    int rc = f->socket < 0 ? -1 : bind(f->socket, (struct sockaddr *)&a, sizeof a);
    umask(mask);
    if (rc < 0 || fchownat(f->run_dir, fresh, 0, s->gid, AT_SYMLINK_NOFOLLOW) < 0 || listen(f->socket, 16) < 0)
        return failed("cannot listen on the socket", s->socket);
    return 0;
}

static const char *socket_name(const struct files *f)
{
    return strrchr(f->socket_path, '/') + 1;
}

/* "127.0.0.1:9842" or "[::1]:9842"; the parser has checked the form. */
static socklen_t parse_address(const char *text, struct sockaddr_storage *out)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    if (n == 0 || n >= sizeof host)
        return 0;
    memcpy(host, text, n);
    host[n] = '\0';
    in_port_t port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    if (host[0] == '[') {
        struct sockaddr_in6 *a = (struct sockaddr_in6 *)out;
        *a = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
        host[n - 1] = '\0';
        return inet_pton(AF_INET6, host + 1, &a->sin6_addr) == 1 ? sizeof *a : 0;
    }
    struct sockaddr_in *a = (struct sockaddr_in *)out;
    *a = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
    return inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &a->sin_addr) == 1 ? sizeof *a : 0;
}

static int open_http(const struct settings *s, struct files *f)
{
    struct sockaddr_storage a = {0}, had = {0};
    socklen_t had_len = sizeof had;
    CLEAN_FD int inherited = STEAL_FD(f->http);
    if (!s->listen)
        return 0;
    socklen_t len = parse_address(s->listen, &a);
    if (inherited >= 0 && len > 0 && getsockname(inherited, (struct sockaddr *)&had, &had_len) == 0 && had_len == len &&
        memcmp(&a, &had, len) == 0) {
        f->http = STEAL_FD(inherited);
        return 0;
    }
    if (inherited >= 0) /* another address, or perhaps the same one of a port that must be free first */
        close(STEAL_FD(inherited));
    f->http = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (len == 0 || f->http < 0)
        return failed("cannot use the address", s->listen);
    setsockopt(f->http, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(f->http, (struct sockaddr *)&a, len) == 0 && listen(f->http, 64) == 0)
        return 0;
    if (errno == EADDRINUSE) {
        fprintf(stderr,
                "fileward: another program listens on %s: set `listen` in [fileward] to a free port, or to off\n",
                s->listen);
        return -1;
    }
    return failed("cannot listen on", s->listen);
}

static int open_journal(const struct settings *s, struct files *f)
{
    const struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket"};
    f->journal = -1;
    if (!s->journal)
        return 0;
    f->journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (f->journal < 0 || connect(f->journal, (const struct sockaddr *)&a, sizeof a) < 0) {
        fprintf(stderr, "fileward: journal = yes, but journald does not answer (%s: %s): set it to no\n", a.sun_path,
                strerror(errno));
        return -1;
    }
    return 0;
}

int files_open(const struct policy *p, struct files *f)
{
    const struct settings *s = &p->settings;
    f->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (f->null < 0)
        return failed("cannot open", "/dev/null");
    if (open_log(s, f) < 0 || open_http(s, f) < 0 || open_journal(s, f) < 0)
        return -1;
    return open_socket(s, f);
}

void files_announce(struct files *f)
{
    f->announced = renameat(f->run_dir, fresh, f->run_dir, socket_name(f)) == 0;
}

void files_remove(const struct files *f, bool name)
{
    unlinkat(f->run_dir, fresh, 0);
    if (name)
        unlinkat(f->run_dir, socket_name(f), 0);
}
