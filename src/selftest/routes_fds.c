#include "selftest/selftest.h"

struct routes routes_fds(void)
{
    return (struct routes){0};
}
