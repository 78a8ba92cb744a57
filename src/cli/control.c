#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/own.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/places.h"

enum { RELOAD_WAIT_S = 120, STOP_WAIT_S = 10 };

/* Opens the gate beside the socket, whose locks name keeper and judge. An exit status. */
static int open_gate(const char *socket, int *fd)
{
    char path[PATH_MAX];
    const char *slash = strrchr(socket, '/');
    snprintf(path, sizeof path, "%.*sgate", slash ? (int)(slash - socket) + 1 : 0, socket);
    *fd = open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (*fd >= 0)
        return EXIT_SUCCESS;
    char name[TEXT_ESCAPE_SIZE(128)];
    text_escape(name, sizeof name, path, strlen(path));
    if (errno == ENOENT || errno == ENOTDIR) {
        fprintf(stderr, "fileward: not running: there is no gate %s; start it with: fileward run\n", name);
        return EXIT_NOT_RUNNING;
    }
    bool refused = errno == EACCES || errno == EPERM;
    fprintf(stderr, "fileward: cannot open %s: %s%s\n", name, strerror(errno), refused ? "; use root" : "");
    return refused ? EXIT_NOT_PERMITTED : EXIT_FAILED;
}

/* Signals a process that holds a lock, by a descriptor, so that it is still the one. -1 if it is gone by now. */
static int signal_holder(int gate, enum lock_byte byte, int signal)
{
    pid_t pid = lock_holder(gate, byte);
    CLEAN_FD int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (pidfd < 0 || lock_holder(gate, byte) != pid || syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0)
        return -1;
    return STEAL_FD(pidfd);
}

struct outcome {
    bool under_way; /* another is still to come */
    json_int_t attempts;
    bool successful;
    char text[8192];
};

/* What the daemon says of its last reload. False while it does not answer. */
static bool ask_outcome(const char *socket, struct outcome *out)
{
    struct reply reply = {0};
    if (client_get(socket, "/api/reload", &reply) < 0)
        return false;
    CLEAN_FREE char *body = reply.body;
    json_t *o = reply.status == 200 ? json_loadb(body, reply.len, 0, NULL) : NULL;
    const char *text = json_string_value(json_object_get(o, "text"));
    out->attempts = json_integer_value(json_object_get(o, "attempts"));
    out->under_way = json_is_true(json_object_get(o, "under_way"));
    out->successful = json_is_true(json_object_get(o, "successful"));
    snprintf(out->text, sizeof out->text, "%s", text ? text : "");
    json_decref(o);
    return o != NULL;
}

static int reload(const char *socket)
{
    CLEAN_FD int gate = -1;
    int rc = open_gate(socket, &gate);
    struct outcome before = {0}, now = {0};
    if (rc)
        return rc;
    bool answered = ask_outcome(socket, &before);
    CLEAN_FD int keeper = signal_holder(gate, LOCK_KEEPER, SIGHUP);
    if (keeper < 0) {
        fprintf(stderr, "fileward: not running: nobody keeps this gate; start it with: fileward run\n");
        return EXIT_NOT_RUNNING;
    }
    int64_t until = clock_now() + RELOAD_WAIT_S * NS_PER_S;
    while (clock_now() < until) {
        struct pollfd p = {.fd = keeper, .events = POLLIN};
        if (poll(&p, 1, 50) > 0) {
            fprintf(stderr, "fileward: the daemon ended meanwhile\n");
            return EXIT_FAILED;
        }
        if (!ask_outcome(socket, &now) || now.under_way || (answered && now.attempts == before.attempts))
            continue;
        fputs(now.text, now.successful ? stdout : stderr);
        if (now.successful)
            puts("reloaded");
        else
            fprintf(stderr, "fileward: not reloaded: the policy in force stays\n");
        return now.successful ? EXIT_SUCCESS : EXIT_POLICY;
    }
    fprintf(stderr, "fileward: the daemon did not say within %d s whether it has reloaded; see: fileward status\n",
            RELOAD_WAIT_S);
    return EXIT_FAILED;
}

