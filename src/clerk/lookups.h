/* Answers to the judge's questions, from the disk and from /proc. */
#ifndef FILEWARD_CLERK_LOOKUPS_H
#define FILEWARD_CLERK_LOOKUPS_H

#include "clerk/digest.h"
#include "fileward/desk.h"

struct lookups;

/* NULL with errno. `beat` is called from the midst of long work; false ends a look, but not the reading of the database. */
struct lookups *lookups_create(const struct policy *p, clerk_beat *beat, void *ctx);

void lookups_free(struct lookups *l);

/* Looks whether the package database, if a rule needs it, is another than the one that was read. Returns whether that is
 * news: then no answer about trust holds any more. */
bool lookups_look(struct lookups *l);

/* Reads it then, but not all the time. Returns whether it did: again no answer about trust holds. */
bool lookups_read(struct lookups *l);

/* Whether the answer might be another once the database has been read. */
bool lookups_doubt(const struct lookups *l, const struct desk_answer *a);

/* Looks at one of the programs that rules about trust name, so that it is known by the time it comes. Returns whether there
 * are more. */
bool lookups_ahead(struct lookups *l);

/* Fills the answer to a->to. False: the beat has ended the look. What was read of files is remembered for the next one; at
 * the mappings of a process it is looked anew. */
bool lookups_answer(struct lookups *l, struct desk_answer *a);

/* The same of a program that nobody need run, behind an O_PATH descriptor; a->to.wants is its hash or its package. */
void lookups_answer_of(struct lookups *l, int program, struct desk_answer *a);

/* For people: what the last answer rests on. */
const char *lookups_why(const struct lookups *l);

#endif
