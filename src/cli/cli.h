/* The commands, and what they share. Each gets argv with its own name first and returns the exit status. */
#ifndef FILEWARD_CLI_CLI_H
#define FILEWARD_CLI_CLI_H

#include "base/exit.h"

int cmd_check(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_events(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_harden(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_selftest(int argc, char **argv);

#endif
