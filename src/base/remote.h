/* File systems on which an object cannot be guarded: reading the event would open the file there, and whoever serves it
 * could make the judge wait. */
#ifndef FILEWARD_BASE_REMOTE_H
#define FILEWARD_BASE_REMOTE_H

/* The name of such a file system if `fd` (O_PATH is enough) is on one, else NULL. */
const char *remote_name(int fd);

#endif
