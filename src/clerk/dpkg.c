#include "clerk/dpkg.h"

#include <limits.h>
#include <string.h>

bool span_is(struct span s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool dpkg_line(struct span *rest, struct span *line)
{
    const char *end = rest->len ? memchr(rest->at, '\n', rest->len) : NULL;
    if (!end)
        return false;
    *line = span_of(rest->at, (size_t)(end - rest->at));
    rest->at = end + 1;
    rest->len -= line->len + 1;
    return true;
}

static struct span trim(struct span s)
{
    while (s.len && (s.at[0] == ' ' || s.at[0] == '\t'))
        s = span_of(s.at + 1, s.len - 1);
    while (s.len && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* The value if the line is that field. Field names are not told apart by case. */
static bool field(struct span line, const char *name, struct span *value)
{
    size_t n = strlen(name);
    if (line.len <= n || line.at[n] != ':' || strncasecmp(line.at, name, n) != 0)
        return false;
    *value = trim(span_of(line.at + n + 1, line.len - n - 1));
    return true;
}

/* "install ok installed": what is wanted, whether it must be installed again, what it is. An unpacked package that
 * waits to be configured has all its files, and their checksums. */
static bool in_place(struct span status)
{
    static const char *const states[] = {"ok unpacked", "ok half-configured", "ok triggers-awaited",
                                         "ok triggers-pending", "ok installed"};
    const char *blank = status.len ? memchr(status.at, ' ', status.len) : NULL;
    if (!blank)
        return false;
    size_t want = (size_t)(blank - status.at) + 1;
    struct span state = trim(span_of(status.at + want, status.len - want));
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (span_is(state, states[i]))
            return true;
    return false;
}

/* Such names become names of files below info/. */
static bool is_name(struct span s)
{
    if (s.len == 0 || s.at[0] == '.' || s.at[0] == '-')
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '+' && c != '-' &&
            c != '.' && c != '_')
            return false;
    }
    return true;
}

bool dpkg_package(struct span *rest, struct dpkg_package *out)
{
    struct span line, value;
    bool any = false, status = false;
    *out = (struct dpkg_package){.name = {"", 0}, .arch = {"", 0}};
    while (dpkg_line(rest, &line)) {
        if (trim(line).len == 0) {
            if (any)
                break;
            continue;
        }
        any = true;
        if (field(line, "Package", &value)) {
            out->name = value;
        } else if (field(line, "Status", &value)) {
            status = true;
            out->in_place = in_place(value);
        } else if (field(line, "Architecture", &value)) {
            out->arch = value;
        } else if (field(line, "Multi-Arch", &value)) {
            out->same = span_is(value, "same");
        }
    }
    out->valid = status && is_name(out->name) && (!out->same || is_name(out->arch));
    return any;
}

bool dpkg_diversion(struct span *rest, struct dpkg_diversion *out)
{
    return dpkg_line(rest, &out->from) && dpkg_line(rest, &out->to) && dpkg_line(rest, &out->by);
}

bool dpkg_listed(struct span line)
{
    return line.len > 1 && line.len < PATH_MAX && line.at[0] == '/' && !memchr(line.at, '\0', line.len);
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool dpkg_checksum(struct span line, uint8_t md5[DIGEST_MD5_BYTES], struct span *name)
{
    enum { DIGITS = 2 * DIGEST_MD5_BYTES };
    if (line.len < DIGITS + 3 || line.at[DIGITS] != ' ' || line.at[DIGITS + 1] != ' ')
        return false;
    for (size_t i = 0; i < DIGEST_MD5_BYTES; i++) {
        int high = hex(line.at[2 * i]), low = hex(line.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        md5[i] = (uint8_t)(high << 4 | low);
    }
    *name = span_of(line.at + DIGITS + 2, line.len - DIGITS - 2);
    for (;;)
        if (name->len > 1 && name->at[0] == '.' && name->at[1] == '/')
            *name = span_of(name->at + 2, name->len - 2);
        else if (name->len > 0 && name->at[0] == '/')
            *name = span_of(name->at + 1, name->len - 1);
        else
            break;
    return name->len > 0;
}
