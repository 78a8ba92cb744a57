#include "keeper/change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit.h"
#include "base/notify.h"
#include "base/process.h"
#include "base/sandbox.h"
#include "keeper/aloud.h"
#include "keeper/carry.h"
#include "keeper/groups.h"
#include "keeper/heritage.h"
#include "keeper/say.h"
#include "policy/policy.h"

enum {
    READ_MS = 30000,  /* a policy is read within this, or not at all */
    RAISE_MS = 10000, /* judges get ready within this */
    CLERK_MS = 5000,  /* a clerk within this, or later */
    LEAVE_MS = 2000,  /* herald and scout leave within this */
    STOP_MS = 2000,
    SOON_MS = 2,
    MARKING_MS = 10, /* that may take long */
};

static void enter_phase(struct change *c, enum phase phase)
{
    c->phase = phase;
    c->since_ns = clock_now();
    c->dry = 0;
}

static bool overdue(const struct change *c, int64_t now, int ms)
{
    return now - c->since_ns > ms * NS_PER_MS;
}

static struct generation *free_slot(struct change *c)
{
    for (size_t i = 0; i < sizeof c->slot / sizeof *c->slot; i++) {
        struct generation *g = &c->slot[i];
        if (g != c->serving && g != c->coming && g != c->leaving) {
            *g = (struct generation){.reading = {.memory_fd = -1}};
            return g;
        }
    }
    return NULL; /* a change begins only when the last one is complete: there is one */
}

static void forget(struct generation *g, const struct generation *heir)
{
    family_dissolve(&g->family, heir ? &heir->family : NULL);
    reading_release(&g->reading);
}

/* --- what came of it -------------------------------------------------------------------------------------------- */

/* For status, metrics and `fileward reload`. */
static void post(struct board *b, bool failed, bool last_good, const char *text)
{
    snprintf(b->reload_text, sizeof b->reload_text, "%s", text);
    b->last_good = last_good;
    atomic_store(&b->reload_failed, failed);
    atomic_store(&b->loaded_ns, clock_wall());
    atomic_fetch_add(&b->reloads, 1);
}

static uint64_t marks_of(const struct family *f)
{
    uint64_t marks = 0;
    for (int i = 0; i < f->policy->n_watches; i++)
        marks += atomic_load(&f->board->watch[i].marks);
    return marks;
}

static void rest(struct change *c)
{
    enter_phase(c, PHASE_QUIET);
    if (c->again) {
        c->again = false;
        change_ask(c);
    }
}

/* The policy in force stays. */
static void refuse(struct change *c, const char *why)
{
    struct family *f = &c->serving->family;
    if (c->coming) {
        family_kill(&c->coming->family, SEAT_JUDGE);
        family_kill(&c->coming->family, SEAT_SPARE);
        family_kill(&c->coming->family, SEAT_CLERK);
        family_introduce(f, NULL);
        forget(c->coming, c->serving);
        c->coming = NULL;
    }
    post(f->board, true, f->board->last_good, why);
    say_reload(f, false, marks_of(f), why);
    if (strchr(why, '\n')) /* the reader has said it line by line */
        aloud("fileward: not reloaded: the policy in force stays; why, says: fileward status");
    else
        aloud("fileward: not reloaded: %s; the policy in force stays", why);
    notify_send(c->notify_fd, "READY=1\nSTATUS=The policy was refused; the earlier one is in force");
    rest(c);
}

/* Once the first is complete, and then after each. */
static void announce(struct change *c)
{
    struct family *f = &c->serving->family;
    const struct policy *p = f->policy;
    const struct reading_result *result = c->serving->reading.result;
    struct board *b = f->board;
    uint64_t marks = marks_of(f);
    const char *mode = mode_name(p->settings.mode == MODE_ENFORCE ? MODE_ENFORCE : MODE_AUDIT);
    char line[256];
    if (c->announced) {
        post(b, false, false, result->text);
        say_reload(f, true, marks, "");
        snprintf(line, sizeof line, "fileward: reloaded: %d watches, %d rules, %lu marks, mode %s", p->n_watches,
                 p->n_rules, (unsigned long)marks, mode);
    } else {
        struct ledger *l = c->estate.ledger;
        if (!c->inherited)
            ledger_close_gap(l);
        b->gap_from_ns = l->head.gap_from_ns;
        b->gap_until_ns = l->head.gap_until_ns;
        b->gap_orderly = l->head.gap_orderly;
        atomic_store(&b->state, BOARD_SERVING);
        post(b, result->last_good, result->last_good, result->text);
        say_start(f, marks,
                  result->last_good ? "with the last good policy: the one on disk has errors"
                  : c->inherited    ? "took over from a keeper that was gone"
                                    : "");
        snprintf(line, sizeof line, "fileward: ready: %d watches, %d rules, %lu marks, mode %s", p->n_watches,
                 p->n_rules, (unsigned long)marks, mode);
    }
    c->announced = true;
    aloud("%s", line);
    char status[320];
    snprintf(status, sizeof status, "READY=1\nSTATUS=%s", line + strlen("fileward: "));
    notify_send(c->notify_fd, status);
    if (f->fresh)
        looking_begin(&c->looking, f, f->fresh);
    rest(c);
}

