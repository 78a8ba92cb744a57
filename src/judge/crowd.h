/* Whose questions fill the room for those that are put aside. */
#ifndef FILEWARD_JUDGE_CROWD_H
#define FILEWARD_JUDGE_CROWD_H

#include "judge/gate.h"

/* Of `n` questions (1 ... HELD_MAX) the oldest of whoever (question.whom) has most among them: its index. */
int crowd_oldest(const struct question *questions, int n);

#endif
