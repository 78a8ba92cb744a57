/* toucher HOW [PATH]: does something to the file that is open as descriptor 3, or to PATH. Says "done", or why not on
 * standard error and ends with 1.
 *   read pread mmap mmap-write write pwrite append ftruncate fallocate copy uring-write     descriptor 3
 *   truncate PATH */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static long uring_write(void)
{
    struct io_uring_params p = {0};
    int ring = (int)syscall(SYS_io_uring_setup, 4, &p);
    if (ring < 0)
        return -1;
    const int prot = PROT_READ | PROT_WRITE;
    char *sq = mmap(NULL, p.sq_off.array + p.sq_entries * sizeof(unsigned), prot, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    char *cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), prot, MAP_SHARED, ring,
                    IORING_OFF_CQ_RING);
    struct io_uring_sqe *sqe = mmap(NULL, p.sq_entries * sizeof *sqe, prot, MAP_SHARED, ring, IORING_OFF_SQES);
    if (sq == MAP_FAILED || cq == MAP_FAILED || sqe == MAP_FAILED)
        return -1;
    sqe[0] = (struct io_uring_sqe){.opcode = IORING_OP_WRITE, .fd = 3, .addr = (unsigned long)"x", .len = 1};
    ((unsigned *)(sq + p.sq_off.array))[0] = 0;
    __atomic_store_n((unsigned *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
        return -1;
    int result = ((struct io_uring_cqe *)(cq + p.cq_off.cqes))[0].res;
    if (result < 0)
        errno = -result;
    return result < 0 ? -1 : 0;
}

static long map(int prot)
{
    return mmap(NULL, 1, prot, MAP_SHARED, 3, 0) == MAP_FAILED ? -1 : 0;
}

static long touch(const char *how, const char *path)
{
    char byte = 'x';
    if (strcmp(how, "read") == 0)
        return read(3, &byte, 1);
    if (strcmp(how, "pread") == 0)
        return pread(3, &byte, 1, 0);
    if (strcmp(how, "mmap") == 0)
        return map(PROT_READ);
    if (strcmp(how, "mmap-write") == 0)
        return map(PROT_READ | PROT_WRITE);
    if (strcmp(how, "write") == 0)
        return write(3, &byte, 1);
    if (strcmp(how, "pwrite") == 0)
        return pwrite(3, &byte, 1, 0);
    if (strcmp(how, "append") == 0)
        return fcntl(3, F_SETFL, O_APPEND) < 0 ? -1 : write(3, &byte, 1);
    if (strcmp(how, "ftruncate") == 0)
        return ftruncate(3, 0);
    if (strcmp(how, "fallocate") == 0)
        return fallocate(3, 0, 0, 100000);
    if (strcmp(how, "copy") == 0) {
        int from = open("/proc/self/exe", O_RDONLY);
        char some[16];
        int pipes[2];
        if (from < 0 || pipe(pipes) < 0 || read(from, some, sizeof some) < 0 || write(pipes[1], some, sizeof some) < 0)
            return -1;
        return splice(pipes[0], NULL, 3, NULL, sizeof some, 0);
    }
    if (strcmp(how, "uring-write") == 0)
        return uring_write();
    if (strcmp(how, "truncate") == 0 && path)
        return truncate(path, 0);
    errno = EINVAL;
    return -1;
}

int main(int argc, char **argv)
{
    if (argc < 2 || touch(argv[1], argv[2]) < 0) {
        fprintf(stderr, "toucher: %s\n", strerror(errno));
        return 1;
    }
    puts("done");
    return 0;
}
