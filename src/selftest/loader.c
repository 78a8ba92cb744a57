#include "selftest/loader.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/own.h"
#include "selftest/selftest.h"

const char *loader_path(void)
{
    const ElfW(Phdr) *ph = (const void *)getauxval(AT_PHDR), *interp = NULL;
    uintptr_t bias = 0;
    for (unsigned long i = 0; ph && i < getauxval(AT_PHNUM); i++) {
        if (ph[i].p_type == PT_PHDR)
            bias = (uintptr_t)ph - ph[i].p_vaddr;
        if (ph[i].p_type == PT_INTERP)
            interp = &ph[i];
    }
    return interp ? (const char *)(bias + interp->p_vaddr) : NULL;
}

static bool replace(char *elf, size_t size, const char *loader)
{
    const ElfW(Ehdr) *e = (const void *)elf;
    if (size < sizeof *e || memcmp(e->e_ident, ELFMAG, SELFMAG) != 0 ||
        e->e_phoff + (size_t)e->e_phnum * sizeof(ElfW(Phdr)) > size)
        return false;
    const ElfW(Phdr) *ph = (const void *)(elf + e->e_phoff);
    for (int i = 0; i < e->e_phnum; i++)
        if (ph[i].p_type == PT_INTERP && ph[i].p_offset + ph[i].p_filesz <= size && strlen(loader) < ph[i].p_filesz) {
            strcpy(elf + ph[i].p_offset, loader);
            return true;
        }
    return false;
}

bool loader_replaced(const char *from, const char *to, const char *loader)
{
    struct stat st;
    CLEAN_FD int fd = copy_file(from, to, 0755) ? open(to, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0 || fstat(fd, &st) < 0)
        return false;
    char *elf = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    bool done = elf != MAP_FAILED && replace(elf, (size_t)st.st_size, loader);
    if (elf != MAP_FAILED)
        munmap(elf, (size_t)st.st_size);
    return done;
}

/* The whole library, byte for byte, as the assembler lays it out: one segment, one initialiser. The loader calls that
 * with (argc, argv, envp), before main(). It walks envp to FWOPENS=, opens what stands behind it, and ends.
 * Nothing is linked, so nothing of it needs to be relocated. */
#if defined __x86_64__
#define MACHINE "62"
#define CODE                                                                                                           \
    "1: mov (%rdx), %rsi\n add $8, %rdx\n test %rsi, %rsi\n jz 9f\n"                                                   \
    " movabs $0x3d534e45504f5746, %rax\n cmp %rax, (%rsi)\n jne 1b\n"                                                  \
    " add $8, %rsi\n mov $-100, %edi\n xor %edx, %edx\n mov $257, %eax\n syscall\n"                                    \
    " mov %eax, %edi\n neg %edi\n jns 2f\n xor %edi, %edi\n2: mov $231, %eax\n syscall\n9: ret\n"
#elif defined __aarch64__
#define MACHINE "183"
#define CODE                                                                                                           \
    "1: ldr x1, [x2], #8\n cbz x1, 9f\n ldr x3, =0x3d534e45504f5746\n ldr x4, [x1]\n cmp x3, x4\n b.ne 1b\n"           \
    " add x1, x1, #8\n mov x0, #-100\n mov x2, #0\n mov x8, #56\n svc #0\n"                                            \
    " neg x0, x0\n cmp x0, #0\n csel x0, x0, xzr, gt\n mov x8, #94\n svc #0\n9: ret\n .ltorg\n"
#endif

#ifdef MACHINE
__asm__(".pushsection .rodata\n .balign 8\n"
        "selftest_library:\n"
        " .byte 0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0\n"
        " .short 3, " MACHINE "\n .long 1\n .quad 0, 64, 0\n .long 0\n .short 64, 56, 3, 64, 0, 0\n"
        /* all of it, readable and executable */
        " .long 1, 5\n .quad 0, 0, 0\n .quad selftest_library_end - selftest_library, selftest_library_end - "
        "selftest_library, 4096\n"
        /* the dynamic section; a stack that is not executable */
        " .long 2, 4\n .quad 8f - selftest_library, 8f - selftest_library, 8f - selftest_library, 7f - 8f, 7f - 8f, "
        "8\n"
        " .long 0x6474e551, 6\n .quad 0, 0, 0, 0, 0, 16\n"
        /* DT_INIT, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SYMENT */
        "8: .quad 12, 6f - selftest_library, 4, 5f - selftest_library, 5, 4f - selftest_library\n"
        " .quad 6, 3f - selftest_library, 10, 8, 11, 24, 0, 0\n"
        "7:\n .balign 8\n5: .long 1, 1, 0, 0\n4: .quad 0\n3: .quad 0, 0, 0\n"
        " .balign 16\n6:\n" CODE "selftest_library_end:\n .popsection\n");
extern const char selftest_library[] __attribute__((visibility("hidden")));
extern const char selftest_library_end[] __attribute__((visibility("hidden")));

const void *loader_library(size_t *size)
{
    *size = (size_t)(selftest_library_end - selftest_library);
    return selftest_library;
}
#else
const void *loader_library(size_t *size)
{
    *size = 0;
    return NULL;
}
#endif