/* --- the judges change ------------------------------------------------------------------------------------------ */

/* The judge that serves answers what it holds and leaves. One that does not is released of it and ended, as in a rescue:
 * the next one must not read before, for the kernel matches answers by number alone. */
static void end_judge(struct family *old, int ms)
{
    family_kill(old, SEAT_SPARE);
    family_dismiss(old, SEAT_JUDGE);
    if (!family_reap(old, SEAT_JUDGE, ms, NULL)) {
        rescue_sweep(old);
        family_kill(old, SEAT_JUDGE);
    }
    rescue_sweep(old); /* had it died meanwhile with questions in hand */
}

static void switch_over(struct change *c)
{
    struct generation *old = c->serving, *new = c->coming;
    if (old && looking_end(&c->looking, &old->family))
        new->family.fresh = ~UINT64_C(0); /* it had not finished: the next one looks for everything */
    if (old) {
        end_judge(&old->family, new->family.policy->settings.timeout_ms / 2);
        carry_head(old->family.board, new->family.board);
    }
    family_note_leaving(&new->family, old ? &old->family : NULL);
    c->leaving = old;
    c->serving = new;
    c->coming = NULL;
    c->rescue = (struct rescue){0};
    family_enter(&new->family); /* before it serves: were we to die now, the next keeper finds it */
    family_say(&new->family, SEAT_JUDGE, 'g');
    if (!c->estate.files.announced)
        files_announce(&c->estate.files);
    if (old && old->family.board)
        carry_counters(&old->family, &new->family);
    if (old) {
        family_dismiss(&old->family, SEAT_SCOUT);
        family_dismiss(&old->family, SEAT_HERALD);
        family_dismiss(&old->family, SEAT_CLERK);
    }
    enter_phase(c, PHASE_MARKING);
}

/* --- the phases ------------------------------------------------------------------------------------------------- */

/* What a reload cannot change: the keeper opens nothing by name once it serves. */
static const char *needs_another_keeper(const struct settings *a, const struct settings *b)
{
    if (strcmp(a->socket, b->socket) != 0)
        return "socket";
    if (strcmp(a->log_file, b->log_file) != 0)
        return "log_file";
    if ((a->listen == NULL) != (b->listen == NULL) || (a->listen && strcmp(a->listen, b->listen) != 0))
        return "listen";
    if (a->journal != b->journal)
        return "journal";
    return a->uid != b->uid || a->gid != b->gid ? "user" : NULL;
}

/* Forks the judges of a generation whose groups are there. */
static bool raise_judges(struct change *c, struct generation *g)
{
    c->coming = g;
    g->family.board->features = c->features;
    family_note_leaving(&g->family, c->serving ? &c->serving->family : NULL);
    enter_phase(c, PHASE_RAISING);
    if (g->family.desk[1] >= 0 && estate_has_room_for_clerk(&c->estate) && !family_fork(&g->family, SEAT_CLERK))
        return false;
    if (c->serving)
        family_introduce(&c->serving->family, &g->family);
    return family_fork(&g->family, SEAT_JUDGE) && family_fork(&g->family, SEAT_SPARE);
}

