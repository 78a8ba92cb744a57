#include "base/procfs.h"

#include <fcntl.h>
#include <string.h>

/* A number in base 10 or, after "0x", 16, after blanks. Moves *at behind it. */
static bool number(const char **at, const char *end, uint64_t *out)
{
    const char *p = *at;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    unsigned base = 10;
    if (end - p > 2 && p[0] == '0' && p[1] == 'x') {
        base = 16;
        p += 2;
    }
    uint64_t n = 0;
    const char *first = p;
    for (; p < end; p++) {
        unsigned digit = *p >= '0' && *p <= '9'   ? (unsigned)(*p - '0')
                         : *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a' + 10)
                                                  : 16;
        if (digit >= base)
            break;
        if (n > (UINT64_MAX - digit) / base)
            return false;
        n = n * base + digit;
    }
    *at = p;
    *out = n;
    return p > first;
}

static bool numbers32(const char *at, const char *end, uint32_t *const out[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t v;
        if (!number(&at, end, &v) || v > UINT32_MAX)
            return false;
        *out[i] = (uint32_t)v;
    }
    return true;
}

static bool pid_number(const char *at, const char *end, int32_t *out)
{
    uint64_t v;
    if (!number(&at, end, &v) || v > INT32_MAX)
        return false;
    *out = (int32_t)v;
    return true;
}

static bool groups(const char *at, const char *end, struct proc_status *s)
{
    uint64_t v;
    while (number(&at, end, &v)) {
        if (v > UINT32_MAX)
            return false;
        if (s->n_groups == GROUPS_MAX) {
            s->more_groups = true;
            break;
        }
        s->groups[s->n_groups++] = (uint32_t)v;
    }
    return true;
}

/* The value of "Key:" if the line has that key, else NULL. */
static const char *value_of(const char *line, const char *end, const char *key)
{
    size_t n = strlen(key);
    return (size_t)(end - line) > n && memcmp(line, key, n) == 0 && line[n] == ':' ? line + n + 1 : NULL;
}

bool procfs_status(const char *text, size_t len, struct proc_status *s)
{
    enum { TGID = 1, PPID = 2, TRACER = 4, UID = 8, GID = 16, GROUPS = 32, ALL = 63 };
    unsigned seen = 0;
    *s = (struct proc_status){0};
    /* "Name:" comes first and is escaped by the kernel, so that no line below can be forged by it. */
    for (const char *line = text, *stop = text + len; line < stop && seen != ALL;) {
        const char *end = memchr(line, '\n', (size_t)(stop - line));
        if (!end)
            end = stop;
        const char *v;
        if ((v = value_of(line, end, "Tgid")) && pid_number(v, end, &s->tgid))
            seen |= TGID;
        else if ((v = value_of(line, end, "PPid")) && pid_number(v, end, &s->ppid))
            seen |= PPID;
        else if ((v = value_of(line, end, "TracerPid")) && pid_number(v, end, &s->tracer))
            seen |= TRACER;
        else if ((v = value_of(line, end, "Uid")) &&
                 numbers32(v, end, (uint32_t *[]){&s->ruid, &s->euid, &s->suid, &s->fsuid}, 4))
            seen |= UID;
        else if ((v = value_of(line, end, "Gid")) &&
                 numbers32(v, end, (uint32_t *[]){&s->rgid, &s->egid, &s->sgid, &s->fsgid}, 4))
            seen |= GID;
        else if ((v = value_of(line, end, "Groups")) && groups(v, end, s))
            seen |= GROUPS;
        line = end + 1;
    }
    return seen == ALL;
}

static bool is_slice(const char *name, size_t len)
{
    return len > 6 && memcmp(name + len - 6, ".slice", 6) == 0;
}

static void first_unit(const char *path, const char *end, char unit[UNIT_MAX])
{
    unit[0] = '\0';
    while (path < end) {
        while (path < end && *path == '/')
            path++;
        const char *slash = memchr(path, '/', (size_t)(end - path));
        const char *stop = slash ? slash : end;
        size_t len = (size_t)(stop - path);
        if (len > 0 && !is_slice(path, len)) {
            if (len < UNIT_MAX) {
                memcpy(unit, path, len);
                unit[len] = '\0';
            }
            return;
        }
        path = stop;
    }
}

