/* The whole way from files to a policy. Input: the main file, then after a line "---" one of policy.d, then after
 * another one a temporary one. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/decide.h"
#include "policy/glob.h"
#include "policy/pack.h"
#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/fileward-fuzz-XXXXXX", names[3][64], runtime[64];

static void clean(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    if (system(command) != 0)
        abort();
}

static void prepare(void)
{
    static const char *const subs[] = {"", "/policy.d", "/run"};
    static bool prepared; /* the name alone does not tell: mkdtemp() may choose an X too */
    if (prepared)
        return;
    prepared = true;
    if (!mkdtemp(dir))
        abort();
    atexit(clean);
    for (int i = 0; i < 3; i++) {
        char path[64];
        snprintf(path, sizeof path, "%s%s", dir, subs[i]);
        if (i > 0 && mkdir(path, 0700) != 0)
            abort();
        snprintf(names[i], sizeof names[i], "%s%s/p.ini", dir, subs[i]);
    }
    snprintf(runtime, sizeof runtime, "%s/run", dir);
}

static void write_files(const uint8_t *data, size_t size)
{
    for (int i = 0; i < 3; i++) {
        const uint8_t *mark = i < 2 && size ? memmem(data, size, "\n---\n", 5) : NULL;
        size_t len = mark ? (size_t)(mark - data) + 1 : size;
        unlink(names[i]); /* a file written over would be flushed to the disk */
        FILE *f = fopen(names[i], "we");
        if (!f || (len && fwrite(data, 1, len, f) != len) || fclose(f) != 0)
            abort();
        data += mark ? len + 4 : size;
        size -= mark ? len + 4 : size;
    }
}

/* Every decision can be made on a policy without errors, and asks only for what is not known yet. */
static void decide_all(const struct policy *p)
{
    struct program_set all;
    memset(&all, 0xff, sizeof all);
    for (int i = 0; i < p->n_watches; i++) {
        struct subject s = {.unit = "a.service", .exe = &all, .parent = &all, .ancestors = &all};
        struct object o = {.place = "/etc/shadow"};
        struct decision d[OP_COUNT];
        unsigned wanted;
        while ((wanted = decide(p, &p->watches[i], &s, &o, OPS_ALL, 1, d)) != 0) {
            if (wanted & (s.known | o.known))
                abort();
            s.known |= wanted;
            o.known |= wanted;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    prepare();
    write_files(data, size);
    struct policy_sources sources = {.main_file = names[0],
                                     .runtime_dir = runtime,
                                     .passwd = "/dev/null",
                                     .group = "/dev/null",
                                     .login_defs = "/dev/null",
                                     .skip_ownership = true};
    struct findings findings;
    char *contents;
    size_t n;
    struct policy *p = policy_read(&sources, &findings, &contents, &n);
    for (size_t i = 0; i < findings.n; i++) {
        if (!findings.v[i].text || strpbrk(findings.v[i].text, "\n\x1b"))
            abort();
    }
    if (findings.errors == 0) {
        static _Alignas(16) char room[1 << 22];
        decide_all(p);
        const struct policy *packed = policy_pack(p, room, sizeof room);
        if (packed)
            decide_all(packed);
    }
    free(contents);
    findings_free(&findings);
    policy_free(p);
    return 0;
}
