#include "cli/places.h"

#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

struct places places_read(const char *policy_file)
{
    struct findings findings = {0};
    struct policy_sources sources = {.main_file = policy_file};
    struct policy *p = policy_read(&sources, &findings, NULL, NULL);
    const char *socket = p ? p->settings.socket : NULL;
    const char *log_file = p ? p->settings.log_file : NULL;
    struct places places = {
        .socket = strdup(socket ? socket : "/run/fileward/fileward.sock"),
        .log_file = strdup(log_file ? log_file : "/var/log/fileward/events.jsonl"),
    };
    policy_free(p);
    findings_free(&findings);
    return places;
}

void places_free(struct places *p)
{
    free(p->socket);
    free(p->log_file);
}
