/* The commands, and what they share. Each gets argv with its own name first and returns the exit status. */
#ifndef FILEWARD_CLI_CLI_H
#define FILEWARD_CLI_CLI_H

enum {
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_POLICY = 3,      /* the policy has errors */
    EXIT_NOT_RUNNING = 3, /* there is no daemon to ask */
    EXIT_NOT_PERMITTED = 4,
    EXIT_WOULD_DENY = 5,
};

int cmd_check(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_events(int argc, char **argv);

#endif
