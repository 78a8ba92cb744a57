/* The dynamic loader, and programs made for the test. */
#ifndef FILEWARD_SELFTEST_LOADER_H
#define FILEWARD_SELFTEST_LOADER_H

#include <stdbool.h>
#include <stddef.h>

/* The loader that runs us; NULL if none does. */
const char *loader_path(void);

/* Writes to `to` a copy of the program `from` that names `loader` (no longer than what it names now) as its own. */
bool loader_replaced(const char *from, const char *to, const char *loader);

/* A shared library whose initialisation opens the file that the environment names as FWOPENS, and ends the
 * process with 0 or the number of the error. NULL where it is not written for this processor. */
const void *loader_library(size_t *size);

#endif
