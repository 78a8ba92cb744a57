#include "herald/request.h"

#include <string.h>
#include <strings.h>

bool request_number(const char *text, uint64_t *out)
{
    size_t n = strspn(text, "0123456789");
    uint64_t value = 0;
    if (n == 0 || n > 18 || text[n] != '\0')
        return false;
    for (size_t i = 0; i < n; i++)
        value = value * 10 + (uint64_t)(text[i] - '0');
    *out = value;
    return true;
}

bool request_host_is_ours(const char *host)
{
    static const char *const ours[] = {"localhost", "127.0.0.1", "[::1]"};
    uint64_t port;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        size_t n = strlen(ours[i]);
        if (strncasecmp(host, ours[i], n) != 0)
            continue;
        if (host[n] == '\0')
            return true;
        if (host[n] == ':' && request_number(host + n + 1, &port) && port > 0 && port <= 65535)
            return true;
    }
    return false;
}

/* "http://" and a name of ours. */
static bool origin_is_ours(const char *origin)
{
    static const char scheme[] = "http://";
    return strncasecmp(origin, scheme, sizeof scheme - 1) == 0 && request_host_is_ours(origin + sizeof scheme - 1);
}

static struct answer refuse(unsigned status, const char *error)
{
    return (struct answer){.route = ROUTE_ERROR, .status = status, .error = error};
}

static struct answer events(const struct request *q)
{
    struct answer a = {.route = ROUTE_EVENTS, .status = 200, .limit = EVENTS_LIMIT_DEFAULT};
    if (!q->local)
        return refuse(403, "events are served on the local socket only: use fileward events, or the socket");
    if (q->after && !request_number(q->after, &a.after))
        return refuse(400, "after must be a number: the \"next\" of the last answer");
    if (q->limit && !request_number(q->limit, &a.limit))
        return refuse(400, "limit must be a number from 1 to 1024");
    if (a.limit < 1 || a.limit > EVENTS_LIMIT)
        return refuse(400, "limit must be a number from 1 to 1024");
    return a;
}

/* Who may ask at all. Over TCP anyone on this machine may, but no web page on behalf of its reader. */
static const char *stranger(const struct request *q)
{
    if (q->local)
        return q->trusted ? NULL : "only root and the group of the fileward service may ask here";
    if (q->hosts != 1 || !q->host || !request_host_is_ours(q->host))
        return "send one Host header that is localhost, 127.0.0.1 or [::1]";
    if (q->origin && !origin_is_ours(q->origin))
        return "requests from other web sites are not answered";
    if (q->fetch_site && strcasecmp(q->fetch_site, "same-origin") != 0 && strcasecmp(q->fetch_site, "none") != 0)
        return "requests from other web sites are not answered";
    return NULL;
}

struct answer request_answer(const struct request *q)
{
    const char *why = stranger(q);
    if (why)
        return refuse(403, why);
    if (q->url[0] != '/')
        return refuse(400, "ask for a path, such as /metrics");
    if (strcmp(q->method, "GET") != 0 && strcmp(q->method, "HEAD") != 0) {
        struct answer a = refuse(405, "use GET or HEAD");
        a.allow = "GET, HEAD";
        return a;
    }
    if (strcmp(q->url, "/metrics") == 0)
        return (struct answer){.route = ROUTE_METRICS, .status = 200};
    if (strcmp(q->url, "/healthz") == 0)
        return (struct answer){.route = ROUTE_HEALTH, .status = 200};
    if (strcmp(q->url, "/status") == 0)
        return (struct answer){.route = ROUTE_STATUS, .status = 200, .names = q->local};
    if (strcmp(q->url, "/api/events") == 0)
        return events(q);
    if (strcmp(q->url, "/api/reload") == 0)
        return q->local ? (struct answer){.route = ROUTE_RELOAD, .status = 200}
                        : refuse(403, "what was said of the policy is told on the local socket only");
    return refuse(404, "there are /metrics, /healthz, /status, and on the local socket /api/events and /api/reload");
}
