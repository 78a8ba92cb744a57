#include "base/remote.h"

#include <linux/magic.h>
#include <stddef.h>
#include <sys/vfs.h>

const char *remote_name(int fd)
{
    static const struct {
        unsigned long magic;
        const char *name;
    } kinds[] = {
        {0x65735546, "FUSE"},
        {NFS_SUPER_MAGIC, "NFS"},
        {0xff534d42, "CIFS"},
        {0xfe534d42, "SMB"},
        {SMB_SUPER_MAGIC, "SMB"},
        {V9FS_MAGIC, "9p"},
        {AUTOFS_SUPER_MAGIC, "autofs"},
        {AFS_SUPER_MAGIC, "AFS"},
        {0x5346414f, "AFS"},
        {CEPH_SUPER_MAGIC, "Ceph"},
        {CODA_SUPER_MAGIC, "Coda"},
        {NCP_SUPER_MAGIC, "NCP"},
        {PROC_SUPER_MAGIC, "proc"},
        {SYSFS_MAGIC, "sysfs"},
    };
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0)
        return NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if ((unsigned long)fs.f_type == kinds[i].magic)
            return kinds[i].name;
    return NULL;
}
