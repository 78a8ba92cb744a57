#include "clerk/code.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/process.h"

enum {
    TABLE_BLOCK = 32 * 1024, /* a line holds at most one name, each byte of which may be escaped as four */
    PAGES_BLOCK = 1024,
    TRIES = 3,
};

/* /proc/PID/pagemap */
static const uint64_t page_present = UINT64_C(1) << 63;
static const uint64_t page_swapped = UINT64_C(1) << 62;
static const uint64_t page_of_file = UINT64_C(1) << 61;

const char *code_words(enum code c)
{
    static const char *const words[CODE_COUNT] = {
        [CODE_INTACT] = "all its code is of trusted files",
        [CODE_ANONYMOUS] = "it has executable memory that is of no file",
        [CODE_UNTRUSTED] = "it has mapped code of a file that is not trusted",
        [CODE_WRITABLE] = "it has code that it can write",
        [CODE_MODIFIED] = "its code in memory is not that of the file",
        [CODE_FORGED] = "its program is not among the code that it has mapped",
        [CODE_TOO_MUCH] = "it has mapped more than is looked at",
        [CODE_UNREADABLE] = "its mappings cannot be read",
        [CODE_STOPPED] = "the look at it was interrupted",
    };
    return words[c];
}

struct look {
    int proc, pagemap;
    uint64_t page_size;
    const struct file_id *program;
    code_trusted *trusted;
    clerk_beat *beat;
    void *ctx;
    bool has_program;
    struct code_seen *seen;
};

/* A number in base `base` (10 or 16) that ends with `end`. Moves *at behind that. */
static bool number(const char **at, const char *stop, unsigned base, char end, uint64_t *out)
{
    uint64_t n = 0;
    const char *p = *at;
    for (; p < stop && *p != end; p++) {
        unsigned digit = *p >= '0' && *p <= '9'   ? (unsigned)(*p - '0')
                         : *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a' + 10)
                                                  : 16;
        if (digit >= base || n > (UINT64_MAX - digit) / base)
            return false;
        n = n * base + digit;
    }
    if (p == *at || p == stop)
        return false;
    *at = p + 1;
    *out = n;
    return true;
}

bool code_mapping(const char *line, size_t len, struct code_mapping *out)
{
    /* "START-END rwxp OFFSET MAJOR:MINOR INODE      NAME", the name escaped so that it holds no newline. */
    const char *at = line, *stop = line + len;
    uint64_t ignored;
    *out = (struct code_mapping){.name = ""};
    if (!number(&at, stop, 16, '-', &out->start) || !number(&at, stop, 16, ' ', &out->end) || out->start >= out->end ||
        stop - at < 5 || at[4] != ' ')
        return false;
    const char *flags = at;
    at += 5;
    if (!number(&at, stop, 16, ' ', &ignored) || !number(&at, stop, 16, ':', &ignored) ||
        !number(&at, stop, 16, ' ', &ignored))
        return false;
    /* Where there is no name the inode may end the line. */
    const char *digits = at;
    while (at < stop && *at != ' ')
        at++;
    char inode[24] = "";
    if (at - digits >= (ptrdiff_t)sizeof inode - 1)
        return false;
    memcpy(inode, digits, (size_t)(at - digits));
    inode[at - digits] = ' ';
    const char *copy = inode;
    if (!number(&copy, inode + sizeof inode, 10, ' ', &out->inode))
        return false;
    while (at < stop && *at == ' ')
        at++;
    size_t n = (size_t)(stop - at);
    if (n >= sizeof out->name)
        n = sizeof out->name - 1;
    memcpy(out->name, at, n);
    out->read = flags[0] == 'r';
    out->write = flags[1] == 'w';
    out->exec = flags[2] == 'x';
    out->shared = flags[3] == 's' || flags[3] == 'S';
    return true;
}

/* Whether all pages are as the file has them, or not there. A page that the process changed is its own, anonymous; it
 * may have been swapped out since. */
static enum code look_at_pages(struct look *l, const struct code_mapping *m)
{
    uint64_t pages[PAGES_BLOCK];
    uint64_t page = m->start / l->page_size, end = m->end / l->page_size;
    if (end - page > CODE_PAGES_MAX - l->seen->pages)
        return CODE_TOO_MUCH;
    l->seen->pages += (size_t)(end - page);
    while (page < end) {
        size_t n = end - page < PAGES_BLOCK ? (size_t)(end - page) : PAGES_BLOCK;
        ssize_t got = pread(l->pagemap, pages, n * sizeof pages[0], (off_t)(page * sizeof pages[0]));
        if (got < (ssize_t)sizeof pages[0]) /* 0: the process has ended */
            return CODE_UNREADABLE;
        n = (size_t)got / sizeof pages[0];
        for (size_t i = 0; i < n; i++)
            if (pages[i] & (page_present | page_swapped) && !(pages[i] & page_of_file))
                return CODE_MODIFIED;
        page += n;
        if (l->beat && !l->beat(l->ctx))
            return CODE_STOPPED;
    }
    return CODE_INTACT;
}

