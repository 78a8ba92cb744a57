/* The service manager's notification protocol (sd_notify(3)): datagrams to $NOTIFY_SOCKET. */
#ifndef FILEWARD_BASE_NOTIFY_H
#define FILEWARD_BASE_NOTIFY_H

/* A connected socket, or -1 when nobody wants to be told. Takes NOTIFY_SOCKET out of the environment. */
int notify_open(void);

/* Sends e.g. "READY=1"; never blocks; with fd -1 does nothing. */
void notify_send(int fd, const char *text);

#endif
