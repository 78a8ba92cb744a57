/* Kernel interfaces that are younger than the headers of the distributions we build on. Values from the kernel's uapi
 * headers; each is probed at run time, never assumed. */
#ifndef FILEWARD_BASE_KERNEL_H
#define FILEWARD_BASE_KERNEL_H

#include <linux/types.h>
#include <sys/ioctl.h>

/* linux/pidfd.h, 6.13. The size is part of the request; later kernels accept this first size. */
struct kernel_pidfd_info {
    __u64 mask;
    __u64 cgroupid;
    __u32 pid, tgid, ppid;
    __u32 ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    __s32 exit_code;
};
_Static_assert(sizeof(struct kernel_pidfd_info) == 64, "PIDFD_INFO_SIZE_VER0");
#define KERNEL_PIDFD_GET_INFO      _IOWR(0xFF, 11, struct kernel_pidfd_info)
#define KERNEL_PIDFD_INFO_PID      (1u << 0)
#define KERNEL_PIDFD_INFO_CREDS    (1u << 1)
#define KERNEL_PIDFD_INFO_CGROUPID (1u << 2)
#define KERNEL_PIDFD_THREAD        O_EXCL     /* pidfd_open(2), 6.9 */
#define KERNEL_PIDFS_MAGIC         0x50494446 /* statfs f_type of a pidfd, 6.9: its inode number is never reused */

/* fanotify_mark(2): the flags by which the judge leaves an inode out, and the scout takes it in again. ADD or REMOVE,
 * IGNORED_SURV_MODIFY, EVICTABLE (5.19), and IGNORE (6.0) or the older IGNORED_MASK, by which a removal does for both. The
 * mask is OPEN_PERM | OPEN_EXEC_PERM | ACCESS_PERM, of a directory itself ONDIR too. */
#define KERNEL_LEAVE_OUT            (0x1 | 0x40 | 0x200 | 0x400)
#define KERNEL_LEAVE_OUT_BEFORE_6_0 (0x1 | 0x40 | 0x200 | 0x20)
#define KERNEL_TAKE_IN              (0x2 | 0x40 | 0x20)
#define KERNEL_LEAVE_OUT_MASK       (0x10000 | 0x20000 | 0x40000 | 0x40000000)

/* linux/stat.h, 6.8: stx_mnt_id is a number that no other mount gets. Asked for and told by this bit. */
#define KERNEL_STATX_MNT_ID_UNIQUE 0x4000u

/* linux/fanotify.h, 6.14: reading, writing, mapping and truncation are about to happen; in pre-content groups, on ext4, xfs
 * and btrfs. */
#define KERNEL_FAN_PRE_ACCESS 0x00100000

#endif
