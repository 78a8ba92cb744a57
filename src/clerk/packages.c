#include "clerk/packages.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fnv.h"
#include "base/own.h"
#include "clerk/dpkg.h"
#include "policy/trail.h"

enum {
    FILE_MAX = 128 << 20,   /* bytes of one file of the database */
    NAMES_MAX = 4 << 20,    /* listed by all packages */
    PACKAGES_MAX = 1 << 20, /* the status file's own size allows for no more */
};

/* What tells that a file is another than before. */
struct sign {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec changed;
};
static const char *const signs[] = {".", "status", "info", "diversions"};
enum { SIGNS = sizeof signs / sizeof signs[0] };

struct package {
    char file[PACKAGE_NAME_MAX]; /* how its files of info/ begin */
    size_t name_len;             /* ... of which this is its name, the rest the architecture */
    struct sign list;            /* of its list of names */
    size_t first, n;             /* its part of hashes[] */
};

struct packages {
    char root[PATH_MAX];
    char base[PATH_MAX]; /* root/var/lib/dpkg */
    int info;            /* the directory info/ */
    struct sign signs[SIGNS];
    unsigned merged; /* which of aliases[] are links into /usr */
    struct package *packages;
    size_t n_packages, room_packages, odd;
    /* Names are kept as hashes, package by package; those that hash alike are compared in the package's own files. */
    uint64_t *hashes;
    size_t n_hashes, room_hashes;
    /* The way from a hash to its place in hashes[]: chains of places plus one; 0 ends a chain. */
    uint32_t *heads, *next;
    size_t n_heads;   /* a power of two */
    char *diversions; /* the file */
    size_t diversions_len;
};

/* A merged /usr: these directories are links to those of the same name below /usr. */
static const char *const aliases[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};
enum { ALIASES = sizeof aliases / sizeof aliases[0] };

