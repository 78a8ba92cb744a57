/* Any log: what `events` and `status` print of it has no control character that it did not put there itself. */
#include <stdlib.h>
#include <string.h>

#include "cli/events.h"
#include "cli/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (((unsigned char)text[i] < ' ' && text[i] != '\n') || text[i] == 0x7f)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = NULL;
    size_t n = 0;
    struct viewer v = {.out = open_memstream(&text, &n), .denied = size & 1, .json = size & 2};
    viewer_line(&v, (const char *)data, size);
    json_t *o = json_loadb((const char *)data, size, 0, NULL);
    status_text(v.out, o);
    json_decref(o);
    fclose(v.out);
    check(text, n);
    free(text);
    return 0;
}
