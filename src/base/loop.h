/* An event loop over epoll: handlers for descriptors, and one deadline. */
#ifndef FILEWARD_BASE_LOOP_H
#define FILEWARD_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

enum { LOOP_HANDLERS_MAX = 128 };

typedef void loop_handler(void *ctx, int fd, uint32_t events);

struct loop {
    int epoll_fd;
    bool stop;        /* set by a handler to leave loop_run() */
    int64_t deadline; /* clock_now() time to call on_deadline at; 0 none */
    void (*on_deadline)(void *ctx);
    void *deadline_ctx;
    struct loop_entry {
        int fd; /* -1: free */
        loop_handler *handler;
        void *ctx;
    } entries[LOOP_HANDLERS_MAX];
};

/* 0, or -1 with errno. */
int loop_init(struct loop *l);
/* Calls handler when `fd` is ready for `events` (EPOLLIN ...). Does not own fd. 0, or -1 with errno. */
int loop_add(struct loop *l, int fd, uint32_t events, loop_handler *handler, void *ctx);
void loop_remove(struct loop *l, int fd);
/* Waits once (at most `max_wait_ms`, -1 for ever, and never past the deadline) and calls what is due. */
void loop_once(struct loop *l, int max_wait_ms);
/* Until l->stop. */
void loop_run(struct loop *l);
void loop_close(struct loop *l);

/* A descriptor that becomes readable when the process is told to end (SIGTERM, which is blocked from then on); -1 with
 * errno. */
int loop_end_fd(void);

#endif
