/* Between judge and clerk: one datagram for each question and one for each answer, over a pair of sockets that the keeper
 * makes. Neither side ever waits for the other: what does not fit is not sent. */
#ifndef FILEWARD_DESK_H
#define FILEWARD_DESK_H

#include "base/process.h"
#include "fileward/access.h"

enum { DESK_NOBODY = UINT32_MAX }; /* no user is known */

/* The opener that the judge holds for the time being: code is looked at anew for each. */
struct desk_ticket {
    int64_t read_ns;
    int32_t fd;
};

struct desk_question {
    struct file_id program; /* what `tid` runs */
    int64_t changed_ns;     /* its ctime */
    int32_t tid;
    uint32_t wants; /* one of ATTRS_OF_CLERK */
    uint32_t
        user; /* whose it is: the real uid, which a setuid program leaves as it is. The clerk takes users in turn */
    struct desk_ticket ticket;
};

struct desk_answer {
    struct desk_question to; /* wants 0: what packages there are has changed, so that no answer of before holds */
    bool failed;             /* it could not be determined */
    bool lasting;            /* it holds for the program as long as its ctime stays, not only for this opener */
    bool packaged, intact;
    struct sha256 sha256;
};

#endif
