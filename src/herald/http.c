#include "herald/http.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"

enum { CLIENT_MEMORY = 16384, PEER_GROUPS_MAX = 256, RUNS_MAX = 32 };

/* One listening socket and its clients. */
struct side {
    struct http *http;
    struct MHD_Daemon *daemon; /* NULL: not served */
    int epoll_fd;
    bool local;
    struct client {
        int fd; /* -1: free */
        int64_t since_ns;
        bool asked; /* its request was complete */
    } clients[HTTP_CLIENTS];
};

struct http {
    struct side sides[2];
    unsigned client_seconds;
    uid_t uid;
    gid_t gid;
    http_teller *tell;
    void *ctx;
};

static const struct {
    const char *name, *value;
} headers[] = {
    {"Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cache-Control", "no-store"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    /* One request for each connection: a time limit then needs no exception. */
    {"Connection", "close"},
};

static int client_fd(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

/* Root, the service's user, and members of its group as they were when the connection was made. */
static bool trusted_peer(const struct http *h, int fd)
{
    struct ucred peer;
    gid_t groups[PEER_GROUPS_MAX];
    socklen_t size = sizeof peer, groups_size = sizeof groups;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return false;
    if (peer.uid == 0 || peer.uid == h->uid || peer.gid == h->gid)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_size) < 0)
        return false;
    for (size_t i = 0; i < groups_size / sizeof *groups; i++)
        if (groups[i] == h->gid)
            return true;
    return false;
}

static enum MHD_Result count_hosts(void *n, enum MHD_ValueKind kind, const char *key, const char *value)
{
    (void)kind, (void)value;
    if (strcasecmp(key, MHD_HTTP_HEADER_HOST) == 0)
        ++*(unsigned *)n;
    return MHD_YES;
}

static struct request read_request(const struct side *s, struct MHD_Connection *c, const char *method, const char *url)
{
    struct request q = {
        .method = method,
        .url = url,
        .host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST),
        .origin = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ORIGIN),
        .fetch_site = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Sec-Fetch-Site"),
        .after = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "after"),
        .limit = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "limit"),
        .local = s->local,
        .trusted = s->local && trusted_peer(s->http, client_fd(c)),
    };
    MHD_get_connection_values(c, MHD_HEADER_KIND, count_hosts, &q.hosts);
    return q;
}

static struct body error_body(const struct answer *a)
{
    struct body b = {.type = "text/plain; charset=utf-8", .status = a->status};
    int n = asprintf(&b.text, "%s\n", a->error);
    if (n < 0)
        b.text = NULL;
    b.len = n < 0 ? 0 : (size_t)n;
    return b;
}

static enum MHD_Result send_body(struct MHD_Connection *c, const struct body *b, const struct answer *a)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(b->len, b->text, MHD_RESPMEM_MUST_FREE);
    if (!r) {
        free(b->text);
        return MHD_NO;
    }
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        MHD_add_response_header(r, headers[i].name, headers[i].value);
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, b->type);
    if (a->allow)
        MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, a->allow);
    enum MHD_Result queued = MHD_queue_response(c, b->status ? b->status : a->status, r);
    MHD_destroy_response(r);
    return queued;
}

static struct client *find_client(struct side *s, int fd)
{
    for (int i = 0; i < HTTP_CLIENTS; i++)
        if (s->clients[i].fd == fd)
            return &s->clients[i];
    return NULL;
}