/* `how` the reader ended: its wait status. What one has left that was ended counts for nothing. */
static void on_read(struct change *c, int how)
{
    struct generation *g = c->coming;
    const struct family *now = &c->serving->family;
    char why[256], text[RELOAD_TEXT_MAX];
    reading_finish(&g->reading);
    const struct reading_result *result = g->reading.result;
    if (WIFSIGNALED(how)) {
        snprintf(why, sizeof why, "the policy could not be read: its reader was ended by signal %d (%s)", WTERMSIG(how),
                 strsignal(WTERMSIG(how)));
        refuse(c, why);
        return;
    }
    if (!result || !result->policy) {
        snprintf(text, sizeof text, "%s", result && result->text[0] ? result->text : "the policy could not be read");
        refuse(c, text);
        return;
    }
    const char *key = needs_another_keeper(&now->policy->settings, &result->policy->settings);
    if (key) {
        snprintf(why, sizeof why,
                 "`%s` in [fileward] was changed, which takes another keeper: restart fileward (to keep guarding "
                 "meanwhile, send the keeper SIGUSR2 and start fileward again)",
                 key);
        refuse(c, why);
        return;
    }
    uint32_t features = c->features;
    if (c->estate.next_number + WATCHES_MAX >= REGISTER_WATCHES_MAX) {
        refuse(c, "too many watches came and went: restart fileward");
        return;
    }
    if (family_prepare(&g->family, &c->estate, result->policy) < 0 ||
        groups_create(&g->family, &c->serving->family, &features) < 0 || !raise_judges(c, g))
        refuse(c, "there are no resources for another family (memory, groups or processes)");
}

static void while_reading(struct change *c, int64_t now)
{
    struct family *f = &c->serving->family;
    int how = 0;
    if (family_reap(f, SEAT_READER, 0, &how)) {
        on_read(c, how);
    } else if (overdue(c, now, READ_MS)) {
        family_kill(f, SEAT_READER);
        refuse(c, "reading the policy took longer than 30 seconds");
    }
}

/* The judge of a dead keeper, which nobody else watches over, may die before its heirs are ready: who waits for it is
 * released, and until one of them reads we answer. */
static void stand_in_for_orphan(struct change *c)
{
    struct family *old = &c->serving->family, *new = &c->coming->family;
    bool was_there = old->seat[SEAT_JUDGE].pid;
    if (!family_reap(old, SEAT_JUDGE, 0, NULL))
        return;
    if (was_there) {
        uint64_t released = rescue_sweep(new);
        atomic_fetch_add(&new->board->rescues, 1);
        say_rescue(new, released, "the judge of the keeper that was gone died before the next one was ready");
    }
    rescue_stand_in(new);
}

static void while_raising(struct change *c, int64_t now)
{
    struct family *f = &c->coming->family;
    bool ready = true, dead = false;
    if (c->inherited && !c->announced)
        stand_in_for_orphan(c);
    for (int s = SEAT_JUDGE; s <= SEAT_SPARE; s++) {
        family_hear(f, (enum seat)s);
        ready &= f->seat[s].ready;
        dead |= family_reap(f, (enum seat)s, 0, NULL);
    }
    /* One that has died is replaced later: it must not keep a good policy from coming into force. */
    if (f->seat[SEAT_CLERK].pid && !overdue(c, now, CLERK_MS)) {
        family_hear(f, SEAT_CLERK);
        ready &= f->seat[SEAT_CLERK].ready || family_reap(f, SEAT_CLERK, 0, NULL);
    }
    if (ready && !dead) {
        switch_over(c);
    } else if (dead || overdue(c, now, RAISE_MS)) {
        if (c->serving && c->serving->family.board)
            refuse(c, "the new judge did not get ready");
        else
            c->failed = true; /* nobody, or a judge without keeper, serves as before */
    }
}

/* Herald and scout of the family before: their seats in the new one stay empty until they are gone. */
static void part_from(struct change *c, int64_t now)
{
    struct family *f = &c->leaving->family;
    bool gone = true;
    for (int s = 0; s < SEAT_COUNT; s++) {
        if (overdue(c, now, LEAVE_MS))
            family_kill(f, (enum seat)s);
        gone &= family_reap(f, (enum seat)s, 0, NULL);
    }
    if (!gone)
        return;
    family_note_leaving(&c->serving->family, NULL);
    forget(c->leaving, c->serving);
    c->leaving = NULL;
}

