#include "cli/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/text.h"
#include "cli/cli.h"

enum { WAIT_MS = 5000, REPLY_MAX = 32 << 20, REPLY_STEP = 65536 };

static int fail(int error)
{
    errno = error;
    return -1;
}

static int reach(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path)
        return fail(ENAMETOOLONG);
    strcpy(a.sun_path, path);
    CLEAN_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&a, sizeof a) < 0)
        return -1;
    return STEAL_FD(fd);
}

static int send_request(int fd, const char *url)
{
    char text[512];
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", url);
    if (n < 0 || n >= (int)sizeof text)
        return fail(ENAMETOOLONG);
    return send(fd, text, (size_t)n, MSG_NOSIGNAL) == n ? 0 : -1;
}

/* All until the daemon closes. */
static int receive(int fd, char **text, size_t *len)
{
    int64_t deadline = clock_now() + WAIT_MS * NS_PER_MS;
    CLEAN_FREE char *buffer = NULL;
    *len = 0;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t left = (deadline - clock_now()) / NS_PER_MS;
        if (left <= 0 || poll(&p, 1, (int)left) == 0)
            return fail(ETIMEDOUT);
        char *larger = *len > REPLY_MAX ? NULL : realloc(buffer, *len + REPLY_STEP + 1);
        if (!larger)
            return fail(EFBIG);
        buffer = larger;
        ssize_t n = recv(fd, buffer + *len, REPLY_STEP, 0);
        if (n < 0)
            return -1;
        *len += (size_t)n;
        buffer[*len] = '\0';
        if (n == 0)
            break;
    }
    *text = STEAL_PTR(buffer);
    return 0;
}

int client_get(const char *socket_path, const char *url, struct reply *reply)
{
    CLEAN_FREE char *text = NULL;
    size_t len = 0;
    CLEAN_FD int fd = reach(socket_path);
    if (fd < 0 || send_request(fd, url) < 0 || receive(fd, &text, &len) < 0)
        return -1;
    const char *body = strstr(text, "\r\n\r\n");
    int status = strncmp(text, "HTTP/1.", 7) == 0 && len > 12 ? atoi(text + 9) : 0;
    if (!body || status < 100)
        return fail(EPROTO);
    body += 4;
    *reply = (struct reply){.status = status, .body = strdup(body), .len = len - (size_t)(body - text)};
    return reply->body ? 0 : -1;
}

static int explain_failure(const char *path, int error)
{
    char name[TEXT_ESCAPE_SIZE(128)];
    text_escape(name, sizeof name, path, strlen(path));
    if (error == ENOENT || error == ECONNREFUSED) {
        fprintf(stderr, "fileward: not running: nobody answers at %s; start it with: fileward run\n", name);
        return EXIT_NOT_RUNNING;
    }
    if (error == EACCES || error == EPERM) {
        fprintf(stderr, "fileward: not permitted to ask at %s: use root, or a member of the service's group\n", name);
        return EXIT_NOT_PERMITTED;
    }
    fprintf(stderr, "fileward: asking at %s: %s\n", name, strerror(error));
    return EXIT_FAILED;
}

int client_ask(const char *socket_path, const char *url, struct reply *reply)
{
    if (client_get(socket_path, url, reply) < 0)
        return explain_failure(socket_path, errno);
    if (reply->status == 200)
        return EXIT_SUCCESS;
    if (reply->status == 403)
        return explain_failure(socket_path, EACCES);
    fprintf(stderr, "fileward: the daemon answered with HTTP status %d\n", reply->status);
    return EXIT_FAILED;
}
