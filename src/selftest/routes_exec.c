#include "selftest/selftest.h"

struct routes routes_exec(void)
{
    return (struct routes){0};
}
