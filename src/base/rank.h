/* Whose turn at the processors it is. Whoever opens a guarded file waits for the keeper and the judge. */
#ifndef FILEWARD_BASE_RANK_H
#define FILEWARD_BASE_RANK_H

/* Goes before the others, and lets children do so too when CAP_SYS_NICE is gone (RLIMIT_NICE, for which it takes
 * CAP_SYS_RESOURCE or the unit's LimitNICE=). A process that leads
 * a session takes the session with it: the kernel shares processors among sessions first, where it has autogroups, and a
 * nice value counts within one session only (sched(7)). What cannot be had is done without: then all stay in the session in
 * which we were started. */
void rank_first(void);

/* The same in a session of our own. For a child that has the session of its parent. */
void rank_first_alone(void);

/* Back into line, in a session of our own. */
void rank_last(void);

#endif
