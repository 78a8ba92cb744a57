/* A record in the making: what names the subject and the object is gathered before the answer, because a short-lived
 * process is gone afterwards; pushing it into the ring comes after. */
#ifndef FILEWARD_JUDGE_REPORT_H
#define FILEWARD_JUDGE_REPORT_H

#include "base/record.h"
#include "judge/object.h"
#include "judge/subject.h"

struct report {
    struct record record;
    char bytes[RECORD_BYTES_MAX - sizeof(struct record)];
};

/* Fills everything that names subject and object; record_end() is still to come. */
void report_gather(struct report *r, struct subjects *subjects, struct inquiry *inquiry,
                   const struct object_finder *finder, struct thing *thing);

#endif
