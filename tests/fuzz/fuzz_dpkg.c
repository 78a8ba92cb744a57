/* Text of the package database and of /proc/PID/maps: whatever it holds, what is taken from it lies inside it, and what
 * was understood can be written down and read again. */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clerk/code.h"
#include "clerk/dpkg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool b)
{
    if (!b)
        abort();
}

static void require_inside(struct span s, const char *text, size_t size)
{
    require(s.len == 0 || (s.at >= text && s.len <= size && s.at + s.len <= text + size));
}

static void check_lines(const char *text, size_t size)
{
    struct span rest = span_of(text, size), line, name;
    uint8_t md5[DIGEST_MD5_BYTES], again[DIGEST_MD5_BYTES];
    size_t taken = 0;
    while (dpkg_line(&rest, &line)) {
        require_inside(line, text, size);
        require(!memchr(line.at, '\n', line.len));
        taken += line.len + 1;
        require(!dpkg_listed(line) || (line.at[0] == '/' && line.len < PATH_MAX));
        if (!dpkg_checksum(line, md5, &name) || name.len > PATH_MAX)
            continue;
        require_inside(name, text, size);
        require(name.at[0] != '/');
        char out[PATH_MAX + 64];
        size_t n = 0;
        for (size_t i = 0; i < sizeof md5; i++)
            n += (size_t)snprintf(out + n, sizeof out - n, "%02x", md5[i]);
        memcpy(out + n, "  ", 2);
        memcpy(out + n + 2, name.at, name.len);
        struct span name_again;
        require(dpkg_checksum(span_of(out, n + 2 + name.len), again, &name_again));
        require(memcmp(md5, again, sizeof md5) == 0 && span_equal(name, name_again));
    }
    require(taken + rest.len == size && (rest.len == 0 || !memchr(rest.at, '\n', rest.len)));
}

static void check_packages(const char *text, size_t size)
{
    struct span rest = span_of(text, size);
    size_t left = rest.len + 1;
    for (struct dpkg_package p; dpkg_package(&rest, &p); left = rest.len) {
        require(rest.len < left); /* it comes to an end */
        require_inside(p.name, text, size);
        require_inside(p.arch, text, size);
        require(!p.valid || (p.name.len > 0 && !memchr(p.name.at, '/', p.name.len) &&
                             !memchr(p.name.at, '\0', p.name.len) && p.name.at[0] != '.'));
        require(!p.valid || !p.same || (p.arch.len > 0 && !memchr(p.arch.at, '/', p.arch.len)));
    }
    rest = span_of(text, size);
    for (struct dpkg_diversion d; dpkg_diversion(&rest, &d);) {
        require_inside(d.from, text, size);
        require_inside(d.to, text, size);
        require_inside(d.by, text, size);
    }
}

static void check_mapping(const char *text, size_t size)
{
    struct code_mapping m, again;
    struct span rest = span_of(text, size), line;
    while (dpkg_line(&rest, &line)) {
        if (!code_mapping(line.at, line.len, &m))
            continue;
        require(m.start < m.end && memchr(m.name, '\0', sizeof m.name));
        char out[CODE_NAME_MAX + 128];
        int n = snprintf(out, sizeof out, "%llx-%llx %c%c%c%c 0 0:0 %llu %s", (unsigned long long)m.start,
                         (unsigned long long)m.end, m.read ? 'r' : '-', m.write ? 'w' : '-', m.exec ? 'x' : '-',
                         m.shared ? 's' : 'p', (unsigned long long)m.inode, m.name);
        require(code_mapping(out, (size_t)n, &again));
        require(again.start == m.start && again.end == m.end && again.inode == m.inode && again.exec == m.exec &&
                again.write == m.write && again.shared == m.shared && strcmp(again.name, m.name) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_lines((const char *)data, size);
    check_packages((const char *)data, size);
    check_mapping((const char *)data, size);
    return 0;
}
