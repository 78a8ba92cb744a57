#include "herald/json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/stamp.h"
#include "base/text.h"
#include "policy/policy.h"

/* What is left out so that a line fits: tried from the first to the last. The nearest ancestors are kept to the end, for
 * a long hostile name must not hide who started its owner. */
static const struct fit {
    bool hex;
    int ancestors;
    size_t name_max;
} fits[] = {
    {true, RECORD_ANCESTORS_MAX, RECORD_BYTES_MAX},
    {false, RECORD_ANCESTORS_MAX, RECORD_BYTES_MAX},
    {false, 16, RECORD_BYTES_MAX},
    {false, 8, RECORD_BYTES_MAX},
    {false, 4, RECORD_BYTES_MAX},
    {false, 4, 2048},
    {false, 4, 1024},
    {false, 4, 512},
    {false, 4, 128},
};

/* Follows enum record_cut. */
enum { CUT_COMM = 1u << 3, CUT_UNIT = 1u << 4, CUT_REASON = 1u << 5, CUT_HEX = 1u << 6 };
static const char *const cut_names[] = {"path", "exe", "ancestors", "comm", "unit", "reason", "hex"};

static const char *const kind_names[RECORD_KIND_COUNT] = {
    [RECORD_ACCESS] = "access", [RECORD_REPEAT] = "access",       [RECORD_TIMEOUT] = "timeout",
    [RECORD_RESCUE] = "rescue", [RECORD_START] = "start",         [RECORD_STOP] = "stop",
    [RECORD_RELOAD] = "reload", [RECORD_UNGUARDED] = "unguarded", [RECORD_RESCAN] = "rescan",
    [RECORD_OPEN] = "open",
};

/* One line in the making. */
struct telling {
    const struct record *r;
    const struct record *repeat; /* or NULL */
    const struct fit *fit;
    unsigned cut; /* what is missing: enum record_cut and the above */
};

static void own_json(json_t **j)
{
    json_decref(*j);
}
#define CLEAN_JSON __attribute__((cleanup(own_json)))

static void put(json_t *o, const char *key, json_t *value)
{
    json_object_set_new(o, key, value ? value : json_null());
}

static void put_word(json_t *o, const char *key, const char *word)
{
    put(o, key, word ? json_string(word) : NULL);
}

static void put_number(json_t *o, const char *key, uint64_t n)
{
    put(o, key, json_integer((json_int_t)(n > INT64_MAX ? INT64_MAX : n)));
}

/* Of a process that is not known, 0 would be root. */
static void put_id(const struct telling *t, json_t *o, const char *key, uint32_t id)
{
    put(o, key, t->r->pid <= 0 || id == UINT32_MAX ? NULL : json_integer(id));
}

static void put_pid(json_t *o, const char *key, int32_t pid)
{
    put(o, key, pid > 0 ? json_integer(pid) : NULL);
}

static void put_time(json_t *o, int64_t time_ns)
{
    char text[STAMP_BYTES];
    stamp_text(text, time_ns);
    put_word(o, "time", text);
}

static void put_hex(json_t *o, const char *key, const char *bytes, size_t len)
{
    char name[16];
    snprintf(name, sizeof name, "%s_hex", key);
    size_t size = TEXT_HEX_SIZE(len);
    CLEAN_FREE char *hex = malloc(size);
    if (!hex)
        return;
    text_hex(hex, size, bytes, len);
    put_word(o, name, hex);
}

/* Raw bytes as a string; the bytes themselves in hex beside where they are not UTF-8. */
static void put_bytes(struct telling *t, json_t *o, const char *key, const char *bytes, size_t len, unsigned cut)
{
    if (len > t->fit->name_max) {
        len = t->fit->name_max;
        while (len > t->fit->name_max - 3 && ((unsigned char)bytes[len] & 0xc0) == 0x80)
            len--;
        t->cut |= cut;
    }
    size_t size = TEXT_UTF8_SIZE(len);
    CLEAN_FREE char *utf8 = malloc(size);
    if (!utf8)
        return;
    bool changed = false;
    size_t n = text_utf8(utf8, size, bytes, len, &changed);
    put(o, key, json_stringn(utf8, n));
    if (changed && t->fit->hex)
        put_hex(o, key, bytes, len);
    else if (changed)
        t->cut |= CUT_HEX;
}

static void put_text(struct telling *t, json_t *o, const char *key, struct record_text text, unsigned cut)
{
    if (text.len == 0)
        put(o, key, NULL);
    else
        put_bytes(t, o, key, t->r->bytes + text.at, text.len, cut);
}

static void put_device(json_t *o, const char *dev_key, const char *ino_key, uint32_t major, uint32_t minor,
                       uint64_t ino)
{
    char dev[24];
    snprintf(dev, sizeof dev, "%u:%u", major, minor);
    put_word(o, dev_key, ino ? dev : NULL);
    put(o, ino_key, ino ? json_integer((json_int_t)ino) : NULL);
}

