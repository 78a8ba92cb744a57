/* HTTP on two listening sockets, TCP and local, run by the herald's loop. Knows nothing of what is told. */
#ifndef FILEWARD_HERALD_HTTP_H
#define FILEWARD_HERALD_HTTP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"
#include "herald/request.h"

enum {
    HTTP_CLIENTS = 8, /* at once, on each socket; more wait to be accepted */
};

/* A body for a route. */
struct body {
    const char *type; /* media type */
    char *text;       /* from malloc; NULL when memory is out */
    size_t len;
    unsigned status; /* 0: 200 */
};
typedef struct body http_teller(void *ctx, const struct answer *a);

struct http;

/* Starts serving on the sockets (-1: not on that one); they stay the caller's. `client_seconds`: what a client has in
 * all, however busy, for its request and the answer. `uid` and `gid` may use the local socket beside root. Returns NULL
 * after a message on standard error. */
struct http *http_start(int tcp_fd, int local_fd, unsigned client_seconds, uid_t uid, gid_t gid, http_teller *tell,
                        void *ctx);

/* Lets `l` drive it. 0, or -1 with errno. */
int http_attach(struct http *h, struct loop *l);

/* Does what is due: ends clients that took too long, or went away in the middle of their request. Call it once a second,
 * and at http_deadline(). */
void http_tick(struct http *h);

/* clock_now() time at which http_tick() has something to do at once; 0 none. */
int64_t http_deadline(const struct http *h);

#endif
