/* fileward bench: what the policy costs on this machine. Never on its files: the policy is taken below a directory on a
 * tmpfs of our own, in a mount namespace of our own, and guarded there, audit-only, by a daemon of our own. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/load.h"
#include "base/own.h"
#include "clerk/digest.h"
#include "cli/cli.h"
#include "cli/copy.h"
#include "cli/daemon.h"
#include "cli/json.h"
#include "cli/pairs.h"
#include "cli/workload.h"

#define TOP     "/run/fileward-bench.XXXXXX"
#define PROGRAM "/program"

enum { NOBODY = 65534 };

struct options {
    const char *file, *exe;
    uint32_t uid;
    int rounds;
    bool json;
};

struct bench {
    const struct options *is;
    const struct policy *policy;
    char top[64], self[PATH_MAX];
    char free_place[128];
};

static int usage(FILE *out)
{
    fputs(
        "usage: fileward bench [-c FILE] [--exe E] [--uid N] [--rounds N] [--json]\n"
        "\n"
        "What an open costs on this machine under the policy, watch by watch, beside one that nobody guards.\n"
        "Works on file systems of its own, in audit mode; no file of the machine is guarded. Needs root.\n"
        "The file that is opened is the user's if it lies in a home, else root's, and everybody may read it. An open "
        "that\n"
        "the policy would refuse is recorded, as the watch's log says, which costs time as well.\n"
        "  --exe E     measure as if program E opened: what a rule asks of its hash, package and code is looked up "
        "of a\n"
        "              program of our own, whose hash then counts as E's, and which counts as packaged. Without it a\n"
        "              program that no rule names\n"
        "  --uid N     measure as that user; without it root\n"
        "  --rounds N  how often everything is measured (15)\n"
        "  --json      one JSON object instead of lines\n",
        out);
    return out == stdout ? 0 : EXIT_USAGE;
}

static int failed(const char *what)
{
    fprintf(stderr, "fileward: bench: %s: %s\n", what, strerror(errno));
    return EXIT_FAILED;
}

/* --- the place ---------------------------------------------------------------------------------------------------- */

