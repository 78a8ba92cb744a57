#include "policy/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/own.h"
#include "policy/heap.h"
#include "policy/trail.h"
#include "policy/words.h"

__attribute__((format(printf, 3, 4))) static void problem(const struct reader_handler *h, int line, const char *format,
                                                          ...)
{
    char text[PATH_MAX + 256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    h->problem(h->user, line, text);
}

/* --- the file --- */

static const char *kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return "a directory";
    case S_IFIFO:
        return "a FIFO";
    case S_IFSOCK:
        return "a socket";
    case S_IFCHR:
    case S_IFBLK:
        return "a device";
    default:
        return "not a file";
    }
}

/* Is what was found a file that may be a policy? */
static bool acceptable(const struct stat *st, bool any_owner, const struct reader_handler *h)
{
    if (!S_ISREG(st->st_mode)) {
        problem(h, 0, "is %s; a policy must be a regular file", kind_of(st->st_mode));
        return false;
    }
    if (!any_owner && st->st_uid != 0) {
        problem(h, 0, "belongs to uid %u; a policy must belong to root (chown root)", st->st_uid);
        return false;
    }
    if (!any_owner && (st->st_mode & (S_IWGRP | S_IWOTH))) {
        problem(h, 0, "can be written by %s (mode %04o); only root may write a policy (chmod go-w)",
                st->st_mode & S_IWOTH ? "everyone" : "its group", (unsigned)st->st_mode & 07777);
        return false;
    }
    if (st->st_size > READER_FILE_MAX) {
        problem(h, 0, "is too large (%lld bytes); a policy has at most %d", (long long)st->st_size, READER_FILE_MAX);
        return false;
    }
    return true;
}

static int open_file(const char *path, bool any_owner, const struct reader_handler *h)
{
    struct trail trail;
    struct stat st;
    trail_follow(path, any_owner, NULL, &trail);
    CLEAN_FD int found = trail.fd;
    switch (trail.end) {
    case TRAIL_END_MISSING:
        problem(h, 0, "does not exist");
        return -1;
    case TRAIL_END_UNTRUSTED:
        problem(h, 0, "cannot be trusted: %s must belong to root and be writable by root only", trail.bad);
        return -1;
    case TRAIL_END_FAILED:
        problem(h, 0, "cannot be found: %s", strerror(errno));
        return -1;
    case TRAIL_END_FOUND:
        break;
    }
    if (fstat(found, &st) < 0 || !acceptable(&st, any_owner, h))
        return -1;
    char self[FD_NAME_SIZE];
    int fd = open(fd_name(self, found), O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* the very inode that was judged */
    if (fd < 0)
        problem(h, 0, "cannot be opened: %s", strerror(errno));
    return fd;
}

bool reader_load(const char *path, bool any_owner, const struct reader_handler *h, struct content *out)
{
    struct stat st;
    *out = (struct content){NULL, 0};
    CLEAN_FD int fd = open_file(path, any_owner, h);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) < 0) {
        problem(h, 0, "cannot be read: %s", strerror(errno));
        return false;
    }
    size_t room = (size_t)st.st_size + 1, size = 0; /* one more, to see that it ends there */
    CLEAN_FREE char *bytes = heap_check(malloc(room + 1));
    for (ssize_t n = 1; n != 0 && size < room;) {
        n = read(fd, bytes + size, room - size);
        if (n < 0 && errno != EINTR) {
            problem(h, 0, "cannot be read: %s", strerror(errno));
            return false;
        }
        size += n > 0 ? (size_t)n : 0;
    }
    if (size == room || size > READER_FILE_MAX) {
        problem(h, 0, "grew while it was read; try again");
        return false;
    }
    bytes[size] = '\0';
    *out = (struct content){STEAL_PTR(bytes), size};
    return true;
}

/* --- the lines --- */

