/* One question to the running daemon over its local socket. */
#ifndef FILEWARD_CLI_CLIENT_H
#define FILEWARD_CLI_CLIENT_H

#include <stddef.h>

struct reply {
    int status; /* HTTP status */
    char *body; /* NUL-terminated */
    size_t len;
};

/* GET `url`. 0 and *reply (the caller frees its body), or -1 with errno: ENOENT and ECONNREFUSED when nobody serves,
 * EACCES, ETIMEDOUT, EPROTO when the answer is not HTTP, EFBIG. */
int client_get(const char *socket_path, const char *url, struct reply *reply);

/* The same, with a message on standard error that says the remedy. An exit status: 0 when reply->status is 200. */
int client_ask(const char *socket_path, const char *url, struct reply *reply);

#endif