/* A name of the policy's: one that the parser would not have let pass is none. */
static void put_name(const struct telling *t, json_t *o, const char *key, struct record_text name)
{
    const char *text = t->r->bytes + name.at;
    bool good = name.len > 0 && !memchr(text, '\0', name.len);
    put(o, key, good ? json_stringn(text, name.len) : NULL);
}

static void put_watch(const struct telling *t, json_t *o)
{
    put_name(t, o, "watch", t->r->watch);
}

static void put_decision(const struct telling *t, json_t *o)
{
    const struct record *r = t->r;
    put_watch(t, o);
    put_name(t, o, "rule", r->rule);
    put_word(o, "op", op_name((enum op)r->op));
    put_word(o, "decision", action_name((enum action)r->decision));
    put_word(o, "verdict", action_name((enum action)r->verdict));
}

static void put_reason(struct telling *t, json_t *o)
{
    static const char *const words[REASON_COUNT] = {
        [REASON_RULE] = "rule",
        [REASON_DEFAULT] = "default",
        [REASON_TIMEOUT] = "timeout",
        [REASON_INIT] = "init",
    };
    if (t->r->reason == REASON_RULE && t->r->text.len)
        put_text(t, o, "reason", t->r->text, CUT_REASON);
    else
        put_word(o, "reason", words[t->r->reason]);
}

static json_t *flags_json(uint32_t flags)
{
    static const char *const names[] = {"deleted", "impostor",    "foreign-namespace", "traced",
                                        "memfd",   "unknown-exe", "foreign-code"};
    json_t *a = json_array();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (flags >> i & 1)
            json_array_append_new(a, json_string(names[i]));
    return a;
}

static json_t *ancestors_json(struct telling *t)
{
    json_t *a = json_array();
    for (int i = 0; i < t->r->n_ancestors; i++) {
        if (i == t->fit->ancestors) {
            t->cut |= CUT_ANCESTORS;
            break;
        }
        json_t *o = json_object();
        put_pid(o, "pid", t->r->ancestors[i].pid);
        put_text(t, o, "exe", t->r->ancestors[i].exe, CUT_ANCESTORS);
        json_array_append_new(a, o);
    }
    return a;
}

static json_t *object_json(struct telling *t)
{
    const struct record *r = t->r;
    json_t *o = json_object();
    put_text(t, o, "path", r->path, CUT_PATH);
    put_device(o, "dev", "ino", r->object_major, r->object_minor, r->object_ino);
    return o;
}

static json_t *subject_json(struct telling *t)
{
    const struct record *r = t->r;
    json_t *o = json_object();
    put_pid(o, "pid", r->pid);
    put_pid(o, "tid", r->tid);
    put_text(t, o, "exe", r->exe, CUT_EXE);
    put_device(o, "exe_dev", "exe_ino", r->exe_major, r->exe_minor, r->exe_ino);
    put_id(t, o, "uid", r->uid);
    put_id(t, o, "ruid", r->ruid);
    put_id(t, o, "gid", r->gid);
    put_id(t, o, "egid", r->egid);
    put_id(t, o, "loginuid", r->loginuid);
    put_text(t, o, "comm", r->comm, CUT_COMM);
    put_text(t, o, "unit", r->unit, CUT_UNIT);
    put(o, "flags", flags_json(r->flags));
    put(o, "ancestors", ancestors_json(t));
    return o;
}

static void put_policy(const struct telling *t, json_t *o)
{
    put(o, "policy", json_sprintf("sha256:%.64s", t->r->policy));
}

/* Access and timeout. */
static void tell_question(struct telling *t, json_t *o)
{
    put_decision(t, o);
    put_word(o, "mode", mode_name((enum mode)t->r->mode));
    put_reason(t, o);
    put_number(o, "latency_us", t->r->latency_ns / 1000);
    put(o, "object", object_json(t));
    put(o, "subject", subject_json(t));
    put_policy(t, o);
    uint64_t count = t->repeat ? t->repeat->count : t->r->count;
    put_number(o, "count", count ? count : 1);
    if (t->repeat)
        put_number(o, "repeat_of", t->r->seq);
}

/* Repeats of a record that the herald does not remember. */
static void tell_repeat(struct telling *t, json_t *o)
{
    put_decision(t, o);
    put_number(o, "count", t->r->count);
    put_number(o, "repeat_of", t->r->of_seq);
}

static void tell_rescue(struct telling *t, json_t *o)
{
    put_watch(t, o);
    put_text(t, o, "reason", t->r->text, CUT_REASON);
    put_number(o, "count", t->r->count);
}

static void put_what_is_in_force(struct telling *t, json_t *o)
{
    put_word(o, "version", FILEWARD_VERSION);
    put_word(o, "mode", mode_name((enum mode)t->r->mode));
    put_number(o, "watches", t->r->watches);
    put_number(o, "rules", t->r->rules);
    put_number(o, "marks", t->r->count);
    put_policy(t, o);
}

static void tell_start(struct telling *t, json_t *o)
{
    put_what_is_in_force(t, o);
    put_text(t, o, "reason", t->r->text, CUT_REASON);
}