bool procfs_unit(const char *text, size_t len, char unit[UNIT_MAX])
{
    /* Lines are "N:controllers:/path". With both hierarchies the manager's names are in name=systemd. */
    bool found = false;
    unit[0] = '\0';
    for (const char *line = text, *stop = text + len; line < stop;) {
        const char *end = memchr(line, '\n', (size_t)(stop - line));
        if (!end)
            end = stop;
        const char *kind = memchr(line, ':', (size_t)(end - line));
        const char *path = kind ? memchr(kind + 1, ':', (size_t)(end - kind - 1)) : NULL;
        if (path) {
            size_t n = (size_t)(path - kind - 1);
            bool systemd = n == 12 && memcmp(kind + 1, "name=systemd", 12) == 0;
            bool unified = n == 0;
            if (systemd || unified) {
                char name[UNIT_MAX];
                first_unit(path + 1, end, name);
                if (!found || systemd)
                    memcpy(unit, name, UNIT_MAX);
                found = true;
                if (systemd)
                    return true;
            }
        }
        line = end + 1;
    }
    return found;
}

bool procfs_unit_is_mixed(const char *text, size_t len)
{
    static const char named[] = ":name=systemd:";
    return memmem(text, len, named, sizeof named - 1) != NULL;
}

bool procfs_number(const char *text, size_t len, uint32_t *out)
{
    return numbers32(text, text + len, &out, 1);
}

enum proc_call procfs_syscall(const char *text, size_t len, uint64_t *flags)
{
    /* "NR 0xARG1 ... 0xARG6 0xSP 0xPC". The line does not say whether a 32-bit program asked, so numbers of both tables
     * are listed; none of them is an open in one table and another open in the other.
     * An io_uring worker shows what call its owner was in when it was made, and is told from it by SP and PC 0. */
    enum { SP = 6, PC = 7, NUMBERS = 8 };
    const char *at = text, *end = text + len;
    uint64_t nr, arg[NUMBERS];
    *flags = 0;
    if (len >= 7 && memcmp(text, "running", 7) == 0)
        return CALL_RUNNING;
    if (!number(&at, end, &nr))
        return CALL_OTHER;
    for (int i = 0; i < NUMBERS; i++)
        if (!number(&at, end, &arg[i]))
            return CALL_OTHER;
    if (arg[SP] == 0 || arg[PC] == 0)
        return CALL_OTHER;
    switch (nr) {
#if defined(__x86_64__)
    case 59:  /* execve */
    case 322: /* execveat */
    case 11:  /* i386 execve */
    case 358: /* i386 execveat */
        return CALL_EXEC;
    case 2: /* open */
    case 5: /* i386 open */
        *flags = arg[1];
        return CALL_OPEN;
    case 257: /* openat */
    case 295: /* i386 openat */
        *flags = arg[2];
        return CALL_OPEN;
    case 85: /* creat */
    case 8:  /* i386 creat */
        *flags = O_WRONLY | O_CREAT | O_TRUNC;
        return CALL_OPEN;
    case 0:   /* read */
    case 17:  /* pread64 */
    case 19:  /* readv */
    case 327: /* preadv2; preadv has the number of i386 openat */
    case 9:   /* mmap */
    case 40:  /* sendfile */
    case 275: /* splice */
    case 326: /* copy_file_range */
    case 3:   /* i386 read */
    case 180: /* i386 pread64 */
    case 145: /* i386 readv */
    case 192: /* i386 mmap2 */
        return CALL_READ;
#elif defined(__aarch64__)
    case 221: /* execve */
    case 281: /* execveat */
    case 11:  /* arm execve */
    case 387: /* arm execveat */
        return CALL_EXEC;
    case 56:  /* openat */
    case 322: /* arm openat */
        *flags = arg[2];
        return CALL_OPEN;
    case 5: /* arm open */
        *flags = arg[1];
        return CALL_OPEN;
    case 63:  /* read */
    case 67:  /* pread64 */
    case 65:  /* readv */
    case 69:  /* preadv */
    case 286: /* preadv2 */
    case 222: /* mmap */
    case 71:  /* sendfile */
    case 285: /* copy_file_range */
        return CALL_READ;
#endif
    default:
        return CALL_OTHER;
    }
}

bool procfs_start_time(const char *text, size_t len, uint64_t *out)
{
    const char *at = memrchr(text, ')', len);
    const char *end = text + len;
    if (!at)
        return false;
    /* Behind the name: state, then 18 numbers (some negative), then the start time. */
    for (int field = 0; field < 20; field++) {
        at = memchr(at, ' ', (size_t)(end - at));
        if (!at)
            return false;
        while (at < end && *at == ' ')
            at++;
    }
    return number(&at, end, out);
}
