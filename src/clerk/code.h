/* `code = intact`: whether a process runs nothing but code of trusted files, unmodified.
 *
 * It tells what is executable in the process now. It does not see: code that comes (or was there and went) between two
 * looks; data that makes honest code do what it was not meant for (return-oriented chains, scripts of an interpreter,
 * plugins that are packaged themselves); what can become executable later. Another thread may change the mappings while
 * they are read: the kernel gives the table in pieces, each of them true for its moment. */
#ifndef FILEWARD_CLERK_CODE_H
#define FILEWARD_CLERK_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/register.h"
#include "clerk/digest.h"

enum {
    CODE_MAPPINGS_MAX = 4096, /* executable ones */
    CODE_TABLE_MAX = 8 << 20, /* bytes of /proc/PID/maps */
    CODE_PAGES_MAX = 1 << 20, /* executable pages looked at: 4 GiB of code */
    CODE_NAME_MAX = 256,      /* of a mapping, for people: escaped by the kernel, cut, not to be trusted */
};

enum code {
    CODE_INTACT,
    CODE_ANONYMOUS,  /* executable memory that is no file: injected, or made by a JIT compiler */
    CODE_UNTRUSTED,  /* a mapped file that is neither trusted nor the program: LD_PRELOAD */
    CODE_WRITABLE,   /* executable and writable at once */
    CODE_MODIFIED,   /* pages that are no longer the file's: patched, a debugger's breakpoint */
    CODE_FORGED,     /* the program is not among the mappings: its exe link is not what it runs */
    CODE_TOO_MUCH,   /* more than the limits above: cannot be told */
    CODE_UNREADABLE, /* gone, or hidden: cannot be told; errno */
    CODE_STOPPED,    /* by the beat or by `trusted`: not known */
    CODE_COUNT,
};

/* One line for people. */
const char *code_words(enum code c);

/* What was found, for records and `explain`: the mapping that decided, "" if none. */
struct code_seen {
    uint64_t start, end;
    size_t mappings; /* executable ones looked at */
    size_t pages;    /* ... and their pages */
    char name[CODE_NAME_MAX];
};

enum code_answer { CODE_ANSWER_NO, CODE_ANSWER_YES, CODE_ANSWER_STOP };
/* Whether a mapped file is trusted. `fd` is an O_PATH descriptor of it, of exactly the inode that is mapped, also where
 * it is deleted or lies in another namespace: what trust_file() takes. `st` is its statx (stat_identity()), so that an
 * earlier answer for the same inode and ctime can be given without looking. A deleted file (st->stx_nlink == 0) has no
 * name by which it could be looked up, and its removal changed the ctime: it is trusted only if it was found so while it
 * had its name, with the same inode and mtime, and is root's still. Once it was found root's, and writable by nobody
 * else, root alone can change it. */
typedef enum code_answer code_trusted(void *ctx, int fd, const struct statx *st);

/* Looks at the process whose /proc/PID directory is `proc`; `program` is the inode of its exe (process_program()). Needs
 * CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH and CAP_CHECKPOINT_RESTORE (the last, kernel 5.9, lets us follow
 * /proc/PID/map_files, the only proof of which inode is mapped; without it CODE_UNREADABLE with EPERM). Allocates nothing.
 * Files of kernel threads and of processes that have ended: CODE_UNREADABLE. `seen` may be NULL. */
enum code code_look(int proc, const struct file_id *program, code_trusted *trusted, clerk_beat *beat, void *ctx,
                    struct code_seen *seen);

/* The parser, for tests: one line of /proc/PID/maps, without its newline. */
struct code_mapping {
    uint64_t start, end, inode;
    bool read, write, exec, shared;
    char name[CODE_NAME_MAX];
};
bool code_mapping(const char *line, size_t len, struct code_mapping *out);

#endif
