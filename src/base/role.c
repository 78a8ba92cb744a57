#include "fileward/role.h"

const char *role_name(enum role r)
{
    static const char *const names[ROLE_COUNT] = {
        [ROLE_KEEPER] = "keeper", [ROLE_JUDGE] = "judge", [ROLE_SCOUT] = "scout",
        [ROLE_HERALD] = "herald", [ROLE_CLERK] = "clerk",
    };
    return (unsigned)r < ROLE_COUNT ? names[r] : "unknown";
}
