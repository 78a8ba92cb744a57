/* The records of the log, for people. */
#ifndef FILEWARD_CLI_EVENTS_H
#define FILEWARD_CLI_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct viewer {
    FILE *out;
    bool json, denied, colour;
    int64_t since_ns; /* 0: all */
    char day[16];     /* of the line printed last */
    size_t malformed; /* lines that are no records */
};

/* Prints a line of the log (without its newline) if it is asked for. Returns whether it was. The line is hostile. */
bool viewer_line(struct viewer *v, const char *line, size_t len);

/* Whether a line is asked for. */
bool viewer_wants(struct viewer *v, const char *line, size_t len);

#endif
