/* holder HOW PATH: holds PATH in one certain way, says "holding", and goes on until its input ends.
 *   read write rdwr path    by a descriptor, opened so
 *   mapping                 by a mapping alone
 *   apart                   by a descriptor that only one thread has, not the first
 *   leaderless              by a descriptor, in a process whose first thread has ended
 *   many N PATH             by a descriptor, and N processes do */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static const char *path;

static void say_and_wait(void)
{
    char byte;
    (void)!write(STDOUT_FILENO, "holding\n", 8);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    _exit(0);
}

static int need(int fd)
{
    if (fd < 0) {
        perror(path);
        exit(1);
    }
    return fd;
}

static void *apart(void *unused)
{
    (void)unused;
    if (unshare(CLONE_FILES) < 0)
        need(-1);
    need(open(path, O_RDONLY));
    say_and_wait();
    return NULL;
}

static void *go_on(void *unused)
{
    (void)unused;
    usleep(20000); /* until the first thread has ended */
    say_and_wait();
    return NULL;
}

static int many(int n)
{
    need(open(path, O_RDONLY));
    for (int i = 1; i < n; i++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            pause();
        }
    say_and_wait();
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *how;
        int flags;
    } ways[] = {{"read", O_RDONLY}, {"write", O_WRONLY}, {"rdwr", O_RDWR}, {"path", O_PATH}};
    pthread_t thread;
    if (argc < 3)
        return 2;
    path = argv[argc - 1];
    const char *how = argv[1];
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (strcmp(how, ways[i].how) == 0) {
            need(open(path, ways[i].flags));
            say_and_wait();
        }
    if (strcmp(how, "mapping") == 0) {
        int fd = need(open(path, O_RDONLY));
        if (mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED)
            need(-1);
        close(fd);
        say_and_wait();
    }
    if (strcmp(how, "apart") == 0) {
        pthread_create(&thread, NULL, apart, NULL);
        pause();
    }
    if (strcmp(how, "leaderless") == 0) {
        need(open(path, O_RDONLY));
        pthread_create(&thread, NULL, go_on, NULL);
        pthread_exit(NULL);
    }
    return strcmp(how, "many") == 0 ? many(atoi(argv[2])) : 2;
}
