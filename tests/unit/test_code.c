#include "packages_fixture.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include "base/own.h"
#include "base/process.h"
#include "clerk/code.h"

static void test_lines(void **state)
{
    (void)state;
    struct code_mapping m;
#define LINE(text) code_mapping(text, strlen(text), &m)
    assert_true(LINE("7f00-8f00 r-xp 0001a000 fe:00 4711                       /usr/lib/a b\\012c.so (deleted)"));
    assert_int_equal(m.start, 0x7f00);
    assert_int_equal(m.end, 0x8f00);
    assert_int_equal(m.inode, 4711);
    assert_true(m.read && m.exec && !m.write && !m.shared);
    assert_string_equal(m.name, "/usr/lib/a b\\012c.so (deleted)");
    assert_true(LINE("7f00-8f00 -w-s 00000000 00:00 0 "));
    assert_true(!m.read && m.write && !m.exec && m.shared);
    assert_string_equal(m.name, "");
    assert_true(LINE("7f00-8f00 ---p 00000000 00:00 0"));
    assert_true(LINE("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]"));
    static const char *const bad[] = {
        "",
        "x",
        "7f00",
        "7f00-8f00",
        "7f00-8f00 ",
        "7f00-8f00 r-xp",
        "7f00-8f00 r-xp ",
        "7f00-8f00 r-xp 0 00:00 ",
        "7f00-8f00 r-xp 0 00:00 x",
        "7f00-8f00 r-xp 0 00:00 99999999999999999999999",
        "8f00-7f00 r-xp 0 00:00 0",
        "7f00-7f00 r-xp 0 00:00 0",
        "10000000000000000-20000000000000000 r-xp 0 00:00 0",
        "7F00-8F00 r-xp 0 00:00 0",
        "-8f00 r-xp 0 00:00 0",
        "7f00-8f00 r-xpp 0 00:00 0",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (LINE(bad[i]))
            fail_msg("taken: %s", bad[i]);
}

/* Made-up directories of a process. */
struct fake {
    struct root root;
    int proc;
    struct file_id program;
    int asked;
    enum code_answer answer;
};

#define PAGES(...)                                                                                                     \
    (const uint64_t[])                                                                                                 \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
enum { PAGE = 4096 };
static const uint64_t of_file = UINT64_C(5) << 61, swapped = UINT64_C(1) << 62, own = UINT64_C(1) << 63,
                      moving = UINT64_C(3) << 61;

static int build(void **state)
{
    static struct fake f;
    struct statx st;
    f = (struct fake){.answer = CODE_ANSWER_YES};
    make_root(&f.root);
    put(&f.root, "/program", "");
    put(&f.root, "/library", "");
    put(&f.root, "/map_files/none", "");
    put_link(&f.root, "/map_files/0-1000", "../program");
    put_link(&f.root, "/map_files/1000-3000", "../library");
    f.proc = open(f.root.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(stat_identity(f.proc, "program", 0, &st), 0);
    f.program = file_id_of(&st);
    *state = &f;
    return 0;
}

static int demolish(void **state)
{
    struct fake *f = *state;
    close(f->proc);
    remove_root(&f->root);
    return 0;
}

static enum code_answer answer(void *ctx, int fd, const struct statx *st)
{
    struct fake *f = ctx;
    assert_true(fd >= 0 && S_ISREG(st->stx_mode));
    f->asked++;
    return f->answer;
}

static struct code_seen seen;

static enum code look(struct fake *f, const char *maps, const uint64_t *pages, size_t n)
{
    if (sysconf(_SC_PAGESIZE) != PAGE)
        skip();
    put(&f->root, "/maps", maps);
    put_bytes(&f->root, "/pagemap", (const char *)pages, n * sizeof *pages, 0644);
    f->asked = 0;
    return code_look(f->proc, &f->program, answer, NULL, f, &seen);
}

#define PROGRAM  "0-1000 r-xp 0 00:00 1 /program\n"
#define LIBRARY  "1000-3000 r-xp 0 00:00 2 /library\n"
#define VSYSCALL "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n"

static void test_tables(void **state)
{
    struct fake *f = *state;
    const uint64_t *fine = PAGES(of_file, of_file, 0, of_file);
    assert_int_equal(look(f, PROGRAM LIBRARY VSYSCALL, fine, 4), CODE_INTACT);
    assert_int_equal(f->asked, 1); /* not about the program itself */
    assert_int_equal(seen.mappings, 2);
    assert_int_equal(seen.pages, 3);
    assert_int_equal(look(f, "3000-4000 rw-p 0 00:00 0 [heap]\n" PROGRAM, fine, 4), CODE_INTACT);
    assert_int_equal(look(f, PROGRAM "3000-4000 r-xp 0 00:00 0 [vdso]\n", fine, 4), CODE_INTACT);
    assert_int_equal(look(f, LIBRARY, fine, 4), CODE_FORGED);
    assert_int_equal(look(f, PROGRAM "3000-4000 r-xp 0 00:00 0\n", fine, 4), CODE_ANONYMOUS);
    assert_int_equal(look(f, PROGRAM "3000-4000 r-xp 0 00:00 0 [anon:[vdso]]\n", fine, 4), CODE_ANONYMOUS);
    assert_int_equal(look(f, PROGRAM "3000-4000 --xp 0 00:00 0 [uprobes]\n", fine, 4), CODE_ANONYMOUS);
    assert_int_equal(look(f, PROGRAM "3000-4000 --xp 0 00:00 0 [vsyscall]\n", fine, 4), CODE_ANONYMOUS);
    assert_int_equal(look(f, PROGRAM "1000-3000 rwxp 0 00:00 2 /library\n", fine, 4), CODE_WRITABLE);
    assert_int_equal(look(f, PROGRAM "1000-3000 rwxs 0 00:00 2 /library\n", fine, 4), CODE_WRITABLE);
    f->answer = CODE_ANSWER_NO;
    assert_int_equal(look(f, PROGRAM LIBRARY, fine, 4), CODE_UNTRUSTED);
    assert_int_equal(seen.start, 0x1000);
    assert_string_equal(seen.name, "/library");
    f->answer = CODE_ANSWER_STOP;
    assert_int_equal(look(f, PROGRAM LIBRARY, fine, 4), CODE_STOPPED);
}

static void test_pages(void **state)
{
    struct fake *f = *state;
    assert_int_equal(look(f, PROGRAM LIBRARY, PAGES(of_file, of_file, own), 3), CODE_MODIFIED);
    assert_int_equal(look(f, PROGRAM LIBRARY, PAGES(of_file, swapped, 0), 3), CODE_MODIFIED);
    assert_int_equal(look(f, PROGRAM LIBRARY, PAGES(own, 0, 0), 3), CODE_MODIFIED); /* the program's own too */
    assert_int_equal(look(f, PROGRAM LIBRARY, PAGES(0, moving, 0), 3), CODE_INTACT);
    assert_int_equal(look(f, PROGRAM "3000-4000 r-xp 0 00:00 0 [vdso]\n", PAGES(0, 0, 0, own), 4), CODE_MODIFIED);
    assert_int_equal(look(f, PROGRAM LIBRARY, PAGES(of_file, 0), 2), CODE_UNREADABLE); /* it has ended */
    assert_int_equal(look(f, PROGRAM "1000-100001000 r-xp 0 00:00 0 [vdso]\n", PAGES(0), 1), CODE_TOO_MUCH);
}

static void test_odd(void **state)
{
    struct fake *f = *state;
    enum { MANY = CODE_MAPPINGS_MAX + 1, ROOM = MANY * 48 };
    const uint64_t *none = PAGES(0, 0, 0, 0);
    assert_int_equal(look(f, "", none, 4), CODE_UNREADABLE);
    assert_int_equal(look(f, "what\n", none, 4), CODE_UNREADABLE);
    assert_int_equal(look(f, PROGRAM "1000-3000 r-x", none, 4), CODE_UNREADABLE); /* cut */
    assert_int_equal(look(f, PROGRAM "5000-6000 r-xp 0 00:00 2 /gone\n", none, 4), CODE_UNREADABLE);
    assert_int_equal(errno, ENOENT);
    char *text = malloc(ROOM);
    assert_non_null(text);
    size_t n = 0;
    for (int i = 0; i < MANY; i++)
        n += (size_t)snprintf(text + n, ROOM - n, "0-1000 r-xp 0 00:00 1\n");
    assert_int_equal(look(f, text, none, 4), CODE_TOO_MUCH);
    text[(CODE_MAPPINGS_MAX - 1) * (n / MANY)] = '\0';
    assert_int_equal(look(f, text, none, 4), CODE_INTACT);
    assert_int_equal(seen.mappings, CODE_MAPPINGS_MAX - 1);
    n = (size_t)snprintf(text, ROOM, "0-1000 r-xp 0 00:00 1 /");
    memset(text + n, 'x', 60000);
    strcpy(text + n + 60000, "\n");
    assert_int_equal(look(f, text, none, 4), CODE_TOO_MUCH);
    strcpy(text + n + 17000, "\n" PROGRAM);
    assert_int_equal(look(f, text, none, 4), CODE_INTACT);
    free(text);
}

/* Ourselves, whom the kernel tells of. */
struct self {
    int proc;
    struct file_id program;
};

static int open_self(void **state)
{
    static struct self s;
    struct statx st;
    s.proc = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(stat_identity(s.proc, "exe", 0, &st), 0);
    s.program = file_id_of(&st);
    *state = &s;
    return 0;
}

static enum code_answer all_named(void *ctx, int fd, const struct statx *st)
{
    (void)ctx;
    (void)fd;
    return st->stx_nlink > 0 ? CODE_ANSWER_YES : CODE_ANSWER_NO;
}

static enum code look_at_self(const struct self *s)
{
    return code_look(s->proc, &s->program, all_named, NULL, NULL, &seen);
}

static void test_self(void **state)
{
    const struct self *s = *state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    assert_int_equal(look_at_self(s), CODE_INTACT);
    assert_true(seen.mappings >= 3 && seen.pages > 100);

    void *at = mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_int_equal(look_at_self(s), CODE_ANONYMOUS);
    assert_int_equal(seen.start, (uintptr_t)at);
    munmap(at, page);
    assert_int_equal(look_at_self(s), CODE_INTACT);

    CLEAN_FD int memory = memfd_create("evil", MFD_CLOEXEC);
    assert_int_equal(ftruncate(memory, (off_t)page), 0);
    at = mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_SHARED, memory, 0);
    assert_int_equal(look_at_self(s), CODE_UNTRUSTED);
    munmap(at, page);

    CLEAN_FD int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    char *code = mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
    assert_true(code != MAP_FAILED && code[1] == 'E');
    assert_int_equal(look_at_self(s), CODE_INTACT);
    assert_int_equal(mprotect(code, page, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
    assert_int_equal(look_at_self(s), CODE_WRITABLE);
    assert_int_equal(mprotect(code, page, PROT_READ | PROT_WRITE), 0);
    assert_int_equal(look_at_self(s), CODE_INTACT); /* not executable now */
    code[0] = code[0];
    *(volatile char *)code = 'X';
    assert_int_equal(mprotect(code, page, PROT_READ | PROT_EXEC), 0);
    assert_int_equal(look_at_self(s), CODE_MODIFIED);
    assert_int_equal(seen.start, (uintptr_t)code);
    munmap(code, page);
    assert_int_equal(look_at_self(s), CODE_INTACT);

    struct file_id another = s->program;
    another.ino++;
    assert_int_equal(code_look(s->proc, &another, all_named, NULL, NULL, NULL), CODE_FORGED);
}

/* The vdso is the process's own copy as soon as it writes there. */
static void test_vdso(void **state)
{
    const struct self *s = *state;
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    uint64_t start = 0, end = 0;
    while (fgets(line, sizeof line, maps))
        if (strstr(line, "[vdso]"))
            assert_int_equal(sscanf(line, "%lx-%lx", &start, &end), 2);
    fclose(maps);
    if (!start)
        skip();
    pid_t child = fork();
    if (child == 0) {
        volatile char *at = (volatile char *)(end - 1); /* behind its code */
        if (mprotect((void *)start, end - start, PROT_READ | PROT_WRITE) < 0)
            _exit(77);
        *at = *at;
        mprotect((void *)start, end - start, PROT_READ | PROT_EXEC);
        int proc = open("/proc/self", O_RDONLY | O_DIRECTORY);
        enum code found = code_look(proc, &s->program, all_named, NULL, NULL, NULL);
        _exit(found == CODE_MODIFIED ? 0 : 1 + (int)found);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(status, 0);
}

static void test_gone(void **state)
{
    const struct self *s = *state;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    char path[32];
    snprintf(path, sizeof path, "/proc/%d", child);
    CLEAN_FD int proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    siginfo_t info;
    waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
    assert_int_equal(code_look(proc, &s->program, all_named, NULL, NULL, NULL), CODE_UNREADABLE);
    waitpid(child, NULL, 0);
    assert_int_equal(code_look(proc, &s->program, all_named, NULL, NULL, NULL), CODE_UNREADABLE);
}

static void test_words(void **state)
{
    (void)state;
    for (enum code c = 0; c < CODE_COUNT; c++)
        assert_true(strlen(code_words(c)) > 10);
}

int main(void)
{
    if (geteuid() != 0)
        return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test_setup_teardown(test_tables, build, demolish),
        cmocka_unit_test_setup_teardown(test_pages, build, demolish),
        cmocka_unit_test_setup_teardown(test_odd, build, demolish),
        cmocka_unit_test_setup(test_self, open_self),
        cmocka_unit_test_setup(test_vdso, open_self),
        cmocka_unit_test_setup(test_gone, open_self),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
