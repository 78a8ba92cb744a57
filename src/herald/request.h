/* What an HTTP request is answered with: decided from plain data, without a socket. */
#ifndef FILEWARD_HERALD_REQUEST_H
#define FILEWARD_HERALD_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

enum { EVENTS_LIMIT = 1024 /* WINDOW_LINES */, EVENTS_LIMIT_DEFAULT = 100 };

enum route { ROUTE_ERROR, ROUTE_METRICS, ROUTE_HEALTH, ROUTE_STATUS, ROUTE_EVENTS, ROUTE_RELOAD };

/* As the client sent it. NULL: absent. */
struct request {
    const char *method, *url; /* without the query */
    const char *host, *origin, *fetch_site;
    unsigned hosts;            /* how many Host headers there were */
    const char *after, *limit; /* of the query */
    bool local;                /* came over the local socket */
    bool trusted;              /* ... from root or the service's user or group */
};

struct answer {
    enum route route;
    unsigned status;       /* HTTP status; 200 unless ROUTE_ERROR */
    const char *error;     /* a line that says the remedy */
    const char *allow;     /* value of the Allow header, with status 405 */
    uint64_t after, limit; /* of ROUTE_EVENTS */
    bool names;            /* of ROUTE_STATUS: paths and programs may be told */
};

struct answer request_answer(const struct request *q);

/* "localhost", "127.0.0.1" or "[::1]", with or without a port: nobody else's web page can have us under such a name. */
bool request_host_is_ours(const char *host);

/* A decimal number of up to 18 digits and nothing else. */
bool request_number(const char *text, uint64_t *out);

#endif
