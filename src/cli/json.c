#include "cli/json.h"

#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/text.h"

static void put_hex(json_t *o, const char *key, const char *name, size_t len)
{
    char hex_key[32];
    CLEAN_FREE char *hex = malloc(TEXT_HEX_SIZE(len));
    if (!hex)
        return;
    text_hex(hex, TEXT_HEX_SIZE(len), name, len);
    snprintf(hex_key, sizeof hex_key, "%s_hex", key);
    json_object_set_new(o, hex_key, json_string(hex));
}

void json_put_name(json_t *o, const char *key, const char *name)
{
    size_t len = name ? strlen(name) : 0;
    CLEAN_FREE char *text = malloc(TEXT_UTF8_SIZE(len));
    bool changed = false;
    if (text)
        text_utf8(text, TEXT_UTF8_SIZE(len), name, len, &changed);
    json_object_set_new(o, key, text && len ? json_string(text) : json_null());
    if (changed)
        put_hex(o, key, name, len);
}

void json_print(const json_t *o)
{
    CLEAN_FREE char *line = json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII);
    for (const char *c = line ? line : ""; *c; c++) {
        if (*c == 0x7f) /* DEL, which jansson leaves raw, can only stand within a string */
            fputs("\\u007f", stdout);
        else
            putchar(*c);
    }
    putchar('\n');
}