/* Of which file it is, is told by the link in map_files alone: its name may be that of another mount tree, and device
 * and inode are those of the super block, which some file systems share among several trees of inodes. */
static enum code look_at_file(struct look *l, const struct code_mapping *m)
{
    char link[64];
    struct statx st;
    snprintf(link, sizeof link, "map_files/%llx-%llx", (unsigned long long)m->start, (unsigned long long)m->end);
    CLEAN_FD int fd = openat(l->proc, link, O_PATH | O_CLOEXEC);
    if (fd < 0 || stat_identity(fd, "", AT_EMPTY_PATH, &st) < 0)
        return CODE_UNREADABLE;
    struct file_id id = file_id_of(&st);
    if (file_id_equal(&id, l->program)) {
        l->has_program = true;
        return CODE_INTACT;
    }
    enum code_answer answer = l->trusted(l->ctx, fd, &st);
    return answer == CODE_ANSWER_YES ? CODE_INTACT : answer == CODE_ANSWER_NO ? CODE_UNTRUSTED : CODE_STOPPED;
}

static enum code look_at_mapping(struct look *l, const struct code_mapping *m)
{
    /* Names in brackets are the kernel's own: what a process names is "[anon:...]". The vsyscall page is outside the
     * process's half of the addresses, the same for all. The vdso is the process's copy like any other page. */
    bool no_file = m->inode == 0;
    if (no_file && m->start >> 63 && strcmp(m->name, "[vsyscall]") == 0)
        return CODE_INTACT;
    if (l->seen->mappings == CODE_MAPPINGS_MAX)
        return CODE_TOO_MUCH;
    l->seen->mappings++;
    if (m->write)
        return CODE_WRITABLE;
    if (no_file && strcmp(m->name, "[vdso]") != 0)
        return CODE_ANONYMOUS;
    enum code found = no_file ? CODE_INTACT : look_at_file(l, m);
    return found == CODE_INTACT ? look_at_pages(l, m) : found;
}

/* All executable mappings of the lines in `text`; *used is how much of it they were. */
static enum code look_at_lines(struct look *l, const char *text, size_t len, size_t *used)
{
    struct code_mapping m;
    *used = 0;
    for (const char *end; (end = memchr(text + *used, '\n', len - *used));) {
        const char *line = text + *used;
        *used = (size_t)(end - text) + 1;
        if (!code_mapping(line, (size_t)(end - line), &m))
            return CODE_UNREADABLE;
        if (!m.exec)
            continue;
        enum code found = look_at_mapping(l, &m);
        if (found != CODE_INTACT) {
            l->seen->start = m.start;
            l->seen->end = m.end;
            memcpy(l->seen->name, m.name, sizeof m.name);
            return found;
        }
    }
    return CODE_INTACT;
}

static enum code look_at_table(struct look *l)
{
    char text[TABLE_BLOCK];
    size_t len = 0, total = 0;
    CLEAN_FD int table = openat(l->proc, "maps", O_RDONLY | O_CLOEXEC);
    CLEAN_FD int pagemap = openat(l->proc, "pagemap", O_RDONLY | O_CLOEXEC);
    if (table < 0 || pagemap < 0)
        return CODE_UNREADABLE;
    l->pagemap = pagemap;
    for (;;) {
        if (l->beat && !l->beat(l->ctx))
            return CODE_STOPPED;
        ssize_t n = read(table, text + len, sizeof text - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return CODE_UNREADABLE;
        if (n == 0)
            break;
        len += (size_t)n;
        total += (size_t)n;
        size_t used;
        enum code found = look_at_lines(l, text, len, &used);
        if (found != CODE_INTACT)
            return found;
        if (total > CODE_TABLE_MAX || (used == 0 && len == sizeof text))
            return CODE_TOO_MUCH;
        memmove(text, text + used, len - used);
        len -= used;
    }
    if (l->seen->mappings == 0 || len > 0) { /* a kernel thread, or it has ended */
        errno = ESRCH;
        return CODE_UNREADABLE;
    }
    return l->has_program ? CODE_INTACT : CODE_FORGED;
}

enum code code_look(int proc, const struct file_id *program, code_trusted *trusted, clerk_beat *beat, void *ctx,
                    struct code_seen *seen)
{
    struct code_seen unseen;
    enum code found = CODE_UNREADABLE;
    /* A mapping may go between the line that tells of it and the look at its file. */
    for (int i = 0; i < TRIES; i++) {
        struct look l = {
            .proc = proc,
            .page_size = (uint64_t)sysconf(_SC_PAGESIZE),
            .program = program,
            .trusted = trusted,
            .beat = beat,
            .ctx = ctx,
            .seen = seen ? seen : &unseen,
        };
        *l.seen = (struct code_seen){.name = ""};
        errno = 0;
        found = look_at_table(&l);
        if (found != CODE_UNREADABLE || errno != ENOENT)
            break;
    }
    return found;
}
