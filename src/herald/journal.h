/* Lines to journald, in its native protocol: https://systemd.io/JOURNAL_NATIVE_PROTOCOL */
#ifndef FILEWARD_HERALD_JOURNAL_H
#define FILEWARD_HERALD_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

struct journal {
    int fd; /* connected datagram socket; -1: off */
    uint64_t dropped;
};

/* Sends one line of JSON as MESSAGE, PRIORITY and FILEWARD_ fields. Never waits: a full socket drops and counts. */
void journal_write(struct journal *j, const char *line, size_t len);

/* The datagram for a line. Caller frees; NULL when memory is out or the line is no JSON. */
char *journal_datagram(const char *line, size_t len, size_t *size);

#endif
