/* flood FILE THREADS SECONDS: so many threads open a file again and again, each as fast as it is answered. Prints how many
 * opens there were. With 0 seconds each does so once, and they stay until they are killed. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_ulong opens;
static atomic_int over;
static int seconds;

static void *open_again_and_again(void *file)
{
    while (!atomic_load(&over)) {
        int fd = open(file, O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
            close(fd);
        atomic_fetch_add(&opens, 1);
        while (seconds == 0)
            pause();
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    int threads = atoi(argv[2]), started = 0;
    seconds = atoi(argv[3]);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    for (; started < threads; started++) {
        pthread_t t;
        if (pthread_create(&t, &small, open_again_and_again, argv[1]) != 0)
            break;
    }
    while (seconds == 0)
        pause();
    sleep((unsigned)seconds);
    atomic_store(&over, 1);
    printf("%lu opens by %d threads\n", atomic_load(&opens), started);
    fflush(stdout);
    _exit(started == threads ? 0 : 1);
}
