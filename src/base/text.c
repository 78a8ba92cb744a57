#include "base/text.h"

#include <stdint.h>
#include <string.h>

/* Reads the UTF-8 character at in[0..len). Returns its length and sets *c, or 0 when the bytes are not valid UTF-8
 * (overlong forms, surrogates and values above U+10FFFF are not). */
static size_t utf8_read(const unsigned char *in, size_t len, uint32_t *c)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (in[0] < 0x80) {
        *c = in[0];
        return 1;
    }
    size_t n = in[0] >= 0xf0 ? 4 : in[0] >= 0xe0 ? 3 : 2;
    if (in[0] < 0xc2 || in[0] > 0xf4 || n > len)
        return 0;
    *c = in[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((in[i] & 0xc0) != 0x80)
            return 0;
        *c = *c << 6 | (in[i] & 0x3fu);
    }
    if (*c < least[n] || *c > 0x10ffff || (*c >= 0xd800 && *c <= 0xdfff))
        return 0;
    return n;
}

/* Characters that draw nothing where they stand but change how their neighbours are drawn, or pretend to be a line's
 * end: from Unicode's Bidi_Control, Default_Ignorable_Code_Point and line separators. */
static bool is_deceptive(uint32_t c)
{
    static const struct {
        uint32_t low, high;
    } ranges[] = {
        {0x0000, 0x001f},    {0x007f, 0x009f}, {0x00ad, 0x00ad}, {0x034f, 0x034f},   {0x061c, 0x061c},
        {0x115f, 0x1160},    {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x200b, 0x200f},   {0x2028, 0x202e},
        {0x2060, 0x206f},    {0x3164, 0x3164}, {0xe000, 0xf8ff}, {0xfdd0, 0xfdef},   {0xfe00, 0xfe0f},
        {0xfeff, 0xfeff},    {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
        {0xe0000, 0x10ffff},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (c >= ranges[i].low && c <= ranges[i].high)
            return true;
    }
    return (c & 0xfffe) == 0xfffe;
}

static char hex_digit(unsigned v)
{
    return "0123456789abcdef"[v & 15];
}

/* Where the result grows. */
struct sink {
    char *out;
    size_t size, len;
};

static bool put(struct sink *s, const char *bytes, size_t n)
{
    if (n >= s->size - s->len)
        return false;
    memcpy(s->out + s->len, bytes, n);
    s->len += n;
    s->out[s->len] = '\0';
    return true;
}

static bool put_escaped_byte(struct sink *s, unsigned char c)
{
    switch (c) {
    case '\n':
        return put(s, "\\n", 2);
    case '\t':
        return put(s, "\\t", 2);
    case '\r':
        return put(s, "\\r", 2);
    case '\\':
        return put(s, "\\\\", 2);
    default:
        return put(s, (char[]){'\\', 'x', hex_digit(c >> 4), hex_digit(c)}, 4);
    }
}

static bool start(struct sink *s)
{
    if (s->size > 0)
        s->out[0] = '\0';
    return s->size > 0;
}

size_t text_escape(char *out, size_t out_size, const char *in, size_t in_len)
{
    struct sink s = {out, out_size, 0};
    bool room = start(&s);
    for (size_t i = 0; room && i < in_len;) {
        uint32_t c = 0;
        size_t n = utf8_read((const unsigned char *)in + i, in_len - i, &c);
        if (n > 0 && c != '\\' && !is_deceptive(c)) {
            room = put(&s, in + i, n);
            i += n;
            continue;
        }
        for (size_t end = i + (n ? n : 1); room && i < end; i++)
            room = put_escaped_byte(&s, (unsigned char)in[i]);
    }
    return s.len;
}

void text_print(FILE *out, const char *in)
{
    char piece[TEXT_ESCAPE_SIZE(256)];
    size_t left = strlen(in);
    while (left > 0) {
        size_t n = left < 256 ? left : 256;
        while (n > 200 && left > n && ((unsigned char)in[n] & 0xc0) == 0x80) /* do not cut a character */
            n--;
        text_escape(piece, sizeof piece, in, n);
        fputs(piece, out);
        in += n;
        left -= n;
    }
}

size_t text_utf8(char *out, size_t out_size, const char *in, size_t in_len, bool *changed)
{
    struct sink s = {out, out_size, 0};
    bool room = start(&s), replaced = false;
    for (size_t i = 0; room && i < in_len;) {
        uint32_t c = 0;
        size_t n = utf8_read((const unsigned char *)in + i, in_len - i, &c);
        bool good = n > 0 && c != 0;
        replaced |= !good;
        room = good ? put(&s, in + i, n) : put(&s, "\xef\xbf\xbd", 3);
        i += n ? n : 1;
    }
    if (changed)
        *changed = replaced;
    return s.len;
}

size_t text_hex(char *out, size_t out_size, const char *in, size_t in_len)
{
    struct sink s = {out, out_size, 0};
    bool room = start(&s);
    for (size_t i = 0; room && i < in_len; i++) {
        unsigned char c = (unsigned char)in[i];
        room = put(&s, (char[]){hex_digit(c >> 4), hex_digit(c)}, 2);
    }
    return s.len;
}
