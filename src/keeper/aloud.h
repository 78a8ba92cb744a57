/* The keeper's voice: standard error, which is the service manager's journal, a terminal, or a pipe that nobody reads. */
#ifndef FILEWARD_KEEPER_ALOUD_H
#define FILEWARD_KEEPER_ALOUD_H

/* Says a line, without its end, if there is room for it now; never waits, for whoever reads there may himself wait for a
 * verdict. What is longer than a pipe takes in one piece is cut. */
__attribute__((format(printf, 1, 2))) void aloud(const char *format, ...);

#endif
