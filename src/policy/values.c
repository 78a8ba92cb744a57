#include "policy/values.h"

#include <arpa/inet.h>
#include <limits.h>

#include "base/own.h"
#include "policy/glob.h"
#include "policy/heap.h"

/* Reads a decimal number of at most `max`. Returns what follows it, or NULL if there is none or it is too large. */
static const char *read_number(const char *s, uint64_t max, uint64_t *out)
{
    uint64_t n = 0;
    const char *c = s;
    for (; *c >= '0' && *c <= '9'; c++) {
        n = n * 10 + (uint64_t)(*c - '0');
        if (n > max)
            return NULL;
    }
    *out = n;
    return c == s ? NULL : c;
}

const char *value_duration(const char *word, int *ms)
{
    uint64_t n;
    const char *unit = read_number(word, 1000000, &n);
    if (!unit || (strcmp(unit, "ms") != 0 && strcmp(unit, "s") != 0))
        return "not a duration, such as 200ms or 2s";
    if (unit[0] == 's')
        n *= 1000;
    if (n < 10 || n > 10000)
        return "must be 10ms to 10s";
    *ms = (int)n;
    return NULL;
}

/* Days from 1970-01-01 to a day of the Gregorian calendar. Own arithmetic, because timegm() opens the time zone. */
static int64_t days_since_1970(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year; /* years begin in March, so that the leap day comes last */
    int64_t m = (month + 9) % 12;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* Does `word` have the form of `form`, in which 0 stands for any digit? */
static bool has_form(const char *word, const char *form)
{
    for (; *form; form++, word++) {
        if (*form == '0' ? *word < '0' || *word > '9' : *word != *form)
            return false;
    }
    return !*word;
}

const char *value_time(const char *word, int64_t *seconds)
{
    int year, month, day, hour, minute, second = 0;
    if (!has_form(word, "0000-00-00T00:00Z") && !has_form(word, "0000-00-00T00:00:00Z"))
        return "not a time, such as 2026-12-01T00:00Z";
    sscanf(word, "%4d-%2d-%2dT%2d:%2d:%2d", &year, &month, &day, &hour, &minute, &second);
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_of(year, month) || hour > 23 || minute > 59 ||
        second > 59)
        return "no such time";
    *seconds = days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return NULL;
}

const char *value_listen(const char *word)
{
    static const char wrong[] = "not an address and port, such as 127.0.0.1:9842 or [::1]:9842, nor `off`";
    const char *colon = strrchr(word, ':');
    char address[INET6_ADDRSTRLEN + 2];
    uint64_t port;
    if (!colon || (size_t)(colon - word) >= sizeof address)
        return wrong;
    memcpy(address, word, (size_t)(colon - word));
    address[colon - word] = '\0';
    const char *end = read_number(colon + 1, 65535, &port);
    if (!end || *end || port == 0)
        return wrong;
    struct in_addr v4;
    if (strcmp(address, "[::1]") == 0)
        return NULL;
    if (inet_pton(AF_INET, address, &v4) != 1)
        return address[0] == '[' ? "not a loopback address" : wrong;
    return ntohl(v4.s_addr) >> 24 == 127 ? NULL : "not a loopback address; put a proxy in front to serve others";
}

/* What is wrong with the components of a path that begins with '/', or NULL. */
static const char *components_fault(const char *path)
{
    for (const char *c = path; *c;) {
        size_t len = strcspn(c + 1, "/");
        if (len == 0)
            return "two slashes in a row";
        if ((len == 1 && c[1] == '.') || (len == 2 && c[1] == '.' && c[2] == '.'))
            return "`.` and `..` are not followed: write the path without them";
        if (len > NAME_MAX * 2) /* as a glob it may be longer than what it matches */
            return "a component is too long";
        c += 1 + len;
    }
    return NULL;
}

const char *value_plain_path(const char *word)
{
    if (word[0] != '/')
        return "must be an absolute path";
    if (!glob_is_literal(word))
        return "must be a plain path, without *, ?, [ or backslash";
    if (strlen(word) >= PATH_MAX || word[strlen(word) - 1] == '/')
        return "must be the path of a file";
    return components_fault(word);
}

const char *value_unit(const char *word)
{
    if (strpbrk(word, "*?["))
        return "the name of a unit is taken as it is: no globs";
    if (strchr(word, '/') || !strchr(word, '.') || strlen(word) > 255)
        return "not the name of a unit, such as ssh.service";
    return NULL;
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
    return at ? (int)(at - digits) : -1;
}

const char *value_sha256(const char *word, struct sha256 *out)
{
    const char *fault = "not a SHA-256: 64 hexadecimal digits, as sha256sum prints them";
    if (strlen(word) != 2 * sizeof out->bytes)
        return fault;
    for (size_t i = 0; i < sizeof out->bytes; i++) {
        int high = hex_digit(word[2 * i]), low = hex_digit(word[2 * i + 1]);
        if (high < 0 || low < 0)
            return fault;
        out->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return NULL;
}

const char *value_ids(const char *word, const struct accounts *names, struct id_range *out)
{
    uint64_t low, high;
    if (word[0] >= '0' && word[0] <= '9') {
        const char *end = read_number(word, UINT32_MAX - 1, &low);
        if (end && *end == '\0') {
            *out = (struct id_range){(uint32_t)low, (uint32_t)low};
            return NULL;
        }
        if (!end || *end != '-' || !(end = read_number(end + 1, UINT32_MAX - 1, &high)) || *end)
            return "not a number, a range such as 1000-60000, or a name";
        if (low > high)
            return "the range ends before it begins";
        *out = (struct id_range){(uint32_t)low, (uint32_t)high};
        return NULL;
    }
    const struct account *a = accounts_by_name(names, word);
    if (!a)
        return "there is no such name on this machine (numbers are taken as they are)";
    *out = (struct id_range){a->id, a->id};
    return NULL;
}

const char *value_pattern(const char *word, char **text, bool *home)
{
    *home = word[0] == '~';
    const char *path = word + *home;
    if (*home && path[0] != '/' && path[0])
        return "only `~` alone is known: every user's home; write one user's home as a path";
    if (!*home && path[0] != '/')
        return "must be an absolute path or begin with ~/";
    size_t len = strlen(path);
    if (len > 1 && path[len - 1] == '/' && path[len - 2] != '\\')
        len--;
    CLEAN_FREE char *copy = heap_copy(path, *home && len == 1 ? 0 : len);
    if (!*home && len == 1)
        return "`/` is everything";
    if (!glob_is_valid(copy))
        return "not a valid glob: each [ needs its ] before the next slash, and a backslash a character after it";
    const char *fault = components_fault(copy);
    if (!fault)
        *text = STEAL_PTR(copy);
    return fault;
}
