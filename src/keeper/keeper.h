/* `fileward run`: the keeper. It holds the gate and reads nothing. */
#ifndef FILEWARD_KEEPER_KEEPER_H
#define FILEWARD_KEEPER_KEEPER_H

/* Runs in the foreground until SIGTERM or SIGINT. Returns the exit status. */
int cmd_run(int argc, char **argv);

#endif
