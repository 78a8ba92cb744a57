/* Room for any file's handle (name_to_handle_at(2)). */
#ifndef FILEWARD_BASE_HANDLE_H
#define FILEWARD_BASE_HANDLE_H

#include <fcntl.h>

union any_handle {
    struct file_handle h;
    unsigned char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

#endif
