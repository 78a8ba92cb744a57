#include "base/lock.h"

#include <fcntl.h>
#include <unistd.h>

static struct flock of(enum lock_byte byte)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
}

bool lock_take(int fd, enum lock_byte byte)
{
    struct flock l = of(byte);
    return fcntl(fd, F_SETLK, &l) == 0;
}

pid_t lock_holder(int fd, enum lock_byte byte)
{
    struct flock l = of(byte);
    return fcntl(fd, F_GETLK, &l) == 0 && l.l_type != F_UNLCK ? l.l_pid : 0;
}
