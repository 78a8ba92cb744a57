#include "cli/candidate.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/own.h"
#include "cli/json.h"
#include "cli/lint.h"

static const char package_lists[] = "/var/lib/dpkg/info/*.list";

struct private_group private_group_find(const char *name)
{
    struct private_group found = {.name = name};
    CLEAN_FILE FILE *f = fopen("/etc/group", "re");
    for (const struct group *g; f && (g = fgetgrent(f));) {
        if (strcmp(g->gr_name, name) != 0)
            continue;
        found =
            (struct private_group){.name = name, .exists = true, .has_members = g->gr_mem[0] != NULL, .gid = g->gr_gid};
        break;
    }
    return found;
}

/* --- one program ------------------------------------------------------------------------------------------------ */

/* Its first bytes: a script has none of its own rights. */
static const char *what_is_no_program(int fd)
{
    char head[4] = {0};
    if (read(fd, head, sizeof head) < 2)
        return "cannot be read";
    if (head[0] == '#' && head[1] == '!')
        return "is a script: the kernel ignores setgid on it";
    return memcmp(head, "\177ELF", 4) == 0 ? NULL : "is not a program";
}

static bool can_be_shown(const char *path)
{
    for (; *path; path++)
        if (*path < 0x20 || *path > 0x7e)
            return false;
    return true;
}

/* NULL: nothing stands against it. */
static const char *why_left(int fd, const struct stat *st, const char *path, const struct private_group *group,
                            char out[160])
{
    struct statvfs fs;
    if (!can_be_shown(path))
        return "has a name that no command should hold";
    if (!S_ISREG(st->st_mode) || !(st->st_mode & 0111))
        return "is not a program";
    if (lint_is_interpreter(path))
        return "runs whatever it is told: with the group, so does everybody";
    if (st->st_uid != 0)
        return "belongs to a user, who can put anything into it";
    if (st->st_mode & S_ISUID)
        return "is setuid already: `uid` says more of it";
    if ((st->st_mode & S_ISGID) && !(group->exists && st->st_gid == group->gid)) {
        snprintf(out, 160, "is setgid already, to gid %u; if that is a private group, ask again with --group",
                 st->st_gid);
        return out;
    }
    if (!(st->st_mode & S_IXOTH) && !(group->exists && st->st_gid == group->gid))
        return "may be run by its group alone: another group would lock them out";
    if (fgetxattr(fd, "security.capability", NULL, 0) > 0)
        return "has file capabilities, which a change of its group takes away";
    if (fstatvfs(fd, &fs) == 0 && fs.f_flag & ST_NOSUID)
        return "lies on a file system that is mounted nosuid: setgid does nothing there";
    return what_is_no_program(fd);
}

/* Programs whose users say what they start. */
static bool starts_others(const char *path)
{
    static const char *const names[] = {"ssh",  "scp", "sftp", "git",  "rsync", "tar",  "vi",   "vim",  "vim.tiny",
                                        "nano", "ed",  "less", "more", "man",   "mutt", "gpg2", "sudo", "systemctl"};
    const char *name = strrchr(path, '/') + 1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static void add_warnings(json_t *o, const struct stat *st, const char *path)
{
    json_t *warnings = json_object_get(o, "warnings");
    if (starts_others(path))
        json_array_append_new(warnings,
                              json_string("it starts other programs that its user names, and they keep the group: "
                                          "there the group stops what injects code, and not what it starts"));
    if (st->st_nlink > 1)
        json_array_append_new(warnings, json_string("it has other names (hard links): they get the group too"));
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        json_array_append_new(warnings, json_string("others than root can write it: they lose that"));
}

static json_t *left(json_t *o, const char *why)
{
    json_object_set_new(o, "state", json_string("left"));
    json_object_set_new(o, "why", json_string(why));
    return o;
}

json_t *candidate_json(const char *path, const struct private_group *group)
{
    char real[PATH_MAX], mode[8], text[160];
    struct stat st;
    json_t *o = json_object();
    const char *place = realpath(path, real) ? real : path;
    json_put_name(o, "path", place);
    json_object_update_new(o, json_pack("{s:n, s:n, s:n, s:n, s:[]}", "state", "why", "mode", "package", "warnings"));
    CLEAN_FD int fd = open(place, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0)
        return left(o, strerror(errno));
    const char *why = why_left(fd, &st, place, group, text);
    if (why)
        return left(o, why);
    snprintf(mode, sizeof mode, "%04o", (st.st_mode & 0755) | S_ISGID);
    json_object_set_new(o, "state", json_string(st.st_mode & S_ISGID ? "done" : "harden"));
    json_object_set_new(o, "mode", json_string(mode));
    add_warnings(o, &st, place);
    return o;
}

/* --- packages --------------------------------------------------------------------------------------------------- */

/* A package may still call /usr/bin/x by its name of before, /bin/x, and an override counts under that name alone. */
static void take_line(json_t *by_path, const char *line)
{
    char merged[PATH_MAX + 8];
    json_t *o = json_object_get(by_path, line);
    snprintf(merged, sizeof merged, "/usr%s", line);
    if (!o)
        o = json_object_get(by_path, merged);
    if (o)
        json_object_set_new(o, "package", json_string(line));
}

static void read_list(json_t *by_path, const char *file)
{
    CLEAN_FILE FILE *f = fopen(file, "re");
    CLEAN_FREE char *line = NULL;
    size_t room = 0;
    for (ssize_t len; f && (len = getline(&line, &room, f)) > 0;) {
        if (line[len - 1] == '\n')
            line[len - 1] = '\0';
        if (line[0] == '/' && len < PATH_MAX)
            take_line(by_path, line);
    }
}

void candidates_find_packages(json_t *programs)
{
    json_t *by_path = json_object(), *o;
    size_t i;
    glob_t lists = {0};
    json_array_foreach(programs, i, o) if (strcmp(json_string_value(json_object_get(o, "state")), "left") != 0)
        json_object_set(by_path, json_string_value(json_object_get(o, "path")), o);
    if (json_object_size(by_path) > 0)
        glob(package_lists, GLOB_NOSORT, NULL, &lists);
    for (size_t k = 0; k < lists.gl_pathc; k++)
        read_list(by_path, lists.gl_pathv[k]);
    globfree(&lists);
    json_decref(by_path);
}
