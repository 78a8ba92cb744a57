/* What the commands write with --json: names as in the records, and printable ASCII only. */
#ifndef FILEWARD_CLI_JSON_H
#define FILEWARD_CLI_JSON_H

#include <jansson.h>

/* Sets `key` of `o` to the bytes of a name, each one that is not UTF-8 replaced by U+FFFD; then KEY_hex has them all.
 * NULL or "": null. */
void json_put_name(json_t *o, const char *key, const char *name);

/* Writes one line to standard output. */
void json_print(const json_t *o);

#endif
