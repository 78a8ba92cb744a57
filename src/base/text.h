/* Hostile bytes made safe to show: names, command names, anything that a process or a file system gave us. */
#ifndef FILEWARD_BASE_TEXT_H
#define FILEWARD_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Bytes of `out` that hold any result for `n` bytes of input, with the closing NUL. */
#define TEXT_ESCAPE_SIZE(n) (4 * (n) + 1)
#define TEXT_UTF8_SIZE(n)   (3 * (n) + 1)
#define TEXT_HEX_SIZE(n)    (2 * (n) + 1)

/* All three write a NUL-terminated string to `out`, of at most out_size - 1 bytes, cut before the first character that
 * does not fit whole. They return the length written; it is 0 and nothing is written when out_size is 0.
 * `out` and `in` must not overlap. */

/* For a terminal or a plain log: valid UTF-8 that is seen where it stands is kept; a backslash becomes \\, newline,
 * tab and return \n \t \r, and every byte of control characters (C0, DEL, C1), of characters that turn or hide text
 * (bidirectional controls, zero width, line separators, tags, byte order mark), of unassigned noncharacters and of
 * invalid UTF-8 becomes \xHH. */
size_t text_escape(char *out, size_t out_size, const char *in, size_t in_len);

/* Prints `in` so escaped. */
void text_print(FILE *out, const char *in);

/* For JSON: each byte that is not part of valid UTF-8, and NUL, becomes U+FFFD. *changed (may be NULL) is set to
 * whether that happened. Control characters stay: escaping them is the JSON writer's work. */
size_t text_utf8(char *out, size_t out_size, const char *in, size_t in_len, bool *changed);

/* Two lower-case hexadecimal digits for each byte. */
size_t text_hex(char *out, size_t out_size, const char *in, size_t in_len);

#endif
