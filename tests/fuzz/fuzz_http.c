/* Any request: it is answered, an error with a reason, and events only to whom we trust. */
#include <stdlib.h>
#include <string.h>

#include "herald/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next string of the input, or NULL when there are none left or it begins with byte 1. */
static const char *next(const char **at, const char *end)
{
    if (*at >= end)
        return NULL;
    const char *text = *at;
    *at += strlen(text) + 1;
    return text[0] == '\1' ? NULL : text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[4096];
    if (size < 1 || size >= sizeof text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    const char *at = text, *end = text + size - 1;
    struct request q = {.local = data[0] & 1, .trusted = data[0] & 2, .hosts = data[0] >> 2 & 3};
    q.method = next(&at, end);
    q.url = next(&at, end);
    q.host = next(&at, end);
    q.origin = next(&at, end);
    q.fetch_site = next(&at, end);
    q.after = next(&at, end);
    q.limit = next(&at, end);
    q.method = q.method ? q.method : "";
    q.url = q.url ? q.url : "";
    struct answer a = request_answer(&q);
    bool admitted = q.local ? q.trusted : q.hosts == 1 && q.host && request_host_is_ours(q.host);
    if ((a.route == ROUTE_ERROR) != (a.error != NULL) || (a.route == ROUTE_ERROR) != (a.status >= 400))
        abort();
    if (a.route != ROUTE_ERROR && !admitted)
        abort();
    if (a.route == ROUTE_EVENTS && !(q.local && a.limit >= 1 && a.limit <= EVENTS_LIMIT))
        abort();
    return 0;
}
