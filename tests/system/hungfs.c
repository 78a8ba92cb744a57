/* hungfs [-u UID] [-o] DIR PROGRAM: mounts a FUSE file system on DIR, as fusermount does it for user UID (root), and serves
 * a copy of PROGRAM there, as the file `prog`. With -o others than UID may enter it (allow_other). Says "mounted", then
 * answers whatever the kernel asks, until SIGUSR1 comes: then it says "hung" and answers nothing more, ever. When it is
 * killed, those who wait get an error. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ROOT = FUSE_ROOT_ID, PROG, READ_MAX = 1 << 17 };

static int device, program;
static uint64_t size;
static unsigned owner;
static volatile sig_atomic_t hang;

static void on_usr1(int signal_number)
{
    (void)signal_number;
    hang = 1;
}

static void reply(const struct fuse_in_header *to, int error, const void *data, size_t n)
{
    struct fuse_out_header h = {.len = (uint32_t)(sizeof h + n), .error = -error, .unique = to->unique};
    struct iovec v[] = {{&h, sizeof h}, {(void *)data, n}};
    (void)!writev(device, v, 2);
}

static struct fuse_attr attributes(uint64_t node)
{
    bool root = node == ROOT;
    return (struct fuse_attr){.ino = node,
                              .nlink = 1,
                              .mode = root ? S_IFDIR | 0755 : S_IFREG | 0755,
                              .uid = owner,
                              .gid = owner,
                              .size = root ? 4096 : size,
                              .blksize = 4096};
}

static void answer_read(const struct fuse_in_header *in, const struct fuse_read_in *r)
{
    static char data[READ_MAX];
    ssize_t n = pread(program, data, r->size < READ_MAX ? r->size : READ_MAX, (off_t)r->offset);
    reply(in, n < 0 ? EIO : 0, data, n < 0 ? 0 : (size_t)n);
}

/* Nothing may be kept for later: neither names nor attributes have any time of validity. */
static void answer(const struct fuse_in_header *in, const void *arg)
{
    static const struct fuse_init_out init = {.major = 7, .minor = 31, .max_write = 4096};
    struct fuse_entry_out entry = {.nodeid = PROG, .attr = attributes(PROG)};
    struct fuse_attr_out attr = {.attr = attributes(in->nodeid)};
    static const struct fuse_open_out opened = {.open_flags = FOPEN_KEEP_CACHE};
    switch (in->opcode) {
    case FUSE_INIT:
        reply(in, 0, &init, sizeof init);
        break;
    case FUSE_LOOKUP:
        if (strcmp(arg, "prog") == 0)
            reply(in, 0, &entry, sizeof entry);
        else
            reply(in, ENOENT, NULL, 0);
        break;
    case FUSE_GETATTR:
        reply(in, 0, &attr, sizeof attr);
        break;
    case FUSE_OPEN:
    case FUSE_OPENDIR:
        reply(in, 0, &opened, sizeof opened);
        break;
    case FUSE_READ:
        answer_read(in, arg);
        break;
    case FUSE_STATFS:
        reply(in, 0, &(struct fuse_statfs_out){.st = {.bsize = 4096, .namelen = 255}}, sizeof(struct fuse_statfs_out));
        break;
    case FUSE_READDIR:
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case FUSE_FLUSH:
        reply(in, 0, NULL, 0);
        break;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
        break;
    default:
        reply(in, ENOSYS, NULL, 0);
    }
}

static int serve(void)
{
    static _Alignas(8) char request[1 << 17];
    bool told = false;
    for (;;) {
        if (hang && !told) {
            puts("hung");
            fflush(stdout);
            told = true;
        }
        ssize_t n = read(device, request, sizeof request);
        if (n < 0 && errno != EINTR && errno != ENOENT)
            return errno == ENODEV ? 0 : 1; /* unmounted */
        if (n > 0 && !hang)
            answer((void *)request, request + sizeof(struct fuse_in_header));
    }
}

int main(int argc, char **argv)
{
    bool others = false;
    for (int c; (c = getopt(argc, argv, "u:o")) != -1;) {
        if (c == '?')
            return 2;
        if (c == 'u')
            owner = (unsigned)strtoul(optarg, NULL, 10);
        others |= c == 'o';
    }
    char options[128];
    struct stat st;
    program = optind + 2 == argc ? open(argv[optind + 1], O_RDONLY | O_CLOEXEC) : -1;
    device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (program < 0 || device < 0 || fstat(program, &st) < 0) {
        perror("hungfs");
        return device < 0 ? 77 : 2;
    }
    size = (uint64_t)st.st_size;
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%u,group_id=%u%s", device, owner, owner,
             others ? ",allow_other" : "");
    if (mount("hungfs", argv[optind], "fuse.hungfs", MS_NOSUID | MS_NODEV, options) < 0) {
        perror("hungfs: mount");
        return 1;
    }
    /* No SA_RESTART: it must be noticed while we wait for the kernel. */
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_usr1}, NULL);
    puts("mounted");
    fflush(stdout);
    return serve();
}