static void tell_reload(struct telling *t, json_t *o)
{
    put(o, "successful", json_boolean(t->r->decision == ACTION_ALLOW));
    put_text(t, o, "reason", t->r->text, CUT_REASON);
    put_what_is_in_force(t, o);
}

static void tell_stop(struct telling *t, json_t *o)
{
    put_text(t, o, "reason", t->r->text, CUT_REASON);
}

static void tell_unguarded(struct telling *t, json_t *o)
{
    put_watch(t, o);
    put_text(t, o, "path", t->r->path, CUT_PATH);
    put_text(t, o, "reason", t->r->text, CUT_REASON);
}

static void tell_open(struct telling *t, json_t *o)
{
    static const char *const ways[HELD_BY_MAX] = {"read", "write", "path", "mapping"};
    json_t *by = json_array();
    for (size_t i = 0; i < HELD_BY_MAX; i++)
        if (t->r->held_by >> i & 1)
            json_array_append_new(by, json_string(ways[i]));
    put_watch(t, o);
    put(o, "by", by);
    put(o, "object", object_json(t));
    put(o, "subject", subject_json(t));
    put_policy(t, o);
}

static void tell_rescan(struct telling *t, json_t *o)
{
    put_number(o, "marks", t->r->count);
    put_text(t, o, "reason", t->r->text, CUT_REASON);
}

static void (*const tell[RECORD_KIND_COUNT])(struct telling *t, json_t *o) = {
    [RECORD_ACCESS] = tell_question, [RECORD_REPEAT] = tell_repeat,       [RECORD_TIMEOUT] = tell_question,
    [RECORD_RESCUE] = tell_rescue,   [RECORD_START] = tell_start,         [RECORD_STOP] = tell_stop,
    [RECORD_RELOAD] = tell_reload,   [RECORD_UNGUARDED] = tell_unguarded, [RECORD_RESCAN] = tell_rescan,
    [RECORD_OPEN] = tell_open,
};

static void put_cut(json_t *o, unsigned cut)
{
    if (!cut)
        return;
    json_t *a = json_array();
    for (size_t i = 0; i < sizeof cut_names / sizeof *cut_names; i++)
        if (cut >> i & 1)
            json_array_append_new(a, json_string(cut_names[i]));
    put(o, "cut", a);
}

static json_t *record_json(struct telling *t)
{
    const struct record *head = t->repeat ? t->repeat : t->r;
    json_t *o = json_object();
    if (!o)
        return NULL;
    put_time(o, head->time_ns);
    put_number(o, "seq", head->seq);
    put_word(o, "role", role_name((enum role)head->role));
    put_word(o, "kind", kind_names[t->r->kind]);
    tell[t->r->kind](t, o);
    put_cut(o, t->cut);
    return o;
}

/* The line of `o`, or 0 if it does not fit. jansson leaves one control character raw: DEL, which can only stand inside
 * of a string. */
static size_t write_line(char *out, const json_t *o)
{
    char dump[LINE_BYTES_MAX];
    size_t n = json_dumpb(o, dump, sizeof dump, JSON_COMPACT | JSON_ENSURE_ASCII);
    size_t used = 0;
    if (n == 0 || n >= sizeof dump)
        return 0;
    for (size_t i = 0; i < n; i++) {
        size_t need = dump[i] == 0x7f ? 6 : 1;
        if (used + need >= LINE_BYTES_MAX)
            return 0;
        memcpy(out + used, dump[i] == 0x7f ? "\\u007f" : &dump[i], need);
        used += need;
    }
    out[used++] = '\n';
    return used;
}

size_t record_line(char *out, const struct record *r, const struct record *repeat)
{
    for (size_t i = 0; i < sizeof fits / sizeof *fits; i++) {
        struct telling t = {.r = r, .repeat = repeat, .fit = &fits[i], .cut = r->cut & 7};
        CLEAN_JSON json_t *o = record_json(&t);
        size_t n = o ? write_line(out, o) : 0;
        if (n)
            return n;
    }
    return 0;
}

static json_t *herald_json(int64_t time_ns, enum role role, const char *kind)
{
    json_t *o = json_object();
    put_time(o, time_ns);
    put_word(o, "role", role_name(role));
    put_word(o, "kind", kind);
    return o;
}

size_t gap_line(char *out, int64_t time_ns, enum role role, uint64_t first, uint64_t last)
{
    CLEAN_JSON json_t *o = herald_json(time_ns, role, "gap");
    put_number(o, "lost", last - first + 1);
    put_number(o, "first", first);
    put_number(o, "last", last);
    return write_line(out, o);
}

size_t lost_line(char *out, int64_t time_ns, uint64_t lost, const char *why)
{
    CLEAN_JSON json_t *o = herald_json(time_ns, ROLE_HERALD, "gap");
    put_number(o, "lost", lost);
    put_word(o, "reason", why);
    return write_line(out, o);
}

size_t stop_line(char *out, int64_t time_ns, const char *why)
{
    CLEAN_JSON json_t *o = herald_json(time_ns, ROLE_HERALD, "stop");
    put_word(o, "reason", why);
    return write_line(out, o);
}
