/* What processes do with files, timed: for `fileward bench`, and for the project's own benchmark. Each of these forks,
 * and reports nanoseconds for one time of doing it; -1 after a message on standard error if it cannot be done.
 *
 * The files of a workload stand in one directory: "0", "1" and so on. */
#ifndef FILEWARD_CLI_WORKLOAD_H
#define FILEWARD_CLI_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>

struct workload {
    int openers;  /* processes at once */
    int files;    /* they go through so many files */
    bool read;    /* and read from each */
    uint32_t uid; /* as this user and group; 0: as we are */
};

/* Makes the files, each of `bytes` bytes. */
bool workload_files(const char *dir, int files, int bytes);

/* Processes that have opened before go on opening and closing: the time that passes for one open, over all of them. */
double workload_opens(const char *dir, const struct workload *w);

/* So many processes that have opened before take turns, each opening once: what one open takes. */
double workload_turns(const char *dir, const struct workload *w);

/* A process that has never opened anything opens one file. */
double workload_first_open(const char *dir, const struct workload *w);

/* One opener that opens every millisecond, beside `openers` that do nothing but fork, open and end: the longest that it
 * waited for one open, in all of `seconds`. */
double workload_storm(const char *dir, const struct workload *w, int seconds);

/* Runs a command of the shell, with `dir` as its first argument, of which it says that it does something `times`
 * times. */
double workload_command(const char *dir, const char *command, int times);

#endif
