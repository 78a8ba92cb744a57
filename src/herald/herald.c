#include "fileward/herald.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "herald/http.h"
#include "herald/journal.h"
#include "herald/json.h"
#include "herald/log.h"
#include "herald/self.h"
#include "herald/status.h"
#include "herald/stream.h"
#include "herald/window.h"

enum {
    TURN = 256, /* records taken from a ring before others get a turn */
    HTTP_CLIENT_SECONDS = 10,
};

struct herald {
    struct herald_setup setup;
    struct loop loop;
    struct log log;
    struct journal journal;
    struct window window;
    struct stream stream;
    struct self self;
    struct utsname system;
    struct http *http;
    int64_t next_second_ns;
    int end_fd;
};

static void write_line(void *ctx, const char *line, size_t len)
{
    struct herald *h = ctx;
    log_write(&h->log, line, len);
    journal_write(&h->journal, line, len);
    window_add(&h->window, line, len);
}

static struct state state_of(const struct herald *h)
{
    struct state s = {
        .policy = h->setup.policy,
        .board = h->setup.board,
        .kernel = h->system.release,
        .journal_dropped = h->journal.dropped,
        .usage = self_usage(&h->self),
        .now_ns = clock_now(),
        .wall_ns = clock_wall(),
    };
    for (int i = 0; i < ROLE_COUNT; i++)
        s.dropped[i] = h->setup.rings[i] ? ring_dropped(h->setup.rings[i]) : 0;
    s.dropped[ROLE_HERALD] += h->log.lost;
    return s;
}

static struct body metrics_body(const struct state *s)
{
    struct body b = {.type = "text/plain; version=0.0.4; charset=utf-8"};
    FILE *f = open_memstream(&b.text, &b.len);
    if (!f)
        return b;
    metrics_write(f, s);
    if (fclose(f) == 0)
        return b;
    free(b.text);
    b.text = NULL;
    return b;
}

static struct body health_body(const struct state *s)
{
    const char *trouble = status_trouble(s);
    struct body b = {.type = "text/plain; charset=utf-8", .status = trouble ? 503 : 200};
    int n = asprintf(&b.text, "%s\n", trouble ? trouble : "ok");
    if (n < 0)
        b.text = NULL;
    b.len = n < 0 ? 0 : (size_t)n;
    return b;
}

static struct body tell(void *ctx, const struct answer *a)
{
    const struct herald *h = ctx;
    struct body b = {.type = "application/json"};
    if (a->route == ROUTE_EVENTS) {
        b.text = window_json(&h->window, a->after, a->limit, &b.len);
        return b;
    }
    struct state s = state_of(h);
    if (a->route == ROUTE_METRICS)
        return metrics_body(&s);
    if (a->route == ROUTE_HEALTH)
        return health_body(&s);
    s.names = a->names;
    b.text = a->route == ROUTE_RELOAD ? reload_json(&s) : status_json(&s);
    b.len = b.text ? strlen(b.text) : 0;
    return b;
}

/* Takes a turn's worth; more than that waits for the next round of the loop. */
static void on_records(void *ctx, int fd, uint32_t events)
{
    struct herald *h = ctx;
    uint64_t wakes;
    (void)events;
    for (int i = 0; i < ROLE_COUNT; i++) {
        struct ring *r = h->setup.rings[i];
        if (!r || r->wake_fd != fd)
            continue;
        if (read(fd, &wakes, sizeof wakes) < 0 && errno != EAGAIN)
            return;
        if (stream_take(&h->stream, r, TURN) == TURN && write(fd, &(uint64_t){1}, sizeof(uint64_t)) < 0)
            return; /* it is readable then, at its limit */
    }
}

static void drain(struct herald *h, bool final)
{
    for (int i = 0; i < ROLE_COUNT; i++) {
        struct ring *r = h->setup.rings[i];
        if (!r)
            continue;
        /* A role that is alive may push faster than we write. */
        for (int turn = 0; turn < 1024 && stream_take(&h->stream, r, TURN) == TURN; turn++)
            ;
        stream_tell_tail(&h->stream, r, final);
    }
    log_tell_lost(&h->log);
}

static void on_control(void *ctx, int fd, uint32_t events)
{
    struct herald *h = ctx;
    char words[16];
    (void)events;
    ssize_t n = read(fd, words, sizeof words);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        loop_remove(&h->loop, fd);
    for (ssize_t i = 0; i < n; i++) {
        if (words[i] == 'r')
            log_reopen(&h->log);
    }
}

static void on_end(void *ctx, int fd, uint32_t events)
{
    struct herald *h = ctx;
    (void)fd, (void)events;
    h->loop.stop = true;
}

static void on_alone(void *ctx, int fd, uint32_t events)
{
    struct herald *h = ctx;
    char line[LINE_BYTES_MAX];
    if (!(events & (EPOLLHUP | EPOLLERR)))
        return;
    loop_remove(&h->loop, fd);
    drain(h, true);
    write_line(h, line, stop_line(line, clock_wall(), "keeper and judge are gone"));
    h->loop.stop = true;
}

static void set_deadline(struct herald *h)
{
    int64_t http = http_deadline(h->http);
    h->loop.deadline = http && http < h->next_second_ns ? http : h->next_second_ns;
}

static void on_deadline(void *ctx)
{
    struct herald *h = ctx;
    http_tick(h->http);
    if (clock_now() < h->next_second_ns)
        return;
    h->next_second_ns = clock_now() + NS_PER_S;
    (void)!write(h->setup.control_fd, "b", 1);
    drain(h, false);
}

static int attach(struct herald *h)
{
    const struct herald_setup *s = &h->setup;
    h->loop.on_deadline = on_deadline;
    h->loop.deadline_ctx = h;
    for (int i = 0; i < ROLE_COUNT; i++)
        if (s->rings[i] && loop_add(&h->loop, s->rings[i]->wake_fd, EPOLLIN, on_records, h) < 0)
            return -1;
    if (loop_add(&h->loop, s->control_fd, EPOLLIN, on_control, h) < 0)
        return -1;
    if (loop_add(&h->loop, s->alive_fd, 0, on_alone, h) < 0)
        return -1;
    if (loop_add(&h->loop, h->end_fd, EPOLLIN, on_end, h) < 0)
        return -1;
    return http_attach(h->http, &h->loop);
}

struct herald *herald_prepare(const struct herald_setup *setup)
{
    struct herald *h = calloc(1, sizeof *h);
    if (!h || loop_init(&h->loop) < 0) {
        perror("fileward: herald");
        free(h);
        return NULL;
    }
    h->setup = *setup;
    h->end_fd = loop_end_fd();
    h->log = (struct log){.fd = setup->log_fd, .dir_fd = setup->log_dir_fd, .name = setup->log_name};
    h->journal = (struct journal){.fd = setup->journal_fd};
    h->stream = (struct stream){.write = write_line, .ctx = h};
    uname(&h->system);
    self_open(&h->self);
    json_object_seed(0); /* opens /dev/urandom, once */
    h->http = http_start(setup->http_fd, setup->socket_fd, HTTP_CLIENT_SECONDS, setup->policy->settings.uid,
                         setup->policy->settings.gid, tell, h);
    if (h->http && attach(h) == 0)
        return h;
    perror("fileward: herald");
    return NULL;
}

void herald_run(struct herald *h)
{
    h->next_second_ns = clock_now() + NS_PER_S;
    while (!h->loop.stop) {
        set_deadline(h);
        loop_once(&h->loop, -1);
    }
    drain(h, true);
}
