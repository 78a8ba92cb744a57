/* forger PROGRAM PATH: makes the kernel say that this process runs PROGRAM (/proc/PID/exe), as any user can, then opens
 * PATH. Says "forged", then "opened", or why not on standard error and ends with 1. Ends with 77 where the kernel does not
 * let itself be told so.
 *
 * The kernel takes another program for the one that is mapped no more, from whoever has the right to restore processes in
 * his own user namespace; and a child that shares the memory has that right in a namespace of its own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct prctl_mm_map claim;
static int refused;

/* Every piece of our own program becomes plain memory with the same content in the same place. */
static void unmap_ourselves(void)
{
    char line[512], flags[8], self[256] = "";
    unsigned long from[16], to[16];
    int prot[16], n = 0;
    (void)!readlink("/proc/self/exe", self, sizeof self - 1);
    FILE *f = fopen("/proc/self/maps", "r");
    while (f && n < 16 && fgets(line, sizeof line, f)) {
        if (!strstr(line, self) || sscanf(line, "%lx-%lx %7s", &from[n], &to[n], flags) != 3)
            continue;
        prot[n] =
            (flags[0] == 'r' ? PROT_READ : 0) | (flags[1] == 'w' ? PROT_WRITE : 0) | (flags[2] == 'x' ? PROT_EXEC : 0);
        n++;
    }
    if (f)
        fclose(f);
    for (int i = 0; i < n; i++) {
        size_t size = to[i] - from[i];
        void *at = (void *)from[i];
        void *copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (copy == MAP_FAILED)
            _exit(2);
        memcpy(copy, at, size);
        if (mprotect(copy, size, prot[i]) < 0 || mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, at) != at)
            _exit(2);
    }
}

/* What the kernel believes now stays as it is. */
static void describe_ourselves(void)
{
    char text[2048];
    unsigned long field[53] = {0};
    int fd = open("/proc/self/stat", O_RDONLY);
    ssize_t len = read(fd, text, sizeof text - 1);
    close(fd);
    text[len > 0 ? len : 0] = '\0';
    char *at = strrchr(text, ')');
    at = at ? strtok(at + 1, " ") : NULL;
    for (int i = 3; at && i < 53; i++, at = strtok(NULL, " "))
        field[i] = strtoul(at, NULL, 10);
    claim = (struct prctl_mm_map){.start_code = field[26],
                                  .end_code = field[27],
                                  .start_data = field[45],
                                  .end_data = field[46],
                                  .start_brk = field[47],
                                  .brk = (unsigned long)sbrk(0),
                                  .start_stack = field[28],
                                  .arg_start = field[48],
                                  .arg_end = field[49],
                                  .env_start = field[50],
                                  .env_end = field[51]};
}

static int tell_kernel(void *unused)
{
    (void)unused;
    refused = prctl(PR_SET_MM, PR_SET_MM_MAP, &claim, sizeof claim, 0) < 0 ? errno : 0;
    return 0;
}

int main(int argc, char **argv)
{
    static char stack[65536];
    struct stat ours, theirs;
    if (argc != 3)
        return 2;
    int program = open(argv[1], O_RDONLY);
    if (program < 0) {
        perror(argv[1]);
        return 2;
    }
    unmap_ourselves();
    describe_ourselves();
    claim.exe_fd = (unsigned)program;
    pid_t child = clone(tell_kernel, stack + sizeof stack, CLONE_VM | CLONE_NEWUSER | SIGCHLD, NULL);
    if (child < 0 || waitpid(child, NULL, 0) < 0 || refused) {
        fprintf(stderr, "forger: %s\n", strerror(refused ? refused : errno));
        return 77;
    }
    if (stat("/proc/self/exe", &ours) < 0 || fstat(program, &theirs) < 0 || ours.st_ino != theirs.st_ino ||
        ours.st_dev != theirs.st_dev)
        return 2;
    puts("forged");
    fflush(stdout);
    if (open(argv[2], O_RDONLY) < 0) {
        fprintf(stderr, "forger: %s: %s\n", argv[2], strerror(errno));
        return 1;
    }
    puts("opened");
    return 0;
}
