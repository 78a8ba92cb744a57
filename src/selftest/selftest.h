/* fileward selftest: each way to a file that is known, tried on this kernel, on file systems of our own, under a real
 * daemon. Here stands what its parts share; routes_*.c are the ways. */
#ifndef FILEWARD_SELFTEST_SELFTEST_H
#define FILEWARD_SELFTEST_SELFTEST_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum fs_kind { FS_TMPFS, FS_EXT4, FS_XFS, FS_BTRFS, FS_COUNT };

/* A file system of our own, mounted at `top`. */
struct fs {
    const char *name;
    char top[64], loop[32]; /* loop: its device; "" where there is none */
    char why[160];          /* why it is not tried; "" if it is */
};

/* Where a route is tried: control (nothing is guarded there), allowed (guarded, and the subject may), refused. Each has
 * a directory of its own, owned by whoever tries:
 *   g/secret g/other g/sub/deep g/run     guarded
 *   out/                                  not guarded, on the same file system
 *   one/key                               guarded as a watch on this single file
 *   ro/file                               guarded; who may not may read it nevertheless, if the route says so */
enum trial { TRIAL_CONTROL, TRIAL_ALLOWED, TRIAL_REFUSED, TRIALS };

struct arena {
    const struct fs *fs;
    const char *top;    /* of everything */
    const char *reader; /* the program that the policy allows */
    char dir[128];
    uid_t uid;
    gid_t allowed, readers; /* the groups that may, and that may read */
    enum trial trial;
    int fd;       /* for prepare(): what the attempt finds again */
    pid_t helper; /* for prepare(): ended with the arena */
    char *why;    /* where cannot() writes */
    void *shared; /* 4 KiB that children share with their parents */
};

/* What an attempt returns: 0 got through, -errno as the kernel said, or: */
enum { CANNOT = INT_MIN }; /* a step before the attempt itself failed: cannot() */

enum who { BY_ROOT = 1, BY_USER = 2, BY_BOTH = 3 };

/* When it is known that a route is open. */
enum known {
    CLOSED,      /* never */
    OPEN_INODE,  /* with coverage = inode */
    OPEN_READ,   /* without guard = open+read */
    OPEN_GUARD,  /* without guard = open+write */
    OPEN_CODE,   /* without code = intact */
    OPEN_ALWAYS, /* no setting closes it */
};

struct route {
    const char *name, *what;
    enum who who;
    unsigned only; /* bits of enum fs_kind; 0: all */
    bool may_read; /* the subject that may not may read ro/file */
    enum known known;
    const char *limit, *closes; /* why it is open, and what closes it */
    /* Before anything is guarded, as root, in the process that forks the attempts. false: cannot() said why. */
    bool (*prepare)(struct arena *a);
    /* What the subject that may does, where that is not a member of the group; as attempt(). */
    int (*genuine)(const struct arena *a);
    /* In a child of its own, as the user: killed with all its children when it takes too long. */
    int (*attempt)(const struct arena *a);
};

/* The ways, by theme. */
struct routes {
    const struct route *list;
    size_t n;
};
struct routes routes_open(void);
struct routes routes_names(void);
struct routes routes_mounts(void);
struct routes routes_exec(void);
struct routes routes_identity(void);
struct routes routes_fds(void);
struct routes routes_intent(void);

/* --- for routes (route.c) ----------------------------------------------------------------------------------------- */

/* A name below the arena's directory; good for the next seven calls. */
const char *at(const struct arena *a, const char *name);

/* Notes that `step` failed, with errno. Returns CANNOT. */
int cannot(const struct arena *a, const char *step);

/* What a descriptor from open(2) means: 0 if the content can be read through it, or it is no file or for writing alone.
 * Closes it. */
int got(const struct arena *a, int fd);
int try_open(const struct arena *a, const char *path, int flags);

/* Runs a program; 0 if it said that it opened the file, -errno as it said, CANNOT if it did not run. */
int run_program(const struct arena *a, const char *program, char *const argv[]);

/* The same for a program that tells its error in words. */
int run_and_read(const struct arena *a, const char *program, char *const argv[]);

/* argv of the program that opens `path` and ends with 0, or the number of the error. */
#define OPENS(path) ((char *[]){"fileward", "selftest", "--open", (char *)(path), NULL})