/* Makes a directory and all above it, below the top, and a file in it: the user's in a home, else root's. */
static bool make_files(const struct bench *b, const char *path)
{
    const char *top = b->top, *below = path + strlen(top);
    const uint32_t owner = strncmp(below, "/home/", 6) == 0 ? b->is->uid : 0;
    char part[PATH_MAX];
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = part + strlen(top); (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return false;
        *slash = '/';
    }
    if ((mkdir(part, 0755) < 0 && errno != EEXIST) || !workload_files(part, 1, 64))
        return false;
    CLEAN_FD int dir = open(part, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fchownat(dir, "", owner, owner, AT_EMPTY_PATH) == 0 && fchownat(dir, "0", owner, owner, 0) == 0;
}

static bool mount_own(const char *dir)
{
    return mount("fileward-bench", dir, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") == 0;
}

/* A copy that is not root's is no package's, which a judge remembers as it remembers of a package's program that it is
 * one: so what a rule about trust costs is the same. */
static bool copy_self(const char *from, const char *to)
{
    struct stat st;
    CLEAN_FD int in = open(from, O_RDONLY | O_CLOEXEC);
    CLEAN_FD int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    if (in < 0 || out < 0 || fstat(in, &st) < 0)
        return false;
    for (off_t left = st.st_size; left > 0;) {
        ssize_t n = sendfile(out, in, NULL, (size_t)left);
        if (n <= 0)
            return false;
        left -= n;
    }
    return fchown(out, NOBODY, NOBODY) == 0 && fchmod(out, 0555) == 0;
}

/* In a mount namespace of its own: with that everything goes that is mounted. Returns only if it fails. */
static int become_copy(const struct bench *b, char **argv)
{
    char copy[sizeof b->top + sizeof PROGRAM];
    snprintf(copy, sizeof copy, "%s" PROGRAM, b->top);
    if (unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mount_own(b->top) &&
        copy_self(b->self, copy))
        execv(copy, argv);
    return failed("a file system of our own");
}

static bool find_self(struct bench *b)
{
    ssize_t n = readlink("/proc/self/exe", b->self, sizeof b->self - 1);
    b->self[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* Whether we are the copy; then `top` is where it lies. Nobody else sees a file of that name. */
static bool is_copy_itself(struct bench *b)
{
    size_t n = sizeof TOP - 1;
    bool is = strncmp(b->self, TOP, n - 6) == 0 && strcmp(b->self + n, PROGRAM) == 0;
    if (is)
        snprintf(b->top, sizeof b->top, "%.*s", (int)n, b->self);
    return is;
}

/* What nobody guards lies on a file system of its own: of another one a watch may guard every file. */
static bool private_place(const struct bench *b)
{
    return daemon_dirs_cover("fileward-bench") && mkdir(b->free_place, 0755) == 0 && mount_own(b->free_place);
}

/* --- the daemon --------------------------------------------------------------------------------------------------- */

static bool hash_program(const char *path, struct digest *out)
{
    CLEAN_FD int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    return fd >= 0 && digest_file(fd, DIGEST_SHA256, out, NULL, NULL) == DIGEST_DONE;
}

static bool asks_for_hashes(const struct policy *p)
{
    bool asks = false;
    for (int i = 0; i < p->n_rules; i++)
        asks |= p->rules[i].conditions >> COND_EXE_SHA256 & 1;
    return asks;
}

static bool write_policy(const struct bench *b, const char *file)
{
    struct digest exe, self;
    bool hashed = b->is->exe && hash_program(b->is->exe, &exe);
    if (b->is->exe && !hashed && asks_for_hashes(b->policy))
        fprintf(stderr, "fileward: bench: note: %s cannot be read: no exe_sha256 is taken for its own\n", b->is->exe);
    if (!hash_program(b->self, &self))
        return false;
    const struct copy c = {.top = b->top,
                           .exe = b->is->exe,
                           .self = b->self,
                           .exe_sha256 = hashed ? exe.sha256 : NULL,
                           .self_sha256 = self.sha256};
    CLEAN_FD int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    CLEAN_FILE FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    if (!out)
        return false;
    fd = -1; /* it belongs to out */
    errno = EINVAL;
    return copy_policy(b->policy, &c, out) && fflush(out) == 0;
}

static pid_t start_daemon(const struct bench *b)
{
    char policy[128], said[128];
    snprintf(policy, sizeof policy, "%s/fileward.ini", b->top);
    snprintf(said, sizeof said, "%s/said", b->top);
    if (write_policy(b, policy))
        return daemon_start("bench", b->self, policy, said);
    failed("the policy cannot be written again");
    return -1;
}

/* --- measuring ---------------------------------------------------------------------------------------------------- */

enum kind { ONE_OPENER, FOUR_OPENERS, FIRST_OPEN, KINDS };
static const struct {
    const char *name, *words;
} kinds[KINDS] = {{"open", "an open"},
                  {"open_by_4", "an open, 4 processes at once"},
                  {"first_open", "the first open of a new process"}};

struct contest {
    const struct bench *b;
    const char *place;
    enum kind kind;
    bool read;
};

static double measure(void *ctx, int thing)
{
    const struct contest *c = ctx;
    const char *dir = thing == 0 ? c->b->free_place : c->place;
    const struct workload w = {
        .openers = c->kind == FOUR_OPENERS ? 4 : 1, .files = 1, .read = c->read, .uid = c->b->is->uid};
    return c->kind == FIRST_OPEN ? workload_first_open(dir, &w) : workload_opens(dir, &w);
}

static json_t *spread_json(const struct spread *s)
{
    return json_pack("{s:f, s:f, s:f}", "median", s->median / 1000, "low", s->low / 1000, "high", s->high / 1000);
}

static json_t *measure_watch(const struct bench *b, const struct watch *w, const char *place)
{
    json_t *all = json_pack("{s:s}", "watch", w->name);
    for (int k = 0; k < KINDS; k++) {
        struct pair pair[2];
        struct contest c = {.b = b, .place = place, .kind = (enum kind)k, .read = w->guard != GUARD_OPEN};
        if (!pairs_run(b->is->rounds, 2, measure, &c, pair)) {
            json_decref(all);
            return NULL;
        }
        json_object_set_new(all, kinds[k].name,
                            json_pack("{s:o, s:o}", "unguarded_us", spread_json(&pair[0].value), "guarded_us",
                                      spread_json(&pair[1].value)));
    }
    return all;
}

static double number(const json_t *o, const char *group, const char *key)
{
    return json_real_value(json_object_get(json_object_get(o, group), key));
}

static void print_head(const struct options *o)
{
    printf("Opens by uid %u, of %s%s. Medians of %d rounds; in brackets between what 8 of 10 rounds lie.\n", o->uid,
           o->exe ? "" : "a program that no rule names", o->exe ? o->exe : "", o->rounds);
}

static void print_watch(const json_t *watch)
{
    printf("watch %s\n", json_string_value(json_object_get(watch, "watch")));
    for (int k = 0; k < KINDS; k++) {
        const json_t *o = json_object_get(watch, kinds[k].name);
        printf("  %-32s guarded %7.1f us (%.1f to %.1f), unguarded %6.1f us\n", kinds[k].words,
               number(o, "guarded_us", "median"), number(o, "guarded_us", "low"), number(o, "guarded_us", "high"),
               number(o, "unguarded_us", "median"));
    }
}

static int measure_all(const struct bench *b, char places[][PATH_MAX])
{
    json_t *watches = json_array();
    int status = 0;
    if (!b->is->json)
        print_head(b->is);
    for (int i = 0; i < b->policy->n_watches && status == 0; i++) {
        const struct watch *w = &b->policy->watches[i];
        if (!places[i][0]) {
            fprintf(stderr, "fileward: bench: watch %s is not measured: no file can be made up for its paths\n",
                    w->name);
            continue;
        }
        json_t *watch = measure_watch(b, w, places[i]);
        if (!watch)
            status = EXIT_FAILED;
        else if (!b->is->json)
            print_watch(watch);
        fflush(stdout);
        json_array_append_new(watches, watch ? watch : json_null());
    }
    json_t *all = json_pack("{s:i, s:i, s:o}", "rounds", b->is->rounds, "uid", (int)b->is->uid, "watches", watches);
    json_put_name(all, "exe", b->is->exe);
    if (b->is->json && status == 0)
        json_print(all);
    json_decref(all);
    return status;
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static int work(struct bench *b)
{
    snprintf(b->free_place, sizeof b->free_place, "%s/free", b->top);
    if (!private_place(b))
        return failed("a file system of our own");
    CLEAN_FREE char(*places)[PATH_MAX] = calloc((size_t)b->policy->n_watches + 1, sizeof *places);
    const struct copy c = {.top = b->top};
    if (!places || !workload_files(b->free_place, 1, 64))
        return failed(b->top);
    for (int i = 0; i < b->policy->n_watches; i++) {
        if (!copy_place(b->policy, &b->policy->watches[i], &c, places[i]))
            places[i][0] = '\0';
        else if (!make_files(b, places[i]))
            return failed(places[i]);
    }
    pid_t daemon = start_daemon(b);
    if (daemon < 0)
        return EXIT_FAILED;
    int status = measure_all(b, places);
    daemon_stop(daemon);
    return status;
}

static int bench(struct bench *b, char **argv)
{
    signal(SIGINT, SIG_IGN); /* the directories must go in any case */
    signal(SIGTERM, SIG_IGN);
    strcpy(b->top, TOP);
    if (!mkdtemp(b->top))
        return failed("a directory in /run");
    const struct daemon_dirs made = daemon_dirs_make();
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        _exit(become_copy(b, argv));
    }
    if (pid > 0)
        waitpid(pid, &status, 0);
    rmdir(b->top);
    daemon_dirs_remove(&made);
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED;
}

static int bench_policy(const struct options *o, char **argv)
{
    struct findings findings;
    struct policy *p = policy_load(o->file, &findings);
    struct bench b = {.is = o, .policy = p};
    int status;
    if (findings.errors > 0) {
        findings_print(&findings, stderr);
        status = EXIT_POLICY;
    } else if (!find_self(&b)) {
        status = failed("/proc/self/exe");
    } else {
        status = is_copy_itself(&b) ? work(&b) : bench(&b, argv);
    }
    findings_free(&findings);
    policy_free(p);
    return status;
}

static bool read_number(const char *word, long most, long *out)
{
    char *end;
    errno = 0;
    *out = strtol(word, &end, 10);
    return *word && !*end && !errno && *out >= 0 && *out <= most;
}

int cmd_bench(int argc, char **argv)
{
    static const struct option known[] = {
        {"exe", required_argument, NULL, 'e'},    {"uid", required_argument, NULL, 'u'},
        {"rounds", required_argument, NULL, 'r'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},         {0}};
    struct options o = {.rounds = 15};
    for (int c; (c = getopt_long(argc, argv, "c:h", known, NULL)) != -1;) {
        long n = 0;
        if (c == 'h')
            return usage(stdout);
        if (c == '?' || (c == 'u' && !read_number(optarg, UINT32_MAX - 1L, &n)) ||
            (c == 'r' && (!read_number(optarg, PAIRS_ROUNDS_MAX, &n) || n < 1)) || (c == 'e' && optarg[0] != '/'))
            return usage(stderr);
        o.json |= c == 'j';
        if (c == 'c')
            o.file = optarg;
        else if (c == 'e')
            o.exe = optarg;
        else if (c == 'u')
            o.uid = (uint32_t)n;
        else if (c == 'r')
            o.rounds = (int)n;
    }
    if (optind < argc)
        return usage(stderr);
    if (geteuid() != 0) {
        fputs("fileward: bench: run it as root: it mounts a file system and guards files there\n", stderr);
        return EXIT_NOT_PERMITTED;
    }
    CLEAN_FREE char **again = calloc((size_t)argc + 2, sizeof *again);
    if (!again)
        return failed("memory");
    again[0] = "fileward";
    again[1] = "bench";
    memcpy(again + 2, argv + 1, (size_t)argc * sizeof *argv); /* with the NULL at the end */
    return bench_policy(&o, again);
}
