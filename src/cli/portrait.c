#include "cli/portrait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/lookup.h"
#include "policy/glob.h"
#include "policy/trail.h"

void portrait_init(struct portrait *w)
{
    memset(w, 0, sizeof *w);
    w->subject.known =
        ATTR_CREDS | ATTR_EXE | ATTR_GROUPS | ATTR_LOGINUID | ATTR_UNIT | ATTR_PARENT | ATTR_LINEAGE | ATTRS_OF_CLERK;
    w->object.known = ATTR_OWNER | ATTR_PLACE;
    w->subject.loginuid = UINT32_MAX;
    w->subject.groups = w->groups;
    w->subject.unit = w->unit;
    w->subject.exe = &w->exe_set;
    w->subject.parent = &w->parent_set;
    w->subject.ancestors = &w->ancestor_set;
    w->object.place = w->place;
}

static void free_lookup(struct lookup **l)
{
    lookup_free(*l);
}

bool portrait_program(const struct policy *p, const char *path, struct program_set *set, char real[PATH_MAX])
{
    __attribute__((cleanup(free_lookup))) struct lookup *names = lookup_create(); /* as the judge looks */
    struct stat file;
    struct statx other;
    bool exists = realpath(path, real) && stat(real, &file) == 0;
    if (!exists)
        snprintf(real, PATH_MAX, "%s", path);
    for (size_t i = 0; i < p->n_programs; i++) {
        const char *text = p->programs[i].text;
        bool is;
        if (!exists || !glob_is_literal(text))
            is = glob_match(text, real);
        else
            is = names && lookup_follow(names, text, &other) && other.stx_ino == file.st_ino &&
                 makedev(other.stx_dev_major, other.stx_dev_minor) == file.st_dev;
        if (is)
            program_set_add(set, i);
    }
    return exists;
}

/* The real path of what does not exist: of its directory, as far as that does. */
static void place_of_missing(const char *path, char out[PATH_MAX])
{
    struct trail trail;
    char here[PATH_MAX], absolute[2 * PATH_MAX];
    if (path[0] == '/' || !getcwd(here, sizeof here))
        here[0] = '\0';
    snprintf(absolute, sizeof absolute, "%s%s%s", here, here[0] ? "/" : "", path);
    trail_follow(absolute, true, NULL, &trail);
    if (trail.fd >= 0)
        close(trail.fd);
    snprintf(out, PATH_MAX, "%.*s", PATH_MAX - 1, trail.end == TRAIL_END_FAILED ? absolute : trail.real);
}

bool portrait_object(struct portrait *w, const char *path)
{
    struct stat st;
    if (!realpath(path, w->place) || stat(w->place, &st) < 0) {
        place_of_missing(path, w->place);
        w->object.failed |= ATTR_OWNER;
        return false;
    }
    w->object.uid = st.st_uid;
    w->object.gid = st.st_gid;
    w->object.mode = st.st_mode;
    w->is_directory = S_ISDIR(st.st_mode);
    return true;
}
