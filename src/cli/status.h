/* `status` for people. */
#ifndef FILEWARD_CLI_STATUS_H
#define FILEWARD_CLI_STATUS_H

#include <jansson.h>
#include <stdio.h>

/* Writes what /status says. Whatever is missing or of a wrong type shows as "?" or 0. */
void status_text(FILE *f, const json_t *status);

#endif
