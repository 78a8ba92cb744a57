#include "keeper/reading.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/load.h"
#include "base/own.h"
#include "base/rank.h"
#include "base/sandbox.h"
#include "keeper/aloud.h"
#include "keeper/lastgood.h"
#include "policy/pack.h"

/* More than any policy needs: 4,096 rules and programs of 4 KiB. Only the pages that are written take memory. */
enum { ARENA_BYTES = 64 << 20, HEAD_BYTES = 8192 };
_Static_assert(sizeof(struct reading_result) <= HEAD_BYTES, "the policy lies behind it");

/* --- in the reader ---------------------------------------------------------------------------------------------- */

static void note(struct reading_result *result, const char *line)
{
    size_t used = strlen(result->text);
    snprintf(result->text + used, sizeof result->text - used, "%s\n", line);
    aloud("%s", line);
}

static void note_findings(struct reading_result *result, const struct findings *findings)
{
    for (size_t i = 0; i < findings->n; i++)
        note(result, findings->v[i].text);
}

static struct policy *load(struct reading_result *result, const char *main_file, char **contents)
{
    struct findings findings = {0};
    struct policy_sources sources = {.main_file = main_file};
    struct policy *p =
        contents ? policy_load_contents(&sources, &findings, contents) : policy_load(main_file, &findings);
    note_findings(result, &findings);
    result->errors = (uint32_t)findings.errors;
    findings_free(&findings);
    return p;
}

/* Keeps what is good for the day when what is on disk is not. */
static void keep(struct reading_result *result, const struct policy *p, const char *contents)
{
    char why[256];
    if (last_good_save(p, contents))
        return;
    snprintf(why, sizeof why,
             "fileward: note: this policy could not be kept as the last good one below /var/lib/fileward: %s",
             strerror(errno));
    note(result, why);
}

static struct policy *load_last_good(struct reading_result *result, const struct policy *bad)
{
    char line[PATH_MAX + 128];
    CLEAN_FREE char *path = last_good_path(bad->files[0]);
    if (!path || access(path, F_OK) < 0)
        return NULL;
    snprintf(line, sizeof line, "fileward: WARNING: the policy has errors; taking the last good one, kept in %s", path);
    uint32_t errors = result->errors;
    note(result, line);
    struct policy *p = load(result, path, NULL);
    bool good = result->errors == 0;
    result->errors = errors;
    result->last_good = good;
    return good ? p : NULL;
}

static void read_policy(struct reading_result *result, const char *main_file, bool fall_back)
{
    CLEAN_FREE char *contents = NULL;
    const struct policy *p = load(result, main_file, &contents);
    if (result->errors == 0)
        keep(result, p, contents);
    else
        p = fall_back ? load_last_good(result, p) : NULL;
    if (!p)
        return;
    const struct policy *packed = policy_pack(p, (char *)result + HEAD_BYTES, ARENA_BYTES - HEAD_BYTES);
    if (!packed) {
        note(result, "fileward: the policy is too large");
        result->errors++;
    }
    result->policy = packed;
}

/* `go` ends when the keeper lets go of the other end. */
static void be_reader(struct reading_result *result, const char *main_file, bool fall_back, pid_t keeper, int go)
{
    char word;
    (void)!read(go, &word, 1);
    prctl(PR_SET_NAME, "fileward-reader");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != keeper) /* it died before that */
        _exit(EXIT_FAILURE);
    rank_last();
    if (sandbox_drop_to_reading() < 0)
        _exit(EXIT_FAILURE);
    read_policy(result, main_file, fall_back);
    _exit(EXIT_SUCCESS);
}

/* --- in the keeper ---------------------------------------------------------------------------------------------- */

bool reading_begin(struct reading *r, struct family *f, const char *main_file, bool fall_back)
{
    CLEAN_FD int fd = memfd_create("fileward-policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, ARENA_BYTES) < 0)
        return false;
    void *arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (arena == MAP_FAILED)
        return false;
    int go[2]; /* the reader waits until it stands on the board: before, the judge takes it for a stranger */
    if (pipe2(go, O_CLOEXEC) < 0) {
        munmap(arena, ARENA_BYTES);
        return false;
    }
    pid_t keeper = getpid(), pid = fork();
    if (pid == 0) {
        close(go[1]);
        be_reader(arena, main_file, fall_back, keeper, go[0]);
    }
    close(go[0]);
    if (pid < 0) {
        close(go[1]);
        munmap(arena, ARENA_BYTES);
        return false;
    }
    /* Nobody forked from here on has a hand in it while it is written. */
    madvise(arena, ARENA_BYTES, MADV_DONTFORK);
    family_seat(f, SEAT_READER, pid, -1);
    close(go[1]);
    *r = (struct reading){.result = arena, .memory_fd = STEAL_FD(fd)};
    return true;
}

void reading_finish(struct reading *r)
{
    /* The policy holds addresses inside of this memory, so it is mapped again where it was. Sealing needs that no
     * writable mapping is left. */
    void *at = r->result;
    munmap(at, ARENA_BYTES);
    int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL, rc = -1;
    for (int tries = 0; tries < 20 && (rc = fcntl(r->memory_fd, F_ADD_SEALS, seals)) < 0; tries++)
        nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL); /* somebody looks at the reader's memory */
    void *again = mmap(at, ARENA_BYTES, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, r->memory_fd, 0);
    r->result = again == at ? again : NULL;
    if (r->result && rc < 0) { /* what can still be written is not what was checked */
        munmap(again, ARENA_BYTES);
        r->result = NULL;
    }
}

void reading_release(struct reading *r)
{
    if (r->result)
        munmap(r->result, ARENA_BYTES);
    if (r->memory_fd >= 0)
        close(r->memory_fd);
    *r = (struct reading){.memory_fd = -1};
}
