/* What is known of the content of files: a table of fixed size. A file is named by inode and ctime, so that one that was
 * changed is another file. Judge and clerk have one each. Nothing here allocates after facts_create(). */
#ifndef FILEWARD_BASE_FACTS_H
#define FILEWARD_BASE_FACTS_H

#include "base/process.h"
#include "fileward/access.h"

struct fact {
    struct file_id id;
    int64_t changed_ns;
    unsigned known; /* ATTR_SHA256, ATTR_TRUST */
    bool packaged;
    struct sha256 sha256;
    uint64_t used; /* 0: free */
};

struct facts;

/* NULL when memory is out, or there is nothing random. */
struct facts *facts_create(void);
void facts_free(struct facts *f);

/* What is known of this file: its line in the table, made if there is none, in the place of one that was not used for
 * long. Holds until the next call. */
struct fact *facts_of(struct facts *f, const struct file_id *id, int64_t changed_ns);

/* Forgets `attributes` of all files. */
void facts_forget(struct facts *f, unsigned attributes);

#endif