static bool roots_alone(const struct stat *st)
{
    return st->st_uid == 0 && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

static struct sign sign_of(const struct stat *st)
{
    return (struct sign){st->st_dev, st->st_ino, st->st_size, st->st_ctim};
}

static bool same_sign(const struct sign *a, const struct sign *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

/* The whole of a file that only root can write, in memory; NULL with errno. */
static char *read_file(int dir, const char *name, size_t *len, struct sign *sign)
{
    CLEAN_FD int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return NULL;
    if (!S_ISREG(st.st_mode) || !roots_alone(&st)) {
        errno = EPERM;
        return NULL;
    }
    if (st.st_size > FILE_MAX) {
        errno = EFBIG;
        return NULL;
    }
    if (sign)
        *sign = sign_of(&st);
    size_t size = (size_t)st.st_size;
    CLEAN_FREE char *bytes = malloc(size + 1);
    if (!bytes)
        return NULL;
    for (*len = 0; *len < size;) {
        ssize_t n = read(fd, bytes + *len, size - *len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return NULL;
        if (n == 0)
            break;
        *len += (size_t)n;
    }
    return STEAL_PTR(bytes);
}

static bool read_signs(const char *base, struct sign out[SIGNS])
{
    for (int i = 0; i < SIGNS; i++) {
        char path[PATH_MAX + 16];
        struct stat st = {0};
        snprintf(path, sizeof path, "%s/%s", base, signs[i]);
        if (lstat(path, &st) < 0 && errno != ENOENT)
            return false;
        out[i] = sign_of(&st);
    }
    return true;
}

bool packages_changed(const struct packages *p)
{
    struct sign now[SIGNS];
    if (!read_signs(p->base, now))
        return true;
    for (int i = 0; i < SIGNS; i++)
        if (!same_sign(&now[i], &p->signs[i]))
            return true;
    return false;
}

static void find_merged(struct packages *p)
{
    for (int i = 0; i < ALIASES; i++) {
        char path[PATH_MAX + 16], target[32], usr[32];
        snprintf(path, sizeof path, "%s/%s", p->root, aliases[i]);
        snprintf(usr, sizeof usr, "/usr/%s", aliases[i]);
        ssize_t n = readlink(path, target, sizeof target);
        if (n > 0 && (span_is(span_of(target, (size_t)n), usr) || span_is(span_of(target, (size_t)n), usr + 1)))
            p->merged |= 1u << i;
    }
}

/* Whether `name` begins with an alias; returns what is to be put before it in a merged /usr. */
static const char *before(const struct packages *p, struct span name)
{
    for (int i = 0; i < ALIASES; i++) {
        size_t n = strlen(aliases[i]);
        if (p->merged >> i & 1 && name.len > n + 2 && name.at[n + 1] == '/' && memcmp(name.at + 1, aliases[i], n) == 0)
            return "/usr";
    }
    return "";
}

/* Whether `name`, as a package wrote it, is canonical `path`. */
static bool leads_to(const struct packages *p, struct span name, struct span path)
{
    size_t n = strlen(before(p, name));
    return path.len == n + name.len && memcmp(path.at, before(p, name), n) == 0 &&
           memcmp(path.at + n, name.at, name.len) == 0;
}

static uint64_t hash_name(struct span name)
{
    return fnv(FNV_BEGIN, name.at, name.len);
}

/* Room for one more of `size` bytes. */
static bool grow(void **array, size_t n, size_t *room, size_t size, size_t max)
{
    if (n < *room)
        return true;
    size_t more = *room ? 2 * *room : 1024;
    void *moved = n < max ? realloc(*array, more * size) : NULL;
    if (!moved) {
        errno = n < max ? ENOMEM : EOVERFLOW;
        return false;
    }
    *array = moved;
    *room = more;
    return true;
}

static bool add_hash(struct packages *p, uint64_t hash)
{
    if (!grow((void **)&p->hashes, p->n_hashes, &p->room_hashes, sizeof *p->hashes, NAMES_MAX))
        return false;
    p->hashes[p->n_hashes++] = hash;
    return true;
}

static void name_file(char out[PACKAGE_NAME_MAX + 16], const char *file, const char *kind)
{
    snprintf(out, PACKAGE_NAME_MAX + 16, "%s.%s", file, kind);
}

static char *read_info(const struct packages *p, const char *file, const char *kind, size_t *len, struct sign *sign)
{
    char name[PACKAGE_NAME_MAX + 16];
    name_file(name, file, kind);
    return read_file(p->info, name, len, sign);
}

/* The names of a package, from its list. */
static bool read_list(struct packages *p, struct package *k)
{
    size_t len;
    CLEAN_FREE char *list = read_info(p, k->file, "list", &len, &k->list);
    if (!list)
        return false;
    struct span rest = span_of(list, len), line;
    while (dpkg_line(&rest, &line))
        if (!dpkg_listed(line))
            p->odd++;
        else if (!add_hash(p, hash_name(line)))
            return false;
    p->odd += rest.len > 0;
    return true;
}

/* Takes the names of a package over from what was read before, if its list is still the same. *from is where to look
 * first: packages stand in one order. */
static bool take_list(struct packages *p, struct package *k, const struct packages *old, size_t *from)
{
    char name[PACKAGE_NAME_MAX + 16];
    struct stat st;
    size_t i = 0;
    if (!old)
        return false;
    while (i < old->n_packages && strcmp(old->packages[(*from + i) % old->n_packages].file, k->file) != 0)
        i++;
    if (i == old->n_packages)
        return false;
    *from = (*from + i) % old->n_packages;
    const struct package *before = &old->packages[(*from)++];
    name_file(name, k->file, "list");
    if (fstatat(p->info, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    k->list = sign_of(&st);
    if (!same_sign(&k->list, &before->list))
        return false;
    for (size_t j = 0; j < before->n; j++)
        if (!add_hash(p, old->hashes[before->first + j]))
            return false;
    return true;
}

/* False: memory is out, or there are too many names. What cannot be read or makes no sense is counted. */
static bool read_package(struct packages *p, const struct dpkg_package *d, const struct packages *old, size_t *from)
{
    struct package k = {.name_len = d->name.len, .first = p->n_hashes};
    if (!d->valid || d->name.len + 1 + d->arch.len >= sizeof k.file) {
        p->odd++;
        return true;
    }
    if (!d->in_place)
        return true;
    memcpy(k.file, d->name.at, d->name.len);
    if (d->same) {
        k.file[d->name.len] = ':';
        memcpy(k.file + d->name.len + 1, d->arch.at, d->arch.len);
    }
    if (!take_list(p, &k, old, from)) {
        p->n_hashes = k.first;
        bool read = read_list(p, &k);
        if (!read && errno == ENOENT && d->same) { /* a database from before there were architectures */
            k.file[d->name.len] = '\0';
            read = read_list(p, &k);
        }
        if (!read) {
            p->n_hashes = k.first;
            p->odd++;
            return errno != ENOMEM && errno != EOVERFLOW;
        }
    }
    k.n = p->n_hashes - k.first;
    if (!grow((void **)&p->packages, p->n_packages, &p->room_packages, sizeof k, PACKAGES_MAX))
        return false;
    p->packages[p->n_packages++] = k;
    return true;
}

static bool make_chains(struct packages *p)
{
    for (p->n_heads = 1024; p->n_heads < p->n_hashes;)
        p->n_heads *= 2;
    p->heads = calloc(p->n_heads, sizeof *p->heads);
    p->next = malloc(p->n_hashes * sizeof *p->next);
    if (!p->heads || !p->next)
        return false;
    for (size_t i = p->n_hashes; i-- > 0;) { /* so that the packages of a chain come in their order */
        uint32_t *head = &p->heads[p->hashes[i] & (p->n_heads - 1)];
        p->next[i] = *head;
        *head = (uint32_t)(i + 1);
    }
    return true;
}

/* Opens root/var/lib/dpkg and what is needed of it. */
static int open_base(struct packages *p, const char **why)
{
    struct trail t;
    struct stat st;
    trail_follow(p->base, false, NULL, &t);
    CLEAN_FD int base = t.fd;
    if (t.end == TRAIL_END_UNTRUSTED) {
        *why = "a directory above it is not root's alone";
        errno = EPERM;
        return -1;
    }
    *why = "there is none";
    if (base < 0)
        return -1;
    p->info = openat(base, "info", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (p->info < 0)
        return -1;
    if (fstat(base, &st) == 0 && roots_alone(&st) && fstat(p->info, &st) == 0 && roots_alone(&st))
        return STEAL_FD(base);
    *why = "its directory is not root's alone";
    errno = EPERM;
    return -1;
}

static bool read_database(struct packages *p, const struct packages *old, clerk_beat *beat, void *ctx, const char **why)
{
    CLEAN_FD int base = open_base(p, why);
    if (base < 0)
        return false;
    *why = "it cannot be read";
    size_t len;
    if (!read_signs(p->base, p->signs)) /* first: what changes from now on is seen as a change */
        return false;
    CLEAN_FREE char *status = read_file(base, "status", &len, NULL);
    if (!status)
        return false;
    p->diversions = read_file(base, "diversions", &p->diversions_len, NULL);
    if (!p->diversions && errno != ENOENT)
        return false;
    find_merged(p);
    struct span rest = span_of(status, len);
    size_t from = 0;
    for (struct dpkg_package d; dpkg_package(&rest, &d);) {
        if (beat && !beat(ctx)) {
            *why = "it was interrupted";
            errno = EINTR;
            return false;
        }
        if (!read_package(p, &d, old, &from))
            return false;
    }
    p->odd += rest.len > 0;
    if (p->n_hashes == 0) {
        *why = "it lists nothing";
        errno = ENOENT;
        return false;
    }
    /* Doubling has left up to as much again. */
    uint64_t *fit = realloc(p->hashes, p->n_hashes * sizeof *fit);
    p->hashes = fit ? fit : p->hashes;
    return make_chains(p);
}

static struct packages *read_below(const char *root, const struct packages *old, clerk_beat *beat, void *ctx,
                                   const char **why)
{
    struct packages *p = calloc(1, sizeof *p);
    *why = "memory is out";
    if (!p)
        return NULL;
    p->info = -1;
    int n = snprintf(p->base, sizeof p->base, "%s/var/lib/dpkg", root);
    if (n < 0 || (size_t)n >= sizeof p->base) {
        *why = "its name is too long";
        errno = ENAMETOOLONG;
    } else {
        memcpy(p->root, root, strlen(root) + 1);
        if (read_database(p, old, beat, ctx, why))
            return p;
    }
    int err = errno;
    packages_free(p);
    errno = err;
    return NULL;
}

struct packages *packages_read(const char *root, clerk_beat *beat, void *ctx, const char **why)
{
    return read_below(root, NULL, beat, ctx, why);
}

struct packages *packages_read_again(const struct packages *old, clerk_beat *beat, void *ctx, const char **why)
{
    return read_below(old->root, old, beat, ctx, why);
}

void packages_free(struct packages *p)
{
    if (!p)
        return;
    if (p->info >= 0)
        close(p->info);
    free(p->packages);
    free(p->hashes);
    free(p->heads);
    free(p->next);
    free(p->diversions);
    free(p);
}

struct packages_count packages_count(const struct packages *p)
{
    return (struct packages_count){.packages = p->n_packages, .names = p->n_hashes, .odd = p->odd};
}

const char *packages_root(const struct packages *p)
{
    return p->root;
}

/* Where the file that package `k` lists as `name` lies: dpkg compares the names as they are written. */
static struct span place_of(const struct packages *p, const struct package *k, struct span name)
{
    struct span rest = span_of(p->diversions, p->diversions_len);
    for (struct dpkg_diversion d; dpkg_diversion(&rest, &d);)
        if (span_equal(d.from, name))
            return span_equal(d.by, span_of(k->file, k->name_len)) ? name : d.to;
    return name;
}

/* The recorded checksum of what package `k` lists as `name`. */
static enum packaged_end checksum_of(const struct packages *p, const struct package *k, struct span name,
                                     uint8_t md5[DIGEST_MD5_BYTES])
{
    size_t len;
    CLEAN_FREE char *sums = read_info(p, k->file, "md5sums", &len, NULL);
    if (!sums)
        return errno == ENOENT ? PACKAGED_NO_CHECKSUM : PACKAGED_FAILED;
    struct span rest = span_of(sums, len), line, sum_name, wanted = span_of(name.at + 1, name.len - 1);
    while (dpkg_line(&rest, &line))
        if (dpkg_checksum(line, md5, &sum_name) && span_equal(sum_name, wanted))
            return PACKAGED_FOUND;
    return PACKAGED_NO_CHECKSUM;
}

static enum packaged_end later(enum packaged_end a, enum packaged_end b)
{
    return a > b ? a : b;
}

/* Whose part of hashes[] this place is in. */
static const struct package *package_at(const struct packages *p, size_t place)
{
    size_t low = 0, high = p->n_packages;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (p->packages[middle].first <= place)
            low = middle;
        else
            high = middle;
    }
    return &p->packages[low];
}

/* Looks for packages that list `name` and whose file for it lies at `path`. */
static enum packaged_end find_owner(const struct packages *p, struct span name, struct span path, struct packaged *out)
{
    uint64_t hash = hash_name(name);
    enum packaged_end found = PACKAGED_NOT;
    for (uint32_t at = p->heads[hash & (p->n_heads - 1)]; at; at = p->next[at - 1]) {
        if (p->hashes[at - 1] != hash)
            continue;
        const struct package *k = package_at(p, at - 1);
        if (!leads_to(p, place_of(p, k, name), path))
            continue;
        enum packaged_end one = checksum_of(p, k, name, out->md5);
        memcpy(out->package, k->file, sizeof out->package);
        if (one == PACKAGED_FOUND)
            return one;
        found = later(found, one);
    }
    return found;
}

enum packaged_end packages_find(const struct packages *p, const char *path, struct packaged *out)
{
    struct span wanted = span_of(path, strlen(path));
    enum packaged_end found = PACKAGED_NOT;
    *out = (struct packaged){.package = ""};
    if (!dpkg_listed(wanted))
        return PACKAGED_NOT;
    if (before(p, wanted)[0]) /* not canonical: /bin/ls where /bin is a link */
        return PACKAGED_NOT;
    /* It may be listed as it is, or by the name that it had before /usr was merged ... */
    found = find_owner(p, wanted, wanted, out);
    struct span old = wanted.len > 5 ? span_of(path + 4, wanted.len - 4) : wanted;
    if (found != PACKAGED_FOUND && old.len < wanted.len && leads_to(p, old, wanted))
        found = later(found, find_owner(p, old, wanted, out));
    /* ... or by the name from which it was diverted. */
    struct span rest = span_of(p->diversions, p->diversions_len);
    for (struct dpkg_diversion d; found != PACKAGED_FOUND && dpkg_diversion(&rest, &d);)
        if (dpkg_listed(d.from) && leads_to(p, d.to, wanted))
            found = later(found, find_owner(p, d.from, wanted, out));
    return found;
}
