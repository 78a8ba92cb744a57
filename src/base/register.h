/* The register: which inodes are guarded, and under which name each was first seen in its watch (its place). In shared
 * memory; one scout writes, judges read at the same time without locks. Entries outlive reloads and keepers, because a
 * place must not be forgotten while its inode is guarded; they go when the inode is gone, and their memory is used again
 * and given back. */
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
    REGISTER_WATCHES_MAX = 1 << 14, /* numbers of watches: each watch gets one for good, also over reloads */
    /* Directories that are marked only because a guarded name may appear in them stand under one of these plus the
     * watch's number, so that they are not taken for guarded. */
    REGISTER_NEIGHBOURHOOD = REGISTER_WATCHES_MAX, /* openers of the names in it are asked about */
    REGISTER_OUTPOST = 2 * REGISTER_WATCHES_MAX,   /* the scout is told of new names in it */
    REGISTER_NOBODY = UINT32_MAX,                  /* no user is charged for an entry */
    REGISTER_DEVICES_MAX = 1024,                   /* of all watches together */
    REGISTER_DEVICES_OF_USERS = 512,               /* ... that users have made themselves */
};

struct reg;

/* Reserves shared memory for REGISTER_ENTRIES_MAX inodes; what is not used costs nothing. NULL with errno on failure.
 * `*fd` receives its memfd, which stays the caller's. */
struct reg *reg_create(int *fd);

/* Maps a register that another process made. NULL with errno (EINVAL: it is of another program version). */
struct reg *reg_attach(int fd);
void reg_close(struct reg *r);

/* --- the writer: there is one at a time --- */

/* To be called by each new writer: an earlier one may have died in the middle of something. */
void reg_mend(struct reg *r);

/* `parent` is the entry of the directory it was found in (then `name` is the last component), or 0 (then `name` is the
 * whole path). An inode that the watch has already keeps its first place. Returns its entry number, or 0 when the
 * register is full. */
uint32_t reg_add(struct reg *r, int watch, const struct file_id *id, uint32_t parent, const char *name);

/* What the scout knows of an entry beside its place. */
struct reg_note {
    uint64_t handle;  /* of its file handle and file system (scout/handle.h); 0: it has none */
    uint32_t charged; /* the user in whose share it is counted, or REGISTER_NOBODY */
    bool loose;       /* at or below a directory that a non-root user can write */
};
void reg_set_note(struct reg *r, uint32_t entry, const struct reg_note *note);
struct reg_note reg_note(const struct reg *r, uint32_t entry);

/* The whole of a file handle and its file system, for watches that must be able to ask whether an inode is still there.
 * What has it not costs nothing. */
struct reg_handle {
    uint64_t key; /* reg_note.handle */
    int32_t fsid[2];
    uint32_t bytes; /* of data; 0: none is known, or it is too long */
    int32_t type;
    unsigned char data[40];
};
void reg_set_handle(struct reg *r, uint32_t entry, const struct reg_handle *handle);
struct reg_handle reg_handle(const struct reg *r, uint32_t entry);

/* What programs once were (base/once.h): lies here because this memory outlives every judge, and keepers too. The judge that
 * serves writes it. */
struct once;
struct once *reg_once(struct reg *r);

/* The entries with this handle: their number, at most `max` of them. */
size_t reg_with_handle(const struct reg *r, uint64_t handle, uint32_t *out, size_t max);

/* The inode is gone. Its entry cannot be found any more; it lives on, hidden, as long as others lie below it. */
void reg_remove(struct reg *r, uint32_t entry);

/* The policy has come to leave out the place of an entry, or takes it in again. */
void reg_set_outside(struct reg *r, uint32_t entry, bool outside);

/* Devices on which a watch is asked about every file, by a mark of the whole file system; on some file systems each
 * subvolume is a device. `entry` is something marked there; `of_user`: it may be one that a user has made. Writer; false
 * when there is no more room. Never taken back. */
bool reg_cover(struct reg *r, int watch, uint32_t major, uint32_t minor, uint32_t entry, bool of_user);

/* Whether a watch has any such device; this one; and all of them, whosever (false: there is no `i`th, counted from 0). */
struct reg_device {
    uint32_t major, minor, entry;
    int watch;
    bool of_user;
    uint8_t blind; /* see reg_set_blind() */
};
bool reg_is_covered(const struct reg *r, int watch);
bool reg_covers(const struct reg *r, int watch, uint32_t major, uint32_t minor);
bool reg_device(const struct reg *r, int i, struct reg_device *out);

/* On such a device there is a directory of which the scout does not hear what comes into it: that nothing has come is no
 * proof that an inode outside has no name inside. Writer; false: the device is not known. It holds until everything was
 * looked at again, from reg_review_blind() to reg_settle_blind(), and this was not said anew. */
bool reg_set_blind(struct reg *r, int watch, uint32_t major, uint32_t minor);
void reg_review_blind(struct reg *r, int watch);
void reg_settle_blind(struct reg *r, int watch);
bool reg_is_blind(const struct reg *r, int watch, uint32_t major, uint32_t minor);

/* The entry of an inode on a device that is not covered, which must be a snapshot: the same number and birth on a device
 * that is. 0 if there is none. */
uint32_t reg_find_copied(const struct reg *r, int watch, const struct file_id *id);

/* Calls `each` for every entry that can be found. `each` may remove the entry that it is given. */
typedef void reg_each(void *ctx, int watch, uint32_t entry);
void reg_for_each(const struct reg *r, reg_each *each, void *ctx);

/* Entries and bytes of memory in use. */
struct reg_size {
    uint32_t entries;
    uint64_t bytes;
};
struct reg_size reg_size(const struct reg *r);

/* --- everybody --- */

/* The entry of an inode in a watch, or 0. */
uint32_t reg_find(const struct reg *r, int watch, const struct file_id *id);

/* Whether the entry is (still) that of this inode in that watch. A reader who took something from an entry that he found
 * earlier asks afterwards: it may have become another's. */
bool reg_holds(const struct reg *r, uint32_t entry, int watch, const struct file_id *id);

/* A number for what stands in an entry now, which no other inode's or place's has had: for whoever remembers something of
 * it. (It comes round after 2^28 entries were made, if the same entry is then in use.) 0: nothing stands there. */
uint64_t reg_stamp(const struct reg *r, uint32_t entry);

int reg_watch(const struct reg *r, uint32_t entry);
struct file_id reg_id(const struct reg *r, uint32_t entry);
bool reg_is_outside(const struct reg *r, uint32_t entry);

/* Writes the place of `entry` to `out` with a final NUL. Returns its length, or 0 if it does not fit. */
size_t reg_place(const struct reg *r, uint32_t entry, char *out, size_t size);

#endif
