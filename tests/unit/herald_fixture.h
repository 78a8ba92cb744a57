/* A policy, a board and records for the herald's tests. */
#ifndef HERALD_FIXTURE_H
#define HERALD_FIXTURE_H

#include <string.h>

#include "fileward/board.h"
#include "fileward/policy.h"
#include "fileward/record.h"

static struct rule fixture_rules[] = {
    {.name = (char[]){"ssh/tools"},
     .watch = 0,
     .action = ACTION_ALLOW,
     .ops = OP_BIT(OP_READ) | OP_BIT(OP_WRITE),
     .reason = (char[]){"only OpenSSH reads keys"}},
    {.name = (char[]){"ssh/curl"}, .watch = 0, .action = ACTION_DENY, .ops = OPS_ALL},
    {.name = (char[]){"etc/vim"}, .watch = 1, .action = ACTION_DENY, .ops = OP_BIT(OP_WRITE)},
};
static struct watch fixture_watches[] = {
    {.name = (char[]){"ssh"}, .default_action = ACTION_DENY, .first_rule = 0, .rules = 2, .on_timeout = ACTION_DENY},
    {.name = (char[]){"etc"}, .default_action = ACTION_ALLOW, .mode = MODE_AUDIT, .first_rule = 2, .rules = 1},
};
static struct policy fixture_policy = {
    .settings = {.mode = MODE_ENFORCE, .timeout_ms = 200},
    .watches = fixture_watches,
    .n_watches = 2,
    .rules = fixture_rules,
    .n_rules = 3,
    .sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
};

/* Room for any record; `texts` is where the next text goes. */
struct fixture_record {
    _Alignas(8) char bytes[RECORD_BYTES_MAX];
    size_t texts;
};

static inline struct record *fixture_of(struct fixture_record *f)
{
    return (struct record *)f->bytes;
}

static inline struct record_text fixture_text(struct fixture_record *f, const char *text, size_t len)
{
    struct record_text t = {.at = (uint16_t)f->texts, .len = (uint16_t)len};
    memcpy(fixture_of(f)->bytes + f->texts, text, len);
    f->texts += len;
    fixture_of(f)->size = (uint32_t)((sizeof(struct record) + f->texts + 7) & ~(size_t)7);
    return t;
}

static inline struct record *fixture_kind(struct fixture_record *f, enum record_kind kind)
{
    memset(f, 0, sizeof *f);
    struct record *r = fixture_of(f);
    *r = (struct record){.kind = (uint8_t)kind,
                         .role = ROLE_JUDGE,
                         .seq = 912,
                         .time_ns = INT64_C(1795320000123456789),
                         .mode = MODE_AUDIT};
    memcpy(r->policy, fixture_policy.sha256, sizeof r->policy);
    r->watch = fixture_text(f, "ssh", 3);
    if (kind == RECORD_ACCESS || kind == RECORD_REPEAT)
        r->rule = fixture_text(f, "ssh/default", 11);
    return r;
}

/* The access record that docs/json.md shows, with any path and program. */
static inline struct record *fixture_access(struct fixture_record *f, const char *path, size_t path_len,
                                            const char *exe, size_t exe_len)
{
    struct record *r = fixture_kind(f, RECORD_ACCESS);
    r->op = OP_READ;
    r->decision = ACTION_DENY;
    r->verdict = ACTION_ALLOW;
    r->reason = REASON_DEFAULT;
    r->latency_ns = 41999;
    r->count = 1;
    r->flags = FLAG_DELETED;
    r->object_major = 254;
    r->object_ino = 4711;
    r->exe_major = 254;
    r->exe_ino = 99;
    r->pid = r->tid = 811;
    r->uid = r->ruid = r->gid = r->egid = r->loginuid = 1000;
    r->path = fixture_text(f, path, path_len);
    r->exe = fixture_text(f, exe, exe_len);
    r->comm = fixture_text(f, "x", 1);
    r->unit = fixture_text(f, "session-3.scope", 15);
    r->n_ancestors = 2;
    r->ancestors[0].pid = 800;
    r->ancestors[0].exe = fixture_text(f, "/usr/bin/bash", 13);
    r->ancestors[1].pid = 790;
    r->ancestors[1].exe = fixture_text(f, "/usr/sbin/sshd", 14);
    return r;
}

#define FIXTURE_ACCESS(f) fixture_access((f), "/home/a/.ssh/id_ed25519", 23, "/tmp/x", 6)

#endif
