/* The one ownership idiom: a variable marked CLEAN_x is released when it leaves scope, unless STEAL_x moved it on. */
#ifndef FILEWARD_BASE_OWN_H
#define FILEWARD_BASE_OWN_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void own_free(void *p)
{
    free(*(void **)p);
}
static inline void own_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
static inline void own_closedir(DIR **d)
{
    if (*d)
        closedir(*d);
}
static inline void own_fclose(FILE **f)
{
    if (*f)
        fclose(*f);
}
static inline int own_steal_fd(int *fd)
{
    int moved = *fd;
    *fd = -1;
    return moved;
}
static inline void *own_steal(void *p)
{
    void *moved = *(void **)p;
    *(void **)p = NULL;
    return moved;
}

#define CLEAN_FREE   __attribute__((cleanup(own_free)))
#define CLEAN_FD     __attribute__((cleanup(own_close)))
#define CLEAN_DIR    __attribute__((cleanup(own_closedir)))
#define CLEAN_FILE   __attribute__((cleanup(own_fclose)))
#define STEAL_FD(fd) own_steal_fd(&(fd))
#define STEAL_PTR(p) ((__typeof__(p))own_steal(&(p)))

#endif
