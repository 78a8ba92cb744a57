/* From one policy to the next. There is one way, whether fileward starts, reloads or takes over from a dead keeper: read
 * the policy, inherit groups or make them, let new judges get ready, end the judge that served, let the new one read,
 * mark, and end what came before. Openers wait while judges change; none slips through. */
#ifndef FILEWARD_KEEPER_CHANGE_H
#define FILEWARD_KEEPER_CHANGE_H

#include "keeper/family.h"
#include "keeper/looking.h"
#include "keeper/reading.h"
#include "keeper/rescue.h"

/* A family and the memory that its policy lies in. */
struct generation {
    struct family family;
    struct reading reading;
};

enum phase {
    PHASE_QUIET,
    PHASE_READING, /* the reader reads */
    PHASE_RAISING, /* new judges get ready */
    PHASE_MARKING, /* the new judge serves; what it guards is being marked */
    PHASE_PARTING, /* the groups of dropped watches run dry */
};

struct change {
    struct estate estate;
    struct generation slot[3];
    struct generation *serving;          /* whose judge reads; NULL: nobody's yet */
    struct generation *coming, *leaving; /* NULL: none */
    enum phase phase;
    int64_t since_ns;      /* when the phase began */
    int dry;               /* looks at which nothing waited in dropped groups */
    bool again;            /* asked for while one was under way */
    bool announced;        /* the first is complete */
    bool failed;           /* the first cannot be completed: give up */
    bool inherited;        /* from a dead keeper */
    const char *main_file; /* NULL: the usual one */
    uint32_t features;
    struct rescue rescue;
    struct looking looking;
    int notify_fd;
};

/* Everything up to the point where judges are forked: reads the policy, takes the gate, opens files, makes or inherits
 * groups. Exit status: 0, or another after a message. */
int change_prepare(struct change *c);

/* Forks the first judges. To be called inside the keeper's sandbox. */
bool change_begin(struct change *c);

/* Another reading of the policy; if one is under way, after that. */
void change_ask(struct change *c);

/* Brings the change forward; to be called at each tick. */
void change_tick(struct change *c, int64_t now);

/* When the next tick is due: soon while a change is under way. */
int64_t change_deadline(const struct change *c, int64_t now);

/* Ends all children, those that serve last of all. What still waits is let through by the kernel when the groups close. */
void change_end(struct change *c);

#endif
