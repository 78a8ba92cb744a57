#include "cli/places.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/cli.h"
#include "policy/policy.h"

static int cannot_read(const char *file, int error)
{
    bool refused = error == EACCES || error == EPERM;
    fputs("fileward: cannot read ", stderr);
    text_print(stderr, file);
    fprintf(stderr, ": %s%s\n", strerror(error), refused ? "; use root" : "");
    return refused ? EXIT_NOT_PERMITTED : EXIT_POLICY;
}

/* Tells what is wrong with the policy's file as a whole, which then was not read. Returns the exit status. */
static int judge(const struct policy *p, const struct findings *findings)
{
    for (size_t i = 0; i < findings->n; i++) {
        const struct finding *f = &findings->v[i];
        if (f->fatal && f->line == 0 && f->file == p->files[0]) {
            fprintf(stderr, "fileward: cannot use %s\n", f->text);
            return EXIT_POLICY;
        }
    }
    return EXIT_SUCCESS;
}

int places_read(const char *policy_file, struct places *out)
{
    if (policy_file && access(policy_file, R_OK) < 0)
        return cannot_read(policy_file, errno);
    struct findings findings = {0};
    struct policy_sources sources = {.main_file = policy_file};
    struct policy *p = policy_read(&sources, &findings, NULL, NULL);
    int status = policy_file ? judge(p, &findings) : EXIT_SUCCESS;
    if (status == EXIT_SUCCESS)
        *out = (struct places){.socket = strdup(p->settings.socket), .log_file = strdup(p->settings.log_file)};
    policy_free(p);
    findings_free(&findings);
    return status;
}

void places_free(struct places *p)
{
    free(p->socket);
    free(p->log_file);
}
