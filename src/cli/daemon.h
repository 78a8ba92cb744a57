/* A daemon of our own, for `bench` and `selftest`: this same program, in a mount namespace of our own. */
#ifndef FILEWARD_CLI_DAEMON_H
#define FILEWARD_CLI_DAEMON_H

#include <stdbool.h>
#include <sys/types.h>

/* Where every daemon keeps things, whatever its policy says: /run/fileward and /var/lib/fileward. Which were missing? */
struct daemon_dirs {
    bool made_run, made_state;
};

/* Makes what is missing, so that it can be covered. On the machine itself, before there is a namespace. */
struct daemon_dirs daemon_dirs_make(void);

/* In the namespace: what a daemon of this machine has there is not ours, and what ours puts there goes with the
 * namespace. `name` is that of the file systems. */
bool daemon_dirs_cover(const char *name);

/* Removes what was made, on the machine again; not if somebody has put something there since. */
void daemon_dirs_remove(const struct daemon_dirs *made);

/* Starts `self` with the policy file; what it says goes to the file `said`. Returns its pid when it guards; -1 after
 * showing what it said, and then nothing of it runs. `command` is for messages: "bench". From then on this process is the
 * parent of what a keeper that dies leaves behind. */
pid_t daemon_start(const char *command, const char *self, const char *policy, const char *said);

/* Ends the keeper and all that is left of it, in any case; also the judge of one that is gone already. */
void daemon_stop(pid_t keeper);

#endif