/* Waits for the end of the process behind `pidfd`, which was told to end; ends it if it does not. */
static int await_end(int pidfd, const char *who)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    syscall(SYS_pidfd_send_signal, pidfd, SIGCONT, NULL, 0); /* it may be stopped */
    if (poll(&p, 1, STOP_WAIT_S * 1000) > 0)
        return EXIT_SUCCESS;
    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    if (poll(&p, 1, 1000) > 0) {
        fprintf(stderr, "fileward: the %s did not end within %d s and was killed\n", who, STOP_WAIT_S);
        return EXIT_SUCCESS;
    }
    fprintf(stderr, "fileward: the %s does not end; kill -9 $(pgrep fileward-) ends all of it\n", who);
    return EXIT_FAILED;
}

static int stop(const char *socket)
{
    CLEAN_FD int gate = -1;
    int rc = open_gate(socket, &gate);
    if (rc)
        return rc;
    CLEAN_FD int keeper = signal_holder(gate, LOCK_KEEPER, SIGTERM);
    if (keeper >= 0 && (rc = await_end(keeper, "keeper")))
        return rc;
    /* The judge of a keeper that is gone; scout and herald leave with it. */
    CLEAN_FD int judge = signal_holder(gate, LOCK_JUDGE, SIGTERM);
    if (judge >= 0 && (rc = await_end(judge, "judge")))
        return rc;
    if (keeper >= 0 || judge >= 0)
        return EXIT_SUCCESS;
    fprintf(stderr, "fileward: not running: nobody keeps this gate\n");
    return EXIT_NOT_RUNNING;
}

static const char reload_usage[] =
    "usage: fileward reload [-c FILE] [--socket PATH]\n"
    "\n"
    "Makes the running daemon read its policy again, and says what came of it. A policy with errors is refused, and "
    "the\n"
    "one in force stays. Needs root.\n"
    "  -c FILE        the daemon of this policy (/etc/fileward/fileward.ini)\n"
    "  --socket PATH  the daemon with this socket\n"
    "Exit status: 0 reloaded, 1 failed, 3 the policy was refused, or not running, 4 not permitted.\n";

static const char stop_usage[] = "usage: fileward stop [-c FILE] [--socket PATH]\n"
                                 "\n"
                                 "Ends the running daemon; also the judge that guards on when its keeper is gone. "
                                 "Afterwards nothing is guarded. Needs\n"
                                 "root.\n"
                                 "  -c FILE        the daemon of this policy (/etc/fileward/fileward.ini)\n"
                                 "  --socket PATH  the daemon with this socket\n"
                                 "Exit status: 0 it has ended, 1 it did not, 3 not running, 4 not permitted.\n";

/* Finds the socket as all commands do, and does `act` there. */
static int at_socket(int argc, char **argv, const char *usage, int (*act)(const char *socket))
{
    static const struct option known[] = {
        {"socket", required_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *policy = NULL, *socket = NULL;
    optind = 1;
    for (int c; (c = getopt_long(argc, argv, "c:h", known, NULL)) != -1;) {
        if (c == 'c')
            policy = optarg;
        else if (c == 's')
            socket = optarg;
        else {
            fputs(usage, c == 'h' ? stdout : stderr);
            return c == 'h' ? EXIT_SUCCESS : EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (socket)
        return act(socket);
    struct places places;
    int rc = places_read(policy, &places);
    if (rc != EXIT_SUCCESS)
        return rc;
    rc = places.socket ? act(places.socket) : EXIT_FAILED;
    places_free(&places);
    return rc;
}

int cmd_reload(int argc, char **argv)
{
    return at_socket(argc, argv, reload_usage, reload);
}

int cmd_stop(int argc, char **argv)
{
    return at_socket(argc, argv, stop_usage, stop);
}
