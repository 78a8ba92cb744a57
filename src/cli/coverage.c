#include "cli/coverage.h"

#include <fcntl.h>
#include <glob.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

/* The first that a pattern matches speaks for it. */
static bool judge_match(const struct watch *w, const struct pattern *at, const char *below, struct findings *warnings,
                        struct findings *notes)
{
    glob_t found = {0};
    CLEAN_FREE char *text = NULL;
    if (asprintf(&text, "%s%s", below, at->text) < 0)
        return false;
    glob(text, GLOB_NOSORT, NULL, &found);
    bool any = found.gl_pathc > 0;
    if (any)
        judge(w, at, found.gl_pathv[0], warnings, notes);
    globfree(&found);
    return any;
}

void lint_coverage(const struct policy *p, struct findings *warnings, struct findings *notes)
{
    for (int i = 0; i < p->n_watches; i++) {
        const struct watch *w = &p->watches[i];
        for (size_t k = 0; k < w->path.n; k++) {
            const struct pattern *at = &w->path.v[k];
            bool found = false;
            for (size_t h = 0; at->home && h < p->n_homes && !found; h++) {
                CLEAN_FREE char *home = glob_escape(p->homes[h].path, strlen(p->homes[h].path));
                found = home && judge_match(w, at, home, warnings, notes);
            }
            if (!at->home)
                judge_match(w, at, "", warnings, notes);
        }
    }
    findings_sort(warnings, p->files, p->n_files);
    findings_sort(notes, p->files, p->n_files);
}
