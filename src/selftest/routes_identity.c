#include "selftest/selftest.h"

struct routes routes_identity(void)
{
    return (struct routes){0};
}
