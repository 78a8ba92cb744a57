#include "keeper/aloud.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void aloud(const char *format, ...)
{
    char line[PIPE_BUF]; /* a pipe that can be written to has room for so much */
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n < 0 || poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
        return;
    size_t len = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
    line[len] = '\n';
    (void)!write(STDERR_FILENO, line, len + 1);
}