static void while_marking(struct change *c, int64_t now)
{
    struct family *f = &c->serving->family;
    if (c->leaving)
        part_from(c, now);
    if (c->leaving || !atomic_load(&f->board->scanned))
        return;
    groups_uncover(f);
    if (f->n_gates == f->policy->n_watches) {
        announce(c);
        return;
    }
    /* Everything is marked for those who guard it now: the old marks can go. Who was asked about through them before is
     * still answered. */
    for (int i = f->policy->n_watches; i < f->n_gates; i++)
        groups_unmark(&f->gates[i]);
    enter_phase(c, PHASE_PARTING);
}

static bool dropped_are_dry(const struct family *f)
{
    int n = f->policy->n_watches;
    if (groups_unread(&f->gates[n], f->n_gates - n) > 0)
        return false;
    for (int i = 0; i < HELD_MAX; i++)
        if (atomic_load(&f->board->held[i].fd) >= 0 && atomic_load(&f->board->held[i].gate) >= n)
            return false;
    return true;
}

static void while_parting(struct change *c, int64_t now)
{
    enum { LOOKS = 5 }; /* who looked a mark up just before it went may be on his way */
    struct family *f = &c->serving->family;
    c->dry = dropped_are_dry(f) ? c->dry + 1 : 0;
    if (c->dry < LOOKS && !overdue(c, now, LEAVE_MS))
        return;
    for (int i = f->policy->n_watches; i < f->n_gates; i++)
        close(f->gates[i].fd);
    f->n_gates = f->policy->n_watches;
    family_say(f, SEAT_JUDGE, 'd');
    family_say(f, SEAT_SPARE, 'd');
    family_enter(f);
    announce(c);
}

void change_tick(struct change *c, int64_t now)
{
    switch (c->phase) {
    case PHASE_QUIET:
        break;
    case PHASE_READING:
        while_reading(c, now);
        break;
    case PHASE_RAISING:
        while_raising(c, now);
        break;
    case PHASE_MARKING:
        while_marking(c, now);
        break;
    case PHASE_PARTING:
        while_parting(c, now);
        break;
    }
    if (c->looking.pid)
        looking_tick(&c->looking, &c->serving->family, now);
    if (c->announced || c->inherited)
        ledger_alive(c->estate.ledger);
    if (c->serving && c->serving->family.board)
        ledger_mend(c->estate.ledger);
    if (c->serving && c->serving->family.board)
        atomic_store(&c->serving->family.board->changing, c->phase != PHASE_QUIET);
}

int64_t change_deadline(const struct change *c, int64_t now)
{
    const struct generation *g = c->serving && c->serving->family.policy ? c->serving : c->coming;
    int64_t usual = g ? g->family.policy->settings.timeout_ms * NS_PER_MS / 4 : SOON_MS * NS_PER_MS;
    bool long_one = c->phase == PHASE_MARKING || c->phase == PHASE_QUIET; /* marking, and looking who holds what */
    int64_t soon = (long_one ? MARKING_MS : SOON_MS) * NS_PER_MS;
    bool quiet = c->phase == PHASE_QUIET && !c->looking.pid;
    return now + (quiet || usual < soon ? usual : soon);
}

void change_ask(struct change *c)
{
    if (c->phase != PHASE_QUIET) {
        c->again = true;
        return;
    }
    notify_send(c->notify_fd, "RELOADING=1");
    c->coming = free_slot(c);
    enter_phase(c, PHASE_READING);
    if (!reading_begin(&c->coming->reading, &c->serving->family, c->main_file, false))
        refuse(c, "the policy's reader could not be forked");
}

/* --- the first -------------------------------------------------------------------------------------------------- */

