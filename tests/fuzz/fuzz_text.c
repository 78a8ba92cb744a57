/* Escaping: nothing that acts on a terminal comes out, what comes out can be read back, and the room is kept. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t unescape(char *out, const char *in)
{
    size_t n = 0;
    while (*in) {
        if (*in != '\\') {
            out[n++] = *in++;
        } else if (in[1] == 'x') {
            char digits[3] = {in[2], in[3], '\0'};
            out[n++] = (char)strtol(digits, NULL, 16);
            in += 4;
        } else {
            out[n++] = in[1] == 'n' ? '\n' : in[1] == 't' ? '\t' : in[1] == 'r' ? '\r' : in[1];
            in += 2;
        }
    }
    return n;
}

static void require(bool b)
{
    if (!b)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *in = (const char *)data;
    char *out = malloc(TEXT_ESCAPE_SIZE(size)), *back = malloc(TEXT_ESCAPE_SIZE(size));
    bool changed;
    require(out && back);

    size_t n = text_escape(out, TEXT_ESCAPE_SIZE(size), in, size);
    require(strlen(out) == n);
    for (size_t i = 0; i < n; i++)
        require((unsigned char)out[i] >= 0x20 && out[i] != 0x7f);
    require(unescape(back, out) == size && (size == 0 || memcmp(back, data, size) == 0));
    text_utf8(back, TEXT_UTF8_SIZE(n), out, n, &changed);
    require(!changed && strcmp(back, out) == 0);

    n = text_utf8(out, TEXT_UTF8_SIZE(size), in, size, &changed);
    require(strlen(out) == n && (changed || (n == size && (n == 0 || memcmp(out, data, n) == 0))));
    n = text_hex(out, TEXT_HEX_SIZE(size), in, size);
    require(n == 2 * size && strlen(out) == n);

    size_t room = size ? data[0] % (size + 1) : 0; /* too little of it */
    char *tight = malloc(room + 1);
    require(tight);
    require(room == 0 || text_escape(tight, room, in, size) < room);
    require(room == 0 || text_utf8(tight, room, in, size, NULL) < room);
    require(room == 0 || text_hex(tight, room, in, size) < room);
    free(tight);
    free(out);
    free(back);
    return 0;
}
