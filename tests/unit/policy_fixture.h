/* A directory of policy files for one test, read with users and groups of its own. */
#ifndef FILEWARD_TESTS_POLICY_FIXTURE_H
#define FILEWARD_TESTS_POLICY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/policy.h"

#define DATA "tests/unit/data/"

struct fixture {
    char dir[64];
    struct policy_sources sources;
    char main_file[96], runtime[96];
    struct policy *policy;
    struct findings findings;
};

static inline void fixture_write(const char *path, const char *text, size_t len)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

/* Writes a file of the policy: "main.ini", "policy.d/x.ini" or "run/x.ini". */
static inline void fixture_file(struct fixture *x, const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", x->dir, name);
    fixture_write(path, text, strlen(text));
}

static inline void fixture_open(struct fixture *x)
{
    char sub[96];
    *x = (struct fixture){.dir = "/tmp/fileward-test-XXXXXX"};
    assert_non_null(mkdtemp(x->dir));
    snprintf(sub, sizeof sub, "%s/policy.d", x->dir);
    assert_int_equal(mkdir(sub, 0755), 0);
    snprintf(x->runtime, sizeof x->runtime, "%s/run", x->dir);
    assert_int_equal(mkdir(x->runtime, 0755), 0);
    snprintf(x->main_file, sizeof x->main_file, "%s/main.ini", x->dir);
    x->sources = (struct policy_sources){.main_file = x->main_file,
                                         .runtime_dir = x->runtime,
                                         .passwd = DATA "passwd",
                                         .group = DATA "group",
                                         .login_defs = "/nonexistent",
                                         .skip_ownership = true};
}

static inline void fixture_forget(struct fixture *x)
{
    findings_free(&x->findings);
    policy_free(x->policy);
    x->policy = NULL;
}

static inline void fixture_read(struct fixture *x)
{
    fixture_forget(x);
    x->policy = policy_read(&x->sources, &x->findings, NULL, NULL);
}

static inline void fixture_close(struct fixture *x)
{
    char command[128];
    fixture_forget(x);
    snprintf(command, sizeof command, "rm -rf %s", x->dir);
    assert_int_equal(system(command), 0);
}

/* Reads a policy of one file. */
static inline void fixture_text(struct fixture *x, const char *text)
{
    fixture_file(x, "main.ini", text);
    fixture_read(x);
}

/* Prints the findings and fails unless there are `errors` of them. */
static inline void fixture_expect_errors(const struct fixture *x, size_t errors)
{
    if (x->findings.errors != errors) {
        for (size_t i = 0; i < x->findings.n; i++)
            print_error("%s\n", x->findings.v[i].text);
    }
    assert_int_equal(x->findings.errors, errors);
}

/* Is there a finding on this line that holds this text? */
static inline bool fixture_has(const struct fixture *x, int line, const char *part)
{
    for (size_t i = 0; i < x->findings.n; i++) {
        const struct finding *f = &x->findings.v[i];
        if (f->line == line && strstr(f->text, part))
            return true;
    }
    for (size_t i = 0; i < x->findings.n; i++)
        print_error("%s\n", x->findings.v[i].text);
    print_error("expected on line %d: %s\n", line, part);
    return false;
}

#endif
