/* Text of /proc: whatever it holds, results are bounded, and what was understood can be written down and read again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/procfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool b)
{
    if (!b)
        abort();
}

static void check_status(const char *text, size_t size)
{
    static struct proc_status s, again;
    if (!procfs_status(text, size, &s))
        return;
    require(s.n_groups <= GROUPS_MAX && s.tgid >= 0 && s.ppid >= 0 && s.tracer >= 0);
    require(!s.more_groups || s.n_groups == GROUPS_MAX);

    static char out[8192];
    size_t n = (size_t)snprintf(
        out, sizeof out, "Tgid:\t%d\nPPid:\t%d\nTracerPid:\t%d\nUid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nGroups:\t",
        s.tgid, s.ppid, s.tracer, s.ruid, s.euid, s.suid, s.fsuid, s.rgid, s.egid, s.sgid, s.fsgid);
    for (size_t i = 0; i < s.n_groups; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%u ", s.groups[i]);
    require(procfs_status(out, n, &again));
    again.more_groups = s.more_groups;
    require(memcmp(&s, &again, sizeof s) == 0);
}

static void check_unit(const char *text, size_t size)
{
    char unit[UNIT_MAX];
    memset(unit, 'X', sizeof unit);
    bool found = procfs_unit(text, size, unit);
    size_t n = strnlen(unit, sizeof unit);
    require(n < sizeof unit && (found || n == 0));
    require(!strchr(unit, '/') && !strchr(unit, '\n'));
    bool text_only = size > 0 && !memchr(text, '\0', size); /* as the kernel writes it */
    require(!text_only || n <= 6 || strcmp(unit + n - 6, ".slice") != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    uint64_t flags, start;
    uint32_t number;
    check_status(text, size);
    check_unit(text, size);
    procfs_number(text, size, &number);
    enum proc_call call = procfs_syscall(text, size, &flags);
    require(call == CALL_OPEN || flags == 0);
    procfs_start_time(text, size, &start);
    return 0;
}
