#include "selftest/selftest.h"

struct routes routes_names(void)
{
    return (struct routes){0};
}
