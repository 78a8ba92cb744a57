/* Whom the clerk looks at, in memory that outlives it: a user whose process or program made one hang must not do so to the
 * next at once. The clerk writes for whom it works; the keeper, who sees that it hangs, whom to leave alone and how long. */
#ifndef FILEWARD_BASE_SHUN_H
#define FILEWARD_BASE_SHUN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { SHUNNED_MAX = 64 };

struct shun {
    _Atomic int64_t since_ns; /* when the look in hand began; 0: there is none */
    _Atomic uint32_t user;
    struct shunned {
        _Atomic int64_t until_ns;
        _Atomic uint32_t user;
        int times;
    } shunned[SHUNNED_MAX];
};

/* In memory that children share. NULL, with errno. */
struct shun *shun_create(void);
void shun_free(struct shun *s);

/* The clerk that leaves in a reload and the one that comes write into the same line: a look is ended by who began it. */
void shun_begin_look(struct shun *s, uint32_t user, int64_t now);
void shun_end_look(struct shun *s, int64_t began);

/* Nobody is in a look. */
void shun_forget_look(struct shun *s);

/* The clerk hangs, or died by its own doing. Whether that is some user's doing, who is left alone from now on: for 100 s, twice as long each time, at
 * most half an hour. It is never root's: who is root has better ways. */
bool shun_blame(struct shun *s, int64_t now, uint32_t *user);

bool shun_holds(const struct shun *s, uint32_t user, int64_t now);

#endif
