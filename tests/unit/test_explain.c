#include "policy_fixture.h"

#include <fcntl.h>

#include "cli/cli.h"

/* Runs a command with these words and gives what it printed on standard output. */
static int run(int (*command)(int, char **), char *out, size_t size, const char *words)
{
    char line[1024], *argv[32], name[] = "/tmp/fileward-test-XXXXXX";
    int argc = 0, saved = dup(STDOUT_FILENO), file = mkstemp(name);
    snprintf(line, sizeof line, "%s", words);
    for (char *w = strtok(line, " "); w; w = strtok(NULL, " "))
        argv[argc++] = w;
    argv[argc] = NULL;
    fflush(stdout);
    dup2(file, STDOUT_FILENO);
    optind = 0;
    int status = command(argc, argv);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    ssize_t n = pread(file, out, size - 1, 0);
    out[n > 0 ? n : 0] = '\0';
    close(file);
    close(saved);
    unlink(name);
    return status;
}

static const char policy[] =
    "[fileward]\nuser = 60842\nmode = enforce\n"
    "[watch w]\npath = %1$s\nexclude = %1$s/out\ndefault = deny\n"
    "[rule w/cat]\naction = allow\nop = read\nexe = /usr/bin/cat\nuid = owner\nreason = \"because\"\n"
    "[rule w/log]\naction = allow\nloginuid = 1000-60000\n"
    "[rule w/old]\naction = allow\nexpires = 2020-01-01T00:00Z\n"
    "[rule w/unit]\naction = allow\nunit = a.service b.service\n"
    "[rule w/public]\naction = allow\nobject = public\n"
    "[rule w/path]\naction = allow\npath = ~/x %1$s/a*\n"
    "[rule w/gid]\naction = allow\ngid = 5 7-9\n"
    "[rule w/parent]\naction = allow\nparent = /usr/bin/make\n"
    "[rule w/far]\naction = deny\nancestor = /usr/bin/env /usr/bin/id\n"
    "[watch v]\npath = %1$s/sub\ndefault = allow\nmode = audit\n";

struct stage {
    char dir[64], file[96];
};