/* The library calls this once the headers are there, then for each piece of a body, then at its end: the first call
 * answers, and what else the client has to say is not read. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **request_ctx)
{
    struct side *s = ctx;
    (void)version, (void)upload, (void)upload_size, (void)request_ctx;
    struct client *k = find_client(s, client_fd(c));
    if (k)
        k->asked = true;
    struct request q = read_request(s, c, method, url);
    struct answer a = request_answer(&q);
    struct body b = a.route == ROUTE_ERROR ? error_body(&a) : s->http->tell(s->http->ctx, &a);
    return b.text ? send_body(c, &b, &a) : MHD_NO;
}

static void on_connection(void *ctx, struct MHD_Connection *c, void **socket_ctx,
                          enum MHD_ConnectionNotificationCode what)
{
    struct side *s = ctx;
    (void)socket_ctx;
    int fd = client_fd(c);
    bool begins = what == MHD_CONNECTION_NOTIFY_STARTED;
    struct client *k = find_client(s, begins ? -1 : fd);
    if (k)
        *k = (struct client){.fd = begins ? fd : -1, .since_ns = clock_now()};
}

static void run(struct side *s)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    /* Some work shows as a time-out of 0 and not as an event. */
    for (int i = 0; i < RUNS_MAX; i++) {
        MHD_run(s->daemon);
        if (MHD_get_timeout(s->daemon, &ms) != MHD_YES || ms > 0)
            return;
    }
}

static void on_ready(void *ctx, int fd, uint32_t events)
{
    (void)fd, (void)events;
    run(ctx);
}

static bool start_side(struct http *h, struct side *s, int fd, bool local)
{
    *s = (struct side){.http = h, .epoll_fd = -1, .local = local};
    for (int i = 0; i < HTTP_CLIENTS; i++)
        s->clients[i].fd = -1;
    if (fd < 0)
        return true;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return false;
    /* No clock: for a Date header the library would open /etc/localtime, which may be guarded. */
    s->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_SUPPRESS_DATE_NO_CLOCK, 0, NULL, NULL, on_request, s,
                                 MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CLIENTS,
                                 MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CLIENT_MEMORY,
                                 MHD_OPTION_CONNECTION_TIMEOUT, h->client_seconds, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                                 MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_END);
    const union MHD_DaemonInfo *info = s->daemon ? MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (!info)
        return false;
    s->epoll_fd = info->epoll_fd;
    return true;
}

struct http *http_start(int tcp_fd, int local_fd, unsigned client_seconds, uid_t uid, gid_t gid, http_teller *tell,
                        void *ctx)
{
    struct http *h = malloc(sizeof *h);
    if (!h)
        return NULL;
    *h = (struct http){.client_seconds = client_seconds, .uid = uid, .gid = gid, .tell = tell, .ctx = ctx};
    if (start_side(h, &h->sides[0], tcp_fd, false) && start_side(h, &h->sides[1], local_fd, true))
        return h;
    perror("fileward: cannot serve HTTP");
    free(h);
    return NULL;
}

int http_attach(struct http *h, struct loop *l)
{
    for (int i = 0; i < 2; i++)
        if (h->sides[i].daemon && loop_add(l, h->sides[i].epoll_fd, EPOLLIN, on_ready, &h->sides[i]) < 0)
            return -1;
    return 0;
}

/* Whether it took too long, or will not complete its request any more. The library's own time limit starts anew with
 * each byte, and it overlooks an end that comes together with the last bytes. */
static bool is_over(const struct client *k, int64_t oldest)
{
    char byte;
    return k->since_ns < oldest || (!k->asked && recv(k->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0);
}

void http_tick(struct http *h)
{
    int64_t oldest = clock_now() - h->client_seconds * NS_PER_S;
    for (int i = 0; i < 2; i++) {
        struct side *s = &h->sides[i];
        if (!s->daemon)
            continue;
        for (int k = 0; k < HTTP_CLIENTS; k++)
            if (s->clients[k].fd >= 0 && is_over(&s->clients[k], oldest))
                shutdown(s->clients[k].fd, SHUT_RDWR);
        run(s);
    }
}

int64_t http_deadline(const struct http *h)
{
    int64_t first = 0;
    for (int i = 0; i < 2; i++) {
        MHD_UNSIGNED_LONG_LONG ms = 0;
        if (!h->sides[i].daemon || MHD_get_timeout(h->sides[i].daemon, &ms) != MHD_YES || ms > 60000)
            continue;
        int64_t at = clock_now() + (int64_t)ms * NS_PER_MS;
        if (first == 0 || at < first)
            first = at;
    }
    return first;
}
