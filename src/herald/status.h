/* /status and /healthz: how fileward is, without a path, program or user. */
#ifndef FILEWARD_HERALD_STATUS_H
#define FILEWARD_HERALD_STATUS_H

#include "herald/metrics.h"

/* NULL while verdicts are being given and somebody watches over that; else one line that says what is wrong. */
const char *status_trouble(const struct state *s);

/* docs/json.md. Ends in a newline. Caller frees; NULL when memory is out. */
char *status_json(const struct state *s);

/* /api/reload: how many times a policy was read, and what was said of the last one. As above. */
char *reload_json(const struct state *s);

#endif