static void stage_open(struct stage *s)
{
    char text[2048], path[96];
    snprintf(s->dir, sizeof s->dir, "/tmp/fileward-test-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->file, sizeof s->file, "%s/p.ini", s->dir);
    snprintf(text, sizeof text, policy, s->dir);
    fixture_write(s->file, text, strlen(text));
    snprintf(path, sizeof path, "%s/file\n", s->dir);
    fixture_write(path, "", 0);
    assert_int_equal(chmod(path, 0600), 0);
    snprintf(path, sizeof path, "%s/sub", s->dir);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void stage_close(struct stage *s)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", s->dir);
    assert_int_equal(system(command), 0);
}

static void expect(const struct stage *s, int status, const char *words, const char *const *parts)
{
    char line[1024], out[8192];
    snprintf(line, sizeof line, "explain -c %s ", s->file);
    for (char *end = line + strlen(line); *words; words++) { /* @ stands for the directory */
        end += snprintf(end, (size_t)(line + sizeof line - end), "%.*s", *words == '@' ? 64 : 1,
                        *words == '@' ? s->dir : words);
        assert_true(end < line + sizeof line);
    }
    int got = run(cmd_explain, out, sizeof out, line);
    if (got != status)
        fail_msg("%s: status %d\n%s", line, got, out);
    for (; *parts; parts++) {
        if (!strstr(out, *parts))
            fail_msg("%s: no `%s` in\n%s", line, *parts, out);
    }
}
#define PARTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_explain(void **state)
{
    (void)state;
    struct stage s;
    if (geteuid() != 0)
        skip();
    stage_open(&s);
    expect(&s, 0, "--path @/file\n --exe /usr/bin/cat",
           PARTS("/file\\n by /usr/bin/cat\n", "watch w, mode enforce\n", "  w/cat (p.ini:8) holds\n",
                 "  allow by w/cat (because)\n"));
    expect(&s, EXIT_WOULD_DENY, "--path @/file\n --exe /usr/bin/head --uid 12",
           PARTS("w/cat (p.ini:8) fails: uid: 12 is not the owner (uid 0)\n",
                 "w/log (p.ini:14) fails: loginuid: nobody logged in, which is not 1000-60000\n",
                 "w/old (p.ini:17) fails: expires: the time 2020-01-01T00:00Z is over\n",
                 "w/unit (p.ini:20) fails: unit: no unit is not a.service or b.service\n",
                 "w/public (p.ini:23) fails: object: others may not read it (mode 0600)\n",
                 "w/path (p.ini:26) fails: path: ", " is not in ~/x or ",
                 "w/parent (p.ini:32) fails: parent: no parent is not /usr/bin/make\n",
                 "w/far (p.ini:35) fails: ancestor: there is no ancestor, so none is /usr/bin/env or /usr/bin/id\n",
                 "  deny by w/default: refused\n"));
    expect(&s, EXIT_WOULD_DENY, "--path @/file\n --exe /usr/bin/head --gid 99 --ancestor /usr/bin/id",
           PARTS("w/cat (p.ini:8) fails: exe: /usr/bin/head is not /usr/bin/cat\n",
                 "w/gid (p.ini:29) fails: gid: none of the groups 99 is 5 or 7-9\n", "w/far (p.ini:35) holds\n",
                 "  deny by w/far: refused\n"));
    expect(&s, 0, "--path @/file\n --exe /usr/bin/head --gid 8", PARTS("allow by w/gid\n"));
    expect(&s, EXIT_WOULD_DENY, "--path @/file\n --exe /usr/bin/cat --op write",
           PARTS("w/cat (p.ini:8) does not name this operation\n"));
    expect(&s, EXIT_WOULD_DENY, "--path @/missing --exe /usr/bin/cat",
           PARTS("uid: the owner and mode of the file are not known\n"));
    expect(&s, EXIT_WOULD_DENY, "--path @/sub --exe /usr/bin/cat",
           PARTS("list of ", "deny by w/default: refused\n", "watch v, mode audit\n", "  allow by v/default\n"));
    expect(&s, 0, "--path @/out --exe /x", PARTS("watch w: the place is excluded\n", "not guarded"));
    expect(&s, 0, "--path /usr/bin/cat --exe /usr/bin/cat", PARTS("not guarded: no watch covers this path\n"));
    expect(&s, EXIT_WOULD_DENY, "--json --path @/file\n --exe /usr/bin/head --uid 12",
           PARTS("\"op\":\"read\",\"guarded\":true,\"decision\":\"deny\"",
                 "\"result\":\"fails\",\"condition\":\"uid\",\"why\":\"uid: 12 is not the owner (uid 0)\""));
    expect(&s, EXIT_WOULD_DENY, "--json --path @/z\xff\x1b\x7f --exe /b\xe2\x80\xae --uid 12",
           PARTS("/z\\uFFFD\\u001B\\u007f\",\"path_hex\":\"", "7aff1b7f\",\"exe\":\"/b\\u202E\",\"op\":"));
    expect(&s, EXIT_WOULD_DENY, "--path @/z\xff\x1b --exe /b\xe2\x80\xae --uid 12",
           PARTS("/z\\xff\\x1b by /b\\xe2\\x80\\xae\n"));
    stage_close(&s);
}

/* What is printed is as in the manual, where the policy stands in /etc/fileward. */
static void expect_manual(int (*command)(int, char **), const char *policy_text, const char *options, int status,
                          const char *name)
{
    char dir[] = "/tmp/fileward-test-XXXXXX", file[64], line[256], out[4096], shown[4096] = "", golden[96], text[4096];
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/fileward.ini", dir);
    fixture_write(file, policy_text, strlen(policy_text));
    snprintf(line, sizeof line, "x -c %s --json %s", file, options);
    assert_int_equal(run(command, out, sizeof out, line), status);
    unlink(file);
    rmdir(dir);
    const char *from = out;
    for (const char *at; (at = strstr(from, dir)); from = at + strlen(dir)) {
        strncat(shown, from, (size_t)(at - from));
        strcat(shown, "/etc/fileward");
    }
    strcat(shown, from);
    snprintf(golden, sizeof golden, "tests/unit/golden/%s.json", name);
    if (getenv("REGOLD"))
        fixture_write(golden, shown, strlen(shown));
    FILE *f = fopen(golden, "re");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(shown, text);
}

static void test_manual(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    expect_manual(cmd_check,
                  "[fileward]\nuser = 60842\n\n[watch ssh]\npath = /root/.ssh\ndefault = deny\ndefalt = deny\n"
                  "[rule ssh/cat]\naction = allow\n[rule ssh/tools]\naction = allow\n",
                  "", EXIT_POLICY, "check");
    expect_manual(cmd_explain,
                  "[fileward]\nuser = 60842\n\n[watch ssh]\npath = /root/.ssh\ndefault = deny\n\n[rule ssh/cat]\n"
                  "action = allow\nuid = 1000\n\n\n[rule ssh/tools]\naction = allow\nexe = /usr/bin/ssh\n"
                  "reason = \"only OpenSSH reads keys\"\n",
                  "--path /root/.ssh/id --exe /usr/bin/ssh --uid 0", 0, "explain");
}

static void test_usage(void **state)
{
    (void)state;
    struct stage s;
    char out[4096], line[256];
    if (geteuid() != 0)
        skip();
    stage_open(&s);
    assert_int_equal(run(cmd_explain, out, sizeof out, "explain"), EXIT_USAGE);
    expect(&s, EXIT_USAGE, "--path /x", PARTS(""));
    expect(&s, EXIT_USAGE, "--path /x --exe /y --op run", PARTS(""));
    expect(&s, EXIT_USAGE, "--path /x --exe /y --uid nobody-of-that-name", PARTS(""));
    expect(&s, EXIT_USAGE, "--path /x --exe /y more", PARTS(""));
    expect(&s, EXIT_USAGE, "--path /x --exe cat", PARTS(""));
    expect(&s, EXIT_USAGE, "--path /x --exe /y --parent ./sh", PARTS(""));
    expect(&s, EXIT_USAGE, "--path /x --exe /y --ancestor /sh --ancestor sh", PARTS(""));
    expect(&s, EXIT_USAGE, "--path /x --pid 0", PARTS(""));
    expect(&s, EXIT_USAGE, "--path /x --pid one", PARTS(""));
    expect(&s, EXIT_FAILED, "--path /x --pid 2147483647", PARTS(""));
    assert_int_equal(run(cmd_explain, out, sizeof out, "explain --help"), 0);
    assert_int_equal(run(cmd_explain, out, sizeof out, "explain -c /nonexistent --path /x --exe /y"), EXIT_POLICY);
    assert_int_equal(run(cmd_check, out, sizeof out, "check -c /nonexistent"), EXIT_POLICY);
    assert_int_equal(run(cmd_check, out, sizeof out, "check --nonsense"), EXIT_USAGE);
    snprintf(line, sizeof line, "check -c %s", s.file);
    assert_int_equal(run(cmd_check, out, sizeof out, line), 0);
    assert_string_equal(out, "policy ok: 2 watches, 9 rules\n");
    snprintf(line, sizeof line, "check --strict --json -c %s", s.file);
    assert_int_equal(run(cmd_check, out, sizeof out, line), EXIT_FAILED);
    assert_non_null(strstr(out, "{\"ok\":true,\"policy\":\"sha256:"));
    assert_non_null(strstr(out, "{\"severity\":\"warning\",\"file\":\""));
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_explain),
        cmocka_unit_test(test_manual),
        cmocka_unit_test(test_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
