#include "cli/coverage.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include "base/own.h"
#include "policy/glob.h"

static bool look(const char *path, struct statx *st)
{
    return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_MNT_ID, st) == 0;
}

static void judge(const struct watch *w, const struct pattern *at, const char *path, struct findings *warnings,
                  struct findings *notes)
{
    struct statx root, st;
    if (!look("/", &root) || !look(path, &st))
        return;
    bool of_machine = st.stx_dev_major == root.stx_dev_major && st.stx_dev_minor == root.stx_dev_minor;
    if (w->coverage == COVERAGE_FILESYSTEM && of_machine)
        findings_warning(
            warnings, at->at,
            "coverage = filesystem in [watch %s]: `%s` lies on the machine's root file system, so that every "
            "first open of any file on it is a question and waits for its answer; while a judge is replaced "
            "it may be refused (EBUSY); give what is guarded a file system of its own",
            w->name, path);
    else if (w->coverage == COVERAGE_INODE && !of_machine && st.stx_attributes & STATX_ATTR_MOUNT_ROOT)
        findings_note(
            notes, at->at,
            "`%s` is a file system of its own: coverage = filesystem in [watch %s] costs nothing elsewhere and "
            "closes what inode marks leave open (SECURITY.md)",
            path, w->name);
}

/* The first file or directory that a pattern matches speaks for it. False: there is none yet. */
static bool first_match(const struct pattern *at, const char *below, char out[PATH_MAX])
{
    glob_t found = {0};
    CLEAN_FREE char *text = NULL;
    if (asprintf(&text, "%s%s", below, at->text) < 0)
        return false;
    glob(text, GLOB_NOSORT, NULL, &found);
    bool any = found.gl_pathc > 0 && strlen(found.gl_pathv[0]) < PATH_MAX;
    if (any)
        strcpy(out, found.gl_pathv[0]);
    globfree(&found);
    return any;
}

static bool find(const struct policy *p, const struct pattern *at, char out[PATH_MAX])
{
    bool found = false;
    for (size_t h = 0; at->home && h < p->n_homes && !found; h++) {
        CLEAN_FREE char *home = glob_escape(p->homes[h].path, strlen(p->homes[h].path));
        found = home && first_match(at, home, out);
    }
    return at->home ? found : first_match(at, "", out);
}

void lint_coverage(const struct policy *p, struct findings *warnings, struct findings *notes)
{
    char path[PATH_MAX];
    for (int i = 0; i < p->n_watches; i++) {
        const struct watch *w = &p->watches[i];
        for (size_t k = 0; k < w->path.n; k++)
            if (find(p, &w->path.v[k], path))
                judge(w, &w->path.v[k], path, warnings, notes);
    }
    findings_sort(warnings, p->files, p->n_files);
    findings_sort(notes, p->files, p->n_files);
}

bool coverage_of_writing(void)
{
    struct utsname u;
    int major = 0, minor = 0;
    return uname(&u) == 0 && sscanf(u.release, "%d.%d", &major, &minor) == 2 &&
           (major > 6 || (major == 6 && minor >= 14));
}

void check_writing(const struct policy *p, struct findings *notes)
{
    char path[PATH_MAX];
    struct statfs fs;
    for (int i = 0; i < p->n_watches; i++) {
        const struct watch *w = &p->watches[i];
        if (w->guard == GUARD_OPEN_WRITE && !coverage_of_writing())
            findings_note(
                notes, w->at,
                "guard = open+write in [watch %s]: this kernel cannot ask about writing (from Linux 6.14 on), so "
                "that only opens are guarded",
                w->name);
        for (size_t k = 0; k < w->path.n && w->guard == GUARD_OPEN_WRITE && coverage_of_writing(); k++)
            if (find(p, &w->path.v[k], path) && statfs(path, &fs) == 0 && fs.f_type != EXT4_SUPER_MAGIC &&
                fs.f_type != XFS_SUPER_MAGIC && fs.f_type != BTRFS_SUPER_MAGIC)
                findings_note(
                    notes, w->path.v[k].at,
                    "guard = open+write in [watch %s]: on the file system of `%s` the kernel cannot ask about "
                    "writing (it can on ext4, xfs and btrfs), so that only opens are guarded there",
                    w->name, path);
    }
    findings_sort(notes, p->files, p->n_files);
}
