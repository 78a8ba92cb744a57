#include "judge/crowd.h"

enum { LINES_LOG = 11, LINES = 1 << LINES_LOG };
_Static_assert(LINES >= 2 * HELD_MAX, "half of the lines stay free");

struct line {
    uint64_t whom; /* 0: free */
    int16_t n, oldest;
};

/* The line of `whom`, or the free one to give him. */
static struct line *line_of(struct line lines[LINES], uint64_t whom)
{
    unsigned at = (unsigned)(whom * UINT64_C(0x9E3779B97F4A7C15) >> (64 - LINES_LOG));
    while (lines[at].whom && lines[at].whom != whom)
        at = (at + 1) % LINES;
    return &lines[at];
}

int crowd_oldest(const struct question *questions, int n)
{
    struct line lines[LINES] = {0};
    const struct line *most = NULL;
    for (int i = 0; i < n; i++) {
        struct line *l = line_of(lines, questions[i].whom);
        if (!l->whom || questions[i].read_ns < questions[l->oldest].read_ns)
            l->oldest = (int16_t)i;
        l->whom = questions[i].whom;
        l->n++;
        if (!most || l->n > most->n)
            most = l;
    }
    return most ? most->oldest : 0;
}
