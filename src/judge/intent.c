#include "judge/intent.h"

#include <fcntl.h>
#include <stdbool.h>

/* The kernel counts a writing open on the inode before it asks us, and gives a read lease only while there is none:
 * success proves that no writer is pending. Failure proves nothing, and counts as a write. */
static bool no_writer(int fd)
{
    if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
        return false;
    fcntl(fd, F_SETLEASE, F_UNLCK);
    return true;
}

enum intent intent_of(int object_fd, const struct process_sight *opener, bool access)
{
    /* O_RDONLY | O_TRUNC gets the lease too: it truncates after the answer. Only the registers show it. A call that does
     * not show its flags (openat2, io_uring) is a write; so is what happens inside an execve without being that exec. */
    uint64_t flags;
    bool alone = no_writer(object_fd);
    switch (process_sight_call(opener, &flags)) {
    case CALL_OPEN:
        if (access || (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC)
            return INTENT_WRITE;
        return alone ? INTENT_READ : INTENT_UNPROVEN;
    case CALL_READ:
        /* Of two files one is written: that one is open for it. And what io_uring does in such a call's clothes needs a
         * descriptor for writing too. */
        if (!access)
            return INTENT_WRITE;
        return alone ? INTENT_READ : INTENT_UNPROVEN;
    case CALL_RUNNING:
        return INTENT_NOT_YET;
    default:
        return INTENT_WRITE;
    }
}
