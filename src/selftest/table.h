/* What the selftest says. */
#ifndef FILEWARD_SELFTEST_TABLE_H
#define FILEWARD_SELFTEST_TABLE_H

#include "selftest/selftest.h"

/* Prints what was tried. Returns whether all is well: nothing is open that this kernel can close. */
bool table_print(const struct plan *p, const struct tried *tried, int n, bool json);

#endif