static int read_first(struct change *c, struct family *nobody, struct generation *g)
{
    if (!reading_begin(&g->reading, nobody, c->main_file, true)) {
        fprintf(stderr, "fileward: not started: the policy's reader could not be forked: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    if (!family_reap(nobody, SEAT_READER, READ_MS, NULL))
        family_kill(nobody, SEAT_READER);
    reading_finish(&g->reading);
    const struct reading_result *result = g->reading.result;
    if (result && result->policy)
        return 0;
    uint32_t errors = result ? result->errors : 0;
    if (errors)
        fprintf(stderr, "fileward: not started: %u error%s in the policy\n", errors, errors == 1 ? "" : "s");
    else
        fprintf(stderr, "fileward: not started: the policy could not be read\n");
    return EXIT_POLICY;
}

static int complain_about_user(const struct settings *s)
{
    fprintf(stderr,
            "fileward: there is no user `%s`: make it (useradd --system --no-create-home --shell "
            "/usr/sbin/nologin %s), or set `user` in [fileward] to a number that nobody has\n",
            s->user, s->user);
    return EXIT_POLICY;
}

static bool is_usual(const char *main_file)
{
    return !main_file || strcmp(main_file, "/etc/fileward/fileward.ini") == 0;
}

int change_prepare(struct change *c)
{
    struct estate *e = &c->estate;
    e->files.lock = e->files.http = -1;
    struct generation *before = c->serving = free_slot(c), *first = c->coming = free_slot(c);
    family_prepare(&before->family, e, NULL);
    if (is_usual(c->main_file) && files_take_usual_gate(&e->files) < 0)
        return EXIT_FAILED;
    int rc = read_first(c, &before->family, first);
    if (rc)
        return rc;
    const struct policy *p = first->reading.result->policy;
    if (p->settings.uid == UINT32_MAX)
        return complain_about_user(&p->settings);
    if (files_take_gate(p, &e->files) < 0)
        return EXIT_FAILED;
    e->ledger = ledger_open(e->files.ledger);
    if (!e->ledger) {
        fprintf(stderr, "fileward: cannot read the ledger beside %s: %s\n", p->settings.socket, strerror(errno));
        return EXIT_FAILED;
    }
    int inherited = heritage_take(&before->family, e);
    if (inherited < 0)
        return EXIT_FAILED;
    c->inherited = inherited;
    c->features = process_features() | (sandbox_has_landlock() ? FEATURE_LANDLOCK : 0u);
    if (estate_prepare(e) < 0 || family_prepare(&first->family, e, p) < 0 ||
        groups_create(&first->family, &before->family, &c->features) < 0 || files_open(p, &e->files) < 0)
        return EXIT_FAILED;
    if (!inherited)
        c->serving = NULL;
    return 0;
}

bool change_begin(struct change *c)
{
    return raise_judges(c, c->coming);
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

/* `serves`: its judge is the one that reads. What that one held is answered by on_timeout, however it ended, and not let
 * through when the groups close; of judges that wait, the numbers are those of another. */
static void end_family(struct family *f, bool serves, int patience_ms)
{
    static const enum seat order[] = {SEAT_READER, SEAT_SPARE, SEAT_JUDGE, SEAT_CLERK, SEAT_SCOUT};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        family_dismiss(f, order[i]);
        if (!family_reap(f, order[i], order[i] == SEAT_READER ? 0 : patience_ms, NULL))
            family_kill(f, order[i]);
        if (order[i] == SEAT_JUDGE && serves)
            rescue_sweep(f);
    }
}

static void end_herald(struct family *f)
{
    family_dismiss(f, SEAT_HERALD);
    if (!family_reap(f, SEAT_HERALD, STOP_MS, NULL))
        family_kill(f, SEAT_HERALD);
}

/* The judge answers what it holds, then the scout lets go of the groups, then we do: what still waits is let through by
 * the kernel. The herald comes last, so that it can tell. */
void change_end(struct change *c)
{
    if (c->serving && c->serving->family.estate)
        looking_end(&c->looking, &c->serving->family);
    struct generation *all[] = {c->coming, c->serving, c->leaving};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct family *f = all[i] ? &all[i]->family : NULL;
        if (!f || !f->estate)
            continue;
        int half = f->policy ? f->policy->settings.timeout_ms / 2 : STOP_MS;
        if (f->board)
            atomic_store(&f->board->state, BOARD_STOPPING);
        end_family(f, all[i] == c->serving, half < STOP_MS / 3 ? half : STOP_MS / 3);
    }
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int g = 0; all[i] && g < all[i]->family.n_gates; g++)
            close(all[i]->family.gates[g].fd);
    /* A takeover that failed before anybody of ours served leaves everything to who serves as before. */
    bool heir = c->failed && c->inherited && !c->estate.files.announced;
    if (!heir)
        ledger_end(c->estate.ledger);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i] && all[i]->family.estate)
            end_herald(&all[i]->family);
    /* Whoever starts fileward next should not find a judge that is still about to end. */
    int64_t until = clock_now() + STOP_MS * NS_PER_MS;
    while (estate_reap_strays(&c->estate) > 0 && clock_now() < until)
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    files_remove(&c->estate.files, !heir);
}
