/* Where the daemon of a policy is found. */
#ifndef FILEWARD_CLI_PLACES_H
#define FILEWARD_CLI_PLACES_H

struct places {
    char *socket;
    char *log_file;
};

/* What the policy says, as far as it is understood, else the usual places. Returns 0, or the exit status after saying
 * why `policy_file` cannot be read; the usual policy (NULL) may be missing. Members are NULL only when memory is out. */
int places_read(const char *policy_file, struct places *out);
void places_free(struct places *p);

#endif
