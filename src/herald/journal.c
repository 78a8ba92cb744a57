#include "herald/journal.h"

#include <endian.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/own.h"
#include "base/sentence.h"

/* What is sent under which name: a key of the record, or of one of its parts. */
static const struct {
    const char *field, *part, *key;
} fields[] = {
    {"FILEWARD_KIND", NULL, "kind"},
    {"FILEWARD_ROLE", NULL, "role"},
    {"FILEWARD_WATCH", NULL, "watch"},
    {"FILEWARD_RULE", NULL, "rule"},
    {"FILEWARD_OP", NULL, "op"},
    {"FILEWARD_DECISION", NULL, "decision"},
    {"FILEWARD_VERDICT", NULL, "verdict"},
    {"FILEWARD_REASON", NULL, "reason"},
    {"FILEWARD_PATH", NULL, "path"},
    {"FILEWARD_PATH", "object", "path"},
    {"FILEWARD_PATH_HEX", "object", "path_hex"},
    {"FILEWARD_EXE", "subject", "exe"},
    {"FILEWARD_EXE_HEX", "subject", "exe_hex"},
    {"FILEWARD_PID", "subject", "pid"},
    {"FILEWARD_UID", "subject", "uid"},
    {"FILEWARD_UNIT", "subject", "unit"},
};

/* With its length in front, so that no content can pass for another field. */
static void put_field(FILE *f, const char *field, const char *value, size_t len)
{
    uint64_t little = htole64(len);
    fprintf(f, "%s\n", field);
    fwrite(&little, sizeof little, 1, f);
    fwrite(value, 1, len, f);
    fputc('\n', f);
}

static void put_value(FILE *f, const char *field, const json_t *v)
{
    char text[32];
    if (json_is_string(v))
        put_field(f, field, json_string_value(v), json_string_length(v));
    else if (json_is_integer(v))
        put_field(f, field, text, (size_t)snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(v)));
}

static void put_message(FILE *f, const json_t *o)
{
    CLEAN_FREE char *text = NULL;
    size_t len = 0;
    FILE *m = open_memstream(&text, &len);
    if (!m)
        return;
    sentence_write(m, o, (struct sentence_style){0});
    if (fclose(m) == 0)
        put_field(f, "MESSAGE", text, len);
}

static char priority(const json_t *o)
{
    static const char by_outcome[] = {
        [OUTCOME_ALLOWED] = '6', [OUTCOME_WOULD_DENY] = '5', [OUTCOME_DENIED] = '4', [OUTCOME_NOTICE] = '5'};
    return by_outcome[sentence_outcome(o)];
}

char *journal_datagram(const char *line, size_t len, size_t *size)
{
    json_t *o = json_loadb(line, len, 0, NULL);
    char *out = NULL;
    FILE *f = o ? open_memstream(&out, size) : NULL;
    if (f) {
        fprintf(f, "SYSLOG_IDENTIFIER=fileward\nPRIORITY=%c\n", priority(o));
        put_message(f, o);
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
            const json_t *part = fields[i].part ? json_object_get(o, fields[i].part) : o;
            put_value(f, fields[i].field, json_object_get(part, fields[i].key));
        }
    }
    json_decref(o);
    if (f && fclose(f) == 0)
        return out;
    free(out);
    return NULL;
}

void journal_write(struct journal *j, const char *line, size_t len)
{
    if (j->fd < 0)
        return;
    size_t size = 0;
    CLEAN_FREE char *datagram = journal_datagram(line, len, &size);
    if (!datagram || send(j->fd, datagram, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        j->dropped++;
}
