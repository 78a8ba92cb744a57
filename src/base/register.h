/* The register: which inodes are guarded, and under which name each was first seen in its watch (its place). In shared
 * memory; the scout writes, judges read at the same time without locks. Entries are only ever added; they outlive
 * reloads and keepers, because a place must not be forgotten while its inode is guarded. */
#ifndef FILEWARD_BASE_REGISTER_H
#define FILEWARD_BASE_REGISTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An inode, told from a later one with the same number by its birth time (0 where the file system keeps none). */
struct file_id {
    uint32_t major, minor;
    uint64_t ino;
    int64_t born_ns;
};

static inline bool file_id_equal(const struct file_id *a, const struct file_id *b)
{
    return a->ino == b->ino && a->major == b->major && a->minor == b->minor && a->born_ns == b->born_ns;
}

enum {
    REGISTER_ENTRIES_MAX = 1 << 20,
    REGISTER_WATCHES_MAX = 1 << 15, /* numbers of watches: each watch gets one for good, also over reloads */
    /* Directories that are marked only because a guarded name may appear in them stand under this number plus the
     * watch's, so that they are not taken for guarded. */
    REGISTER_NEIGHBOURHOOD = REGISTER_WATCHES_MAX,
};

struct reg;

/* Reserves shared memory for REGISTER_ENTRIES_MAX inodes; what is not used costs nothing. NULL with errno on failure.
 * `*fd` receives its memfd, which stays the caller's. */
struct reg *reg_create(int *fd);

/* Maps a register that another process made. NULL with errno (EINVAL: it is of another program version). */
struct reg *reg_attach(int fd);
void reg_close(struct reg *r);

/* Writer. `parent` is the entry of the directory it was found in (then `name` is the last component), or 0 (then `name`
 * is the whole path). An inode that the watch has already keeps its first place. Returns its entry number, or 0 when the
 * register is full. */
uint32_t reg_add(struct reg *r, int watch, const struct file_id *id, uint32_t parent, const char *name);

/* Reader and writer. The entry of an inode in a watch, or 0. */
uint32_t reg_find(const struct reg *r, int watch, const struct file_id *id);

/* Which inode an entry is of. False: there is no such entry. */
bool reg_id(const struct reg *r, uint32_t entry, struct file_id *out);

/* What programs once were (base/once.h): lies here because this memory outlives every judge, and keepers too. The judge that
 * serves writes it. */
struct once;
struct once *reg_once(struct reg *r);

/* Whether the policy has come to leave out the place of an entry, and setting that (writer): a reload may exclude what
 * is marked already, and take it in again. */
bool reg_is_outside(const struct reg *r, uint32_t entry);
void reg_set_outside(struct reg *r, uint32_t entry, bool outside);

/* Calls `each` for every entry. */
typedef void reg_each(void *ctx, int watch, uint32_t entry);
void reg_for_each(const struct reg *r, reg_each *each, void *ctx);

/* Writes the place of `entry` to `out` with a final NUL. Returns its length, or 0 if it does not fit. */
size_t reg_place(const struct reg *r, uint32_t entry, char *out, size_t size);

#endif
