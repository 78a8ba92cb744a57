/* The processes. */
#ifndef FILEWARD_ROLE_H
#define FILEWARD_ROLE_H

enum role { ROLE_KEEPER, ROLE_JUDGE, ROLE_SCOUT, ROLE_HERALD, ROLE_CLERK, ROLE_COUNT };

/* "keeper", "judge", "scout", "herald", "clerk": in records, metrics and `ps` ("fileward-judge"). */
const char *role_name(enum role r);

#endif
