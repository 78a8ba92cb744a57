#include "base/holdings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"

enum {
    FILTER_BITS = 1 << 23,
    FILES_PER_PROCESS = 256, /* guarded files that are told of one process */
    LINE_MAX_BYTES = 8192,   /* of maps: the longest path, and what stands before it */
    KERNEL_KCMP_FILES = 2,
};

struct search {
    const struct holdings_search *in;
    int pid_dir;            /* /proc/PID */
    struct process process; /* by a thread of it that has not ended */
    struct holding found[FILES_PER_PROCESS];
    int n;
    uint8_t filter[FILTER_BITS / 8]; /* inode numbers that may be in the register */
};

/* --- what is looked for ----------------------------------------------------------------------------------------- */

static uint32_t bit_of(uint64_t ino)
{
    return (uint32_t)(ino * UINT64_C(0x9E3779B97F4A7C15) >> 41) & (FILTER_BITS - 1);
}

static void add_entry(void *ctx, int watch, uint32_t entry)
{
    struct search *s = ctx;
    for (int i = 0; i < s->in->n; i++) {
        if (s->in->numbers[i] != watch)
            continue;
        uint32_t bit = bit_of(reg_id(s->in->reg, entry).ino);
        s->filter[bit / 8] |= (uint8_t)(1u << bit % 8);
        return;
    }
}

static bool may_be_guarded(const struct search *s, uint64_t ino)
{
    uint32_t bit = bit_of(ino);
    return s->filter[bit / 8] >> bit % 8 & 1;
}

static void note(struct search *s, int watch, uint32_t entry, const struct file_id *id, unsigned by)
{
    for (int i = 0; i < s->n; i++)
        if (s->found[i].watch == watch && s->found[i].entry == entry) {
            s->found[i].by |= by;
            return;
        }
    if (s->n < FILES_PER_PROCESS)
        s->found[s->n++] =
            (struct holding){.process = &s->process, .watch = watch, .entry = entry, .id = *id, .by = by};
}

/* Follows a link of /proc to what is held, which opens nothing. */
static void look_at(struct search *s, int dir, const char *link, unsigned by)
{
    struct statx st;
    if (stat_identity(dir, link, 0, &st) < 0)
        return;
    struct file_id id = file_id_of(&st);
    for (int i = 0; i < s->in->n; i++) {
        uint32_t entry = reg_find(s->in->reg, s->in->numbers[i], &id);
        if (entry && !reg_is_outside(s->in->reg, entry))
            note(s, i, entry, &id, by);
    }
}

/* --- descriptors ------------------------------------------------------------------------------------------------ */

static unsigned by_of_flags(unsigned long flags)
{
    if (flags & O_PATH)
        return HOLDING_PATH;
    switch (flags & O_ACCMODE) {
    case O_RDONLY:
        return HOLDING_READ;
    case O_WRONLY:
        return HOLDING_WRITE;
    default:
        return HOLDING_READ | HOLDING_WRITE;
    }
}

/* `fd` and `info` are directories of /proc. */
static void look_at_descriptor(struct search *s, int fd, int info, const char *number)
{
    char text[512];
    ssize_t n = readlinkat(fd, number, text, 2); /* "pipe:[...", "socket:[..." have no name in a file system */
    if (n <= 0 || text[0] != '/')
        return;
    CLEAN_FD int f = openat(info, number, O_RDONLY | O_CLOEXEC);
    n = f < 0 ? -1 : read(f, text, sizeof text - 1);
    if (n <= 0)
        return;
    text[n] = '\0';
    const char *flags = strstr(text, "flags:"), *ino = strstr(text, "\nino:");
    if (ino && !may_be_guarded(s, strtoull(ino + 5, NULL, 10)))
        return;
    look_at(s, fd, number, by_of_flags(flags ? strtoul(flags + 6, NULL, 8) : 0));
}

static DIR *open_dir(int at, const char *name)
{
    CLEAN_FD int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d)
        (void)STEAL_FD(fd);
    return d;
}

/* NULL at the end. */
static const char *next_number(DIR *d)
{
    for (const struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] >= '0' && e->d_name[0] <= '9')
            return e->d_name;
    return NULL;
}

