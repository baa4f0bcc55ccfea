/*
 * System calls, constants and structures that the C library of a long-lived distribution does not have yet.
 *
 * Everything here is a plain face of syscall(2); numbers are those of the unified table (Linux 5.1+), the same on
 * x86_64 and aarch64.
 */
#ifndef TSBOX_SYS_H
#define TSBOX_SYS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* clone3(2). */
struct clone3_args {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
pid_t sys_clone3(struct clone3_args *args);

/* openat2(2). */
struct openat2_how {
  uint64_t flags, mode, resolve;
};
#define RESOLVE_NO_XDEV_ 0x01
#define RESOLVE_NO_MAGICLINKS_ 0x02
#define RESOLVE_NO_SYMLINKS_ 0x04
#define RESOLVE_BENEATH_ 0x08
#define RESOLVE_IN_ROOT_ 0x10
int sys_openat2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);

/* move_mount(2), Linux 6.5; statx(2), Linux 5.8. */
#define MOVE_MOUNT_BENEATH_ 0x200
#define STATX_MNT_ID_ 0x1000

/* close_range(2). */
#define CLOSE_RANGE_CLOEXEC_ (1U << 2)
int sys_close_range(unsigned first, unsigned last, unsigned flags);

int sys_pidfd_open(pid_t pid);
int sys_pidfd_send_signal(int pidfd, int signal);
/* getcwd(2) itself: the library's own falls back to walking the tree when the answer is "(unreachable)". */
int sys_getcwd(char *buf, size_t size);
int sys_pivot_root(const char *new_root, const char *put_old);

/* ioctl_nsfs(2); statfs(2) magics. */
#define NS_GET_USERNS_ 0xb701
#define NS_GET_NSTYPE_ 0xb703
#define NS_GET_OWNER_UID_ 0xb704
#define NSFS_MAGIC_ 0x6e736673
#define PROC_MAGIC_ 0x9fa0
#define DEVPTS_MAGIC_ 0x1cd1

/* ioctl(PIDFD_GET_INFO), Linux 6.13; the exit code came with 6.15. */
struct pidfd_info_ {
  uint64_t mask, cgroupid;
  uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  int32_t exit_code;
};
#define PIDFD_GET_INFO_ _IOWR(0xff, 11, struct pidfd_info_)
#define PIDFD_INFO_EXIT_ (1ULL << 3)

pid_t sys_getpid(void);

/* Signals as the kernel takes them: bit n-1 of a mask is signal n. man 2 rt_sigprocmask, signalfd4, rt_sigaction */
#define SIGNAL_BIT(n) (1ULL << ((n) - 1))
void sys_sigmask(uint64_t mask);
int sys_signalfd(uint64_t mask);
void sys_default(int signal, bool ignore);

/* The kernel's 32-bit dev_t encoding, as in linux/kdev_t.h's new_encode_dev. */
#define DEV_MAJOR(dev) ((unsigned)((dev) >> 8 & 0xfff))
#define DEV_MINOR(dev) ((unsigned)(((dev) & 0xff) | ((dev) >> 12 & 0xfff00)))
#define DEV_MAKE(major, minor) ((dev_t)(((minor) & 0xff) | (uint64_t)(major) << 8 | ((uint64_t)(minor) & 0xfff00) << 12))

#endif