/* A line that passed: a header ("[name]") or a pair. Pointers into the content. */
struct line {
    int number;
    const char *key; /* or the name of a section */
    size_t key_len;
    const char *value; /* NULL: a header */
    size_t value_len;
    bool refused; /* a header that cannot be used */
};
struct lines {
    struct line *v;
    size_t n;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static size_t trim(const char *s, size_t len)
{
    while (len > 0 && is_blank(s[len - 1]))
        len--;
    return len;
}

/* What is wrong with a header of `len` bytes that begins with '[', or NULL. */
static const char *header_fault(const char *s, size_t len)
{
    const char *close = memchr(s, ']', len);
    if (!close)
        return "a section header must end in ]";
    if (close != s + len - 1)
        return "nothing but a comment may follow the ] of a section header";
    if (len == 2)
        return "a section needs a name: [fileward], [set NAME], [watch NAME] or [rule WATCH/NAME]";
    if (is_blank(s[1]) || is_blank(s[len - 2]))
        return "no blanks next to the brackets of a section header";
    return NULL;
}

/* What is wrong with a key, or NULL. Nothing that could be taken for a separator or a comment is left in it. */
static const char *key_fault(const char *key, size_t len)
{
    if (len == 0)
        return "a key is missing before the =";
    if (len > 32)
        return "this is no key: it is too long";
    for (size_t i = 0; i < len; i++) {
        bool good = (key[i] >= 'a' && key[i] <= 'z') || (key[i] >= 'A' && key[i] <= 'Z') || key[i] == '_' ||
                    (key[i] >= '0' && key[i] <= '9');
        if (!good && is_blank(key[i]))
            return "a key has no blanks; each line is `key = value`";
        if (!good)
            return "a key has only letters, digits and _; each line is `key = value`";
    }
    return NULL;
}

/* What makes a line unreadable before anything is looked for in it, or NULL. */
static const char *byte_fault(const char *s, size_t len)
{
    if (len > READER_LINE_MAX)
        return "the line is too long (4096 bytes); list keys may be repeated on further lines";
    if (len > 0 && s[len - 1] == '\r')
        return "the line ends in CR LF; lines must end in LF alone (dos2unix converts a file)";
    for (size_t i = 0; i < len; i++) {
        if (((unsigned char)s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f)
            return "the line holds a control character";
    }
    return NULL;
}

static void take_header(struct lines *lines, const char *s, size_t len, int number, const struct reader_handler *h)
{
    const char *fault = header_fault(s, len);
    if (fault)
        problem(h, number, "%s", fault);
    *HEAP_APPEND(lines) = (struct line){.number = number, .key = s + 1, .key_len = len - 2, .refused = fault != NULL};
}

/* Judges one line. Returns false if it was refused. */
static bool take_line(struct lines *lines, const char *s, size_t len, int number, const struct reader_handler *h)
{
    const char *fault = byte_fault(s, len);
    if (fault) {
        problem(h, number, "%s", fault);
        return false;
    }
    bool indented = len > 0 && is_blank(s[0]);
    len = words_without_comment(s, len);
    if (len == 0 || trim(s, len) == 0)
        return true;
    if (indented) {
        problem(h, number,
                "the line begins with a blank; there are no continuation lines: begin each key and section "
                "at the start of its line, and repeat a list key to go on");
        return false;
    }
    if (s[0] == '[') {
        size_t before = lines->n;
        take_header(lines, s, len, number, h);
        return !lines->v[before].refused;
    }
    const char *equals = memchr(s, '=', len);
    if (!equals) {
        problem(h, number, "neither `[section]` nor `key = value`");
        return false;
    }
    size_t key_len = trim(s, (size_t)(equals - s));
    fault = key_fault(s, key_len);
    if (fault) {
        problem(h, number, "%s", fault);
        return false;
    }
    const char *value = equals + 1;
    while (value < s + len && is_blank(*value))
        value++;
    *HEAP_APPEND(lines) = (struct line){.number = number,
                                        .key = s,
                                        .key_len = key_len,
                                        .value = value,
                                        .value_len = trim(value, (size_t)(s + len - value))};
    return true;
}

static void take_lines(const struct content *c, struct lines *lines, const struct reader_handler *h)
{
    int number = 1, errors = 0;
    size_t at = c->size >= 3 && memcmp(c->bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* a byte order mark */
    for (; at < c->size; number++) {
        const char *s = c->bytes + at;
        const char *end = memchr(s, '\n', c->size - at);
        size_t len = end ? (size_t)(end - s) : c->size - at;
        if (!take_line(lines, s, len, number, h) && ++errors == READER_ERRORS_MAX) {
            problem(h, number, "too many errors: the rest of this file was not read");
            return;
        }
        at += len + 1;
    }
}

/* --- inih ---
 *
 * inih cuts lines at 199 bytes and takes the tail for a new line, cuts names at 49, splits at ':' too, knows
 * continuation lines and inline comments, and all that depends on how it was built (Debian: switches at run time,
 * elsewhere: at build time). So it is given lines that mean the same whatever it was built with: "[s]" and
 * "key=N", where N says which of our lines that is. Names of sections and values never pass through it. */

struct feed {
    const struct lines *lines;
    size_t next; /* the line that inih gets next */
    size_t seen; /* up to here lines have been handed on */
    const struct reader_handler *h;
    bool broken;
};

static char *feed_line(char *out, int size, void *stream)
{
    struct feed *f = stream;
    if (f->next == f->lines->n)
        return NULL;
    const struct line *l = &f->lines->v[f->next];
    int n = l->value ? snprintf(out, (size_t)size, "%.*s=%zu\n", (int)l->key_len, l->key, f->next)
                     : snprintf(out, (size_t)size, "[s]\n");
    f->broken |= n >= size;
    f->next++;
    return out;
}

/* Hands on the headers from where we are to line `to`; inih does not tell of them. */
static void hand_on_headers(struct feed *f, size_t to)
{
    for (; f->seen < to; f->seen++) {
        const struct line *l = &f->lines->v[f->seen];
        if (l->value) {
            f->broken = true; /* a pair that inih passed over */
            continue;
        }
        CLEAN_FREE char *name = l->refused ? NULL : heap_copy(l->key, l->key_len);
        f->h->section(f->h->user, name, l->number);
    }
}

/* inih's handler. Debian's library passes the line number as a further argument, which is not needed. */
static int hand_on_pair(void *user, const char *section, const char *key, const char *number)
{
    struct feed *f = user;
    (void)section;
    if (!number) /* inih can be built to call at each header as well */
        return 1;
    size_t at = (size_t)strtoull(number, NULL, 10);
    if (at < f->seen || at >= f->lines->n || !f->lines->v[at].value) {
        f->broken = true;
        return 0;
    }
    hand_on_headers(f, at);
    const struct line *l = &f->lines->v[at];
    CLEAN_FREE char *value = heap_copy(l->value, l->value_len);
    f->h->pair(f->h->user, key, value, l->number);
    f->seen = at + 1;
    return 1;
}

void reader_parse(const struct content *c, const struct reader_handler *h)
{
    struct lines lines = {NULL, 0};
    const char *nul = memchr(c->bytes, '\0', c->size);
    if (nul) {
        problem(h, 0, "is not a text file: byte %zu is NUL", (size_t)(nul - c->bytes));
        return;
    }
    take_lines(c, &lines, h);
    struct feed feed = {.lines = &lines, .h = h};
    feed.broken |= ini_parse_stream(feed_line, &feed, hand_on_pair, &feed) != 0;
    hand_on_headers(&feed, lines.n);
    if (feed.broken)
        problem(h, 0, "could not be parsed: the installed inih library does not do what it should");
    free(lines.v);
}
