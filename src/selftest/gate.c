/* The daemon under test, with a policy, a socket and a log of its own. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "cli/daemon.h"
#include "selftest/selftest.h"

static bool write_policy(const struct plan *p, const struct gate_settings *s, const char *file)
{
    CLEAN_FILE FILE *out = fopen(file, "we");
    if (!out)
        return false;
    fchmod(fileno(out), 0600);
    fprintf(out,
            "[fileward]\nmode = %s\ntimeout = %s\non_timeout = deny\nlisten = off\nsocket = %s/run/fileward.sock\n"
            "log_file = %s/log/events.jsonl\nuser = %u\n\n%s",
            s->mode, s->timeout, p->top, p->top, p->service, s->watches);
    return fflush(out) == 0;
}

pid_t gate_start(const struct plan *p, const struct gate_settings *s)
{
    char policy[128], said[128];
    snprintf(policy, sizeof policy, "%s/policy/fileward.ini", p->top);
    snprintf(said, sizeof said, "%s/said", p->top);
    if (s && !write_policy(p, s, policy)) {
        fprintf(stderr, "fileward: selftest: %s: %s\n", policy, strerror(errno));
        return -1;
    }
    return daemon_start("selftest", p->self, policy, said);
}
