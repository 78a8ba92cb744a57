/* Where the daemon of a policy is found. */
#ifndef FILEWARD_CLI_PLACES_H
#define FILEWARD_CLI_PLACES_H

struct places {
    char *socket;
    char *log_file;
};

/* From the policy as far as it can be read; else the usual places. `policy_file` NULL: the usual policy. NULL members
 * only when memory is out. */
struct places places_read(const char *policy_file);
void places_free(struct places *p);

#endif
