/* What the clerk was asked, and what it has answered. The judge never waits for it: what is not known yet is asked, and
 * looked at again. */
#ifndef FILEWARD_JUDGE_DESK_H
#define FILEWARD_JUDGE_DESK_H

#include "fileward/desk.h"
#include "judge/subject.h"

struct desk;

/* `fd` is the judge's end; -1: there is no clerk. What is lost is asked again several times within `timeout_ms`. NULL when
 * memory is out. */
struct desk *desk_create(int fd, int timeout_ms);
void desk_free(struct desk *d);

/* Fills what is known of `attributes` (ATTRS_OF_CLERK) into q->seen, and asks for the rest. False: the rest is not known
 * yet. */
bool desk_gather(struct desk *d, struct inquiry *q, const struct desk_ticket *ticket, unsigned attributes);

/* Whether it is worth gathering again for this opener, for whom desk_gather() has said false. */
bool desk_is_settled(const struct desk *d, const struct desk_ticket *ticket);

/* Takes the answers that have come. */
void desk_receive(struct desk *d);

#endif
