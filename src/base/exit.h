/* Exit statuses that scripts rely on. */
#ifndef FILEWARD_BASE_EXIT_H
#define FILEWARD_BASE_EXIT_H

enum {
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_POLICY = 3,      /* the policy has errors */
    EXIT_NOT_RUNNING = 3, /* there is no daemon to ask */
    EXIT_NOT_PERMITTED = 4,
    EXIT_WOULD_DENY = 5,
};

#endif
