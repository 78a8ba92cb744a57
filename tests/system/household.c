/* household KEEPER GATE: who lives with this keeper just now, and what each of them holds.
 *
 *     pid ROLE PID          keeper, judge (the one that locks the gate's file GATE), spare, scout, herald
 *     zombie PID NAME       a child that ended and was not waited for
 *                           an empty line: what stands below is the same as long as nothing leaks
 *     has ROLE N KIND       so many open descriptors of that kind
 *     marks N M             of the N groups that the keeper holds: M marks in all
 *
 * What a judge opens for a question and what it remembers of who asked (pidfds, /proc) is left out: it comes and goes. */
#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { KINDS_MAX = 64, MEMBERS_MAX = 64 };

struct member {
    int pid;
    char role[16];
};

/* Who holds the judge's byte of the gate's file; 0: nobody. */
static int serving_judge(const char *gate)
{
    struct stat st;
    FILE *f = fopen("/proc/locks", "re");
    char line[256];
    int found = 0;
    if (!f || stat(gate, &st) < 0)
        return 0;
    while (!found && fgets(line, sizeof line, f)) {
        int pid;
        unsigned major, minor;
        unsigned long inode, start;
        if (sscanf(line, "%*d: POSIX %*s %*s %d %x:%x:%lu %lu", &pid, &major, &minor, &inode, &start) == 5 &&
            major == major(st.st_dev) && minor == minor(st.st_dev) && inode == st.st_ino && start == 1)
            found = pid;
    }
    fclose(f);
    return found;
}

/* Name, state and parent of a process. False if it is gone. */
static bool look_at(int pid, char name[16], char *state, int *parent)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    size_t n = fread(line, 1, sizeof line - 1, f);
    fclose(f);
    line[n] = '\0';
    const char *end = strrchr(line, ')');
    return end && sscanf(line, "%*d (%15[^)]", name) == 1 && sscanf(end, ") %c %d", state, parent) == 2;
}

static int by_role(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->role, ((const struct member *)b)->role);
}

static size_t find_members(int keeper, const char *gate, struct member *m)
{
    size_t n = 0;
    int judge = serving_judge(gate), parent;
    char name[16], state;
    m[n++] = (struct member){keeper, "keeper"};
    DIR *proc = opendir("/proc");
    for (struct dirent *e; proc && (e = readdir(proc)) && n < MEMBERS_MAX;) {
        int pid = atoi(e->d_name);
        if (pid <= 0 || !look_at(pid, name, &state, &parent) || parent != keeper)
            continue;
        if (state == 'Z' || state == 'X') {
            printf("zombie %d %s\n", pid, name);
            continue;
        }
        m[n].pid = pid;
        const char *role = strncmp(name, "fileward-", 9) == 0 ? name + 9 : name;
        strcpy(m[n++].role, strcmp(role, "judge") == 0 && pid != judge ? "spare" : role);
    }
    if (proc)
        closedir(proc);
    qsort(m, n, sizeof *m, by_role);
    return n;
}

/* Marks of the group that is open as this descriptor. */
static unsigned marks_of(int pid, const char *fd)
{
    char path[300], line[512];
    unsigned n = 0;
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%s", pid, fd);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        n += strncmp(line, "fanotify ino:", 13) == 0 || strncmp(line, "fanotify sdev:", 14) == 0;
    if (f)
        fclose(f);
    return n;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void tell_descriptors(const struct member *m)
{
    static char kind[KINDS_MAX * 64][256];
    size_t n = 0;
    unsigned groups = 0, marks = 0;
    char path[300];
    bool judge = strcmp(m->role, "judge") == 0 || strcmp(m->role, "spare") == 0;
    snprintf(path, sizeof path, "/proc/%d/fd", m->pid);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir)) && n < sizeof kind / sizeof *kind;) {
        char *k = kind[n];
        if (!isdigit((unsigned char)e->d_name[0]))
            continue;
        ssize_t len = readlinkat(dirfd(dir), e->d_name, k, sizeof kind[n] - 1);
        if (len < 0)
            continue;
        k[len] = '\0';
        if (strcmp(k, "anon_inode:[fanotify]") == 0) {
            groups++;
            marks += strcmp(m->role, "keeper") == 0 ? marks_of(m->pid, e->d_name) : 0;
        }
        if (judge && (strstr(k, "pidfd") || (k[0] == '/' && strncmp(k, "/dev/", 5) != 0 && !strstr(k, "/gate"))))
            continue;
        if (strncmp(k, "anon_inode:", 11) != 0)
            k[strcspn(k, "[")] = '\0';      /* without the number of a pipe or a socket */
        char *number = strstr(k, "/proc/"); /* nor that of a process; in a chroot it does not begin so */
        if (number) {
            number += 6;
            const char *rest = number + strspn(number, "0123456789");
            memmove(number, rest, strlen(rest) + 1);
        }
        n++;
    }
    if (dir)
        closedir(dir);
    qsort(kind, n, sizeof *kind, by_text);
    for (size_t i = 0, same; i < n; i += same) {
        for (same = 1; i + same < n && strcmp(kind[i], kind[i + same]) == 0;)
            same++;
        printf("has %s %zu %s\n", m->role, same, kind[i]);
    }
    if (strcmp(m->role, "keeper") == 0)
        printf("marks %u %u\n", groups, marks);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: household KEEPER GATE\n");
        return 2;
    }
    struct member m[MEMBERS_MAX];
    size_t n = find_members(atoi(argv[1]), argv[2], m);
    for (size_t i = 0; i < n; i++)
        printf("pid %s %d\n", m[i].role, m[i].pid);
    printf("\n");
    for (size_t i = 0; i < n; i++)
        tell_descriptors(&m[i]);
    return 0;
}
