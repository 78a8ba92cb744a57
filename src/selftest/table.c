#include "selftest/table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "cli/json.h"

static const char *const result_names[] = {[RESULT_CLOSED] = "closed",
                                           [RESULT_KNOWN] = "open",
                                           [RESULT_OPEN] = "OPEN",
                                           [RESULT_WRONG] = "WRONG",
                                           [RESULT_NOT_TRIED] = "-"};

static bool same_line(const struct tried *a, const struct tried *b)
{
    return a->route == b->route && a->who == b->who;
}

/* One line for a route and a user, with a column for each file system. */
static void print_line(const struct plan *p, const struct tried *tried, int n, int at_line)
{
    const struct tried *t = &tried[at_line];
    bool open_expected = t->route->known != CLOSED;
    printf("%-22s %-5s %-9s", t->route->name, t->who == BY_ROOT ? "root" : "user", open_expected ? "open" : "closed");
    for (int f = 0; f < FS_COUNT; f++) {
        if (p->fs[f].why[0])
            continue;
        const char *cell = "";
        for (int i = 0; i < n; i++)
            if (same_line(&tried[i], t) && tried[i].fs == &p->fs[f])
                cell = result_names[tried[i].result];
        printf(" %-7s", cell);
    }
    printf(" %s\n", t->route->what);
}

static void print_table(const struct plan *p, const struct tried *tried, int n)
{
    printf("%-22s %-5s %-9s", "route", "who", "expected");
    for (int f = 0; f < FS_COUNT; f++)
        if (!p->fs[f].why[0])
            printf(" %-7s", p->fs[f].name);
    puts("");
    for (int i = 0; i < n; i++) {
        bool first = true;
        for (int k = 0; k < i && first; k++)
            first = !same_line(&tried[i], &tried[k]);
        if (first)
            print_line(p, tried, n, i);
    }
    for (int f = 0; f < FS_COUNT; f++)
        if (p->fs[f].why[0])
            printf("not tried: %s: %s\n", p->fs[f].name, p->fs[f].why);
    for (int i = 0; i < n; i++)
        if (tried[i].result != RESULT_CLOSED)
            printf("%s: %s on %s by %s%s%s\n", result_names[tried[i].result], tried[i].route->name, tried[i].fs->name,
                   tried[i].who == BY_ROOT ? "root" : "user", tried[i].why[0] ? ": " : "", tried[i].why);
}

bool table_print(const struct plan *p, const struct tried *tried, int n, bool json)
{
    int count[5] = {0};
    (void)json;
    for (int i = 0; i < n; i++)
        count[tried[i].result]++;
    print_table(p, tried, n);
    printf("%d closed, %d open as known, %d OPEN, %d WRONG, %d not tried\n", count[RESULT_CLOSED], count[RESULT_KNOWN],
           count[RESULT_OPEN], count[RESULT_WRONG], count[RESULT_NOT_TRIED]);
    return count[RESULT_OPEN] == 0 && count[RESULT_WRONG] == 0 && count[RESULT_CLOSED] > 0;
}