static void look_at_descriptors(struct search *s, int task)
{
    CLEAN_DIR DIR *fds = open_dir(task, "fd");
    CLEAN_FD int info = openat(task, "fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!fds || info < 0)
        return;
    for (const char *number; (number = next_number(fds));)
        look_at_descriptor(s, dirfd(fds), info, number);
}

/* --- mappings --------------------------------------------------------------------------------------------------- */

/* One line of maps: "FROM-TO rwxp OFFSET MAJOR:MINOR INODE   PATH". */
static void look_at_mapping(struct search *s, const char *line, uint64_t *last_ino)
{
    unsigned long from, to;
    unsigned long long ino;
    char link[64];
    if (sscanf(line, "%lx-%lx %*4s %*x %*x:%*x %llu", &from, &to, &ino) != 3 || ino == 0 || ino == *last_ino ||
        !may_be_guarded(s, ino))
        return;
    *last_ino = ino; /* the pieces of one file follow each other */
    snprintf(link, sizeof link, "map_files/%lx-%lx", from, to);
    look_at(s, s->pid_dir, link, HOLDING_MAPPING);
}

/* Returns whether there was anything: a thread that has ended has no memory. */
static bool look_at_mappings(struct search *s, int task)
{
    char text[LINE_MAX_BYTES + 1];
    size_t have = 0;
    bool any = false, within = false; /* within a line whose beginning was dealt with */
    uint64_t last_ino = 0;
    CLEAN_FD int maps = openat(task, "maps", O_RDONLY | O_CLOEXEC);
    for (ssize_t n; maps >= 0 && (n = read(maps, text + have, LINE_MAX_BYTES - have)) > 0;) {
        have += (size_t)n;
        text[have] = '\0';
        char *line = text;
        for (char *end; (end = memchr(line, '\n', have - (size_t)(line - text))); line = end + 1) {
            *end = '\0';
            if (!within)
                look_at_mapping(s, line, &last_ino);
            within = false;
            any = true;
        }
        have -= (size_t)(line - text);
        memmove(text, line, have);
        if (have == LINE_MAX_BYTES) { /* a longer line than the kernel writes */
            within = true;
            have = 0;
        }
    }
    return any;
}

/* --- processes -------------------------------------------------------------------------------------------------- */

/* Its threads share memory, and mostly descriptors. The first may have ended while others go on. */
static void look_at_process(struct search *s)
{
    int32_t first = 0;
    bool mapped = false;
    CLEAN_DIR DIR *tasks = open_dir(s->pid_dir, "task");
    if (!tasks)
        return;
    for (const char *number; (number = next_number(tasks));) {
        int32_t tid = (int32_t)strtol(number, NULL, 10);
        if (mapped && syscall(SYS_kcmp, first, tid, KERNEL_KCMP_FILES, 0, 0) == 0)
            continue;
        CLEAN_FD int task = openat(dirfd(tasks), number, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (task < 0)
            continue;
        look_at_descriptors(s, task);
        if (mapped)
            continue;
        first = tid;
        mapped = look_at_mappings(s, task);
        if (mapped)
            s->process.proc = STEAL_FD(task);
    }
}

static bool is_left_out(const struct holdings_search *in, int32_t pid)
{
    for (const int32_t *p = in->left_out; *p; p++)
        if (*p == pid)
            return true;
    return pid <= in->after;
}

static void look_at_pid(struct search *s, int32_t pid)
{
    char name[16];
    snprintf(name, sizeof name, "%d", pid);
    CLEAN_FD int dir = openat(s->in->proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return;
    if (s->in->begin)
        s->in->begin(s->in->ctx, pid);
    s->pid_dir = dir;
    s->process = (struct process){.pidfd = -1, .proc = -1, .tid = pid};
    s->n = 0;
    look_at_process(s);
    for (int i = 0; i < s->n; i++)
        s->in->each(s->in->ctx, &s->found[i]);
    if (s->process.proc >= 0)
        close(s->process.proc);
}

/* The kernel lists processes by number. */
bool holdings_find(const struct holdings_search *in)
{
    CLEAN_DIR DIR *proc = open_dir(in->proc, ".");
    CLEAN_FREE struct search *s = calloc(1, sizeof *s);
    if (!proc || !s)
        return false;
    s->in = in;
    reg_for_each(in->reg, add_entry, s);
    for (const char *number; (number = next_number(proc));) {
        int32_t pid = (int32_t)strtol(number, NULL, 10);
        if (!is_left_out(in, pid))
            look_at_pid(s, pid);
    }
    return true;
}