bool write_file(const char *path, const char *text, mode_t mode);
bool copy_file(const char *from, const char *to, mode_t mode);

/* Becomes the user who owns the arena, one whose own /proc is his. */
bool become_owner(const struct arena *a);

/* A user (and mount) namespace of our own, with our own id mapped to root. */
bool own_namespaces(void);

/* A child that runs `run` (NULL: nothing) and then waits until it is killed. Returns when `run` has ended. */
pid_t keep_process(struct arena *a, bool (*run)(struct arena *a));

#define SECRET "a secret that nobody may read\n"

/* --- the parts ---------------------------------------------------------------------------------------------------- */

/* What a round tries: all routes, or those that its words close. */
struct setting {
    const char *name;   /* "filesystem" */
    const char *words;  /* "coverage = filesystem" */
    const char *keys;   /* lines of the watches, beside path and default */
    const char *reader; /* lines of the rules that name the reader, beside that */
    enum known closes;  /* CLOSED: all are tried */
    int times;          /* who may not tries so often, each time in an arena of its own: some are won by luck */
};

struct plan {
    const char *top, *reader;
    const char *self; /* the program that is tested: this one */
    uid_t uid;        /* the unprivileged user */
    uid_t service;    /* the daemon's own user */
    gid_t allowed;    /* a group: who holds it may */
    gid_t readers;    /* a group: who holds it may read what lies in ro/ */
    struct fs fs[FS_COUNT];
    const struct setting *setting;
    const char *only; /* routes with this in their name; NULL: all */
};

enum result { RESULT_CLOSED, RESULT_KNOWN, RESULT_OPEN, RESULT_WRONG, RESULT_NOT_TRIED, RESULTS };

struct tried {
    const struct route *route;
    const struct fs *fs;
    const struct setting *setting;
    enum who who;
    enum result result;
    bool expected_open;
    int seen[TRIALS]; /* as attempts return; CANNOT: not tried */
    char why[160];
};

struct feature {
    char name[64], found[64];
    char weakens[240]; /* "" if nothing is weaker for it */
};

struct death {
    const char *mode; /* enforce, audit */
    const char *role, *what;
    uint64_t opened;  /* by one who may not, where that is forbidden */
    uint64_t refused; /* where nobody may be refused */
    int longest_ms, bound_ms;
    char why[160]; /* "": all is well */
};

enum { FEATURES_MAX = 24 };
struct report {
    struct tried *tried;
    struct death *deaths;
    int n_tried, n_deaths, n_features;
    struct feature features[FEATURES_MAX];
};

/* place.c: mounts below `top` those file systems whose bit is in `wanted`; of the others, and of those that cannot be
 * made here, fs[].why says so. Nothing outside of our own mount namespace changes. */
void place_make(const char *top, struct fs fs[FS_COUNT], unsigned wanted);
extern const char *const fs_names[FS_COUNT];

/* features.c: what this kernel has and how it is set, as far as a promise hangs on it. Adds to the report. */
void features_find(const struct plan *p, struct report *r);
/* The same from the daemon that runs for the test: what it says is weaker. */
void features_of_daemon(const struct plan *p, struct report *r);
/* Whether the plan's setting can be had on this machine at all. Adds to the report what that depends on. */
bool features_allow(const struct plan *p, struct report *r);

/* round.c: the routes that plan.setting is for. Makes all arenas, runs the controls, starts the daemon, runs the rest. Adds
 * to the report. False after saying why not. */
bool round_run(const struct plan *p, struct report *r);

/* deaths.c: promises 2 to 4 in small: each process of the daemon dies or stops while files are opened. */
bool deaths_run(const struct plan *p, struct report *r);

/* gate.c: starts the daemon, which daemon_stop() ends. NULL: with the policy of before. -1 after showing what it said. */
struct gate_settings {
    const char *mode, *timeout;
    const char *watches; /* the text of the watches and rules */
};
pid_t gate_start(const struct plan *p, const struct gate_settings *s);

/* report.c: prints it. Returns whether all is well: nothing is open that this kernel can close. */
bool report_print(const struct plan *p, const struct report *r, bool json);
void report_free(struct report *r);

#endif
