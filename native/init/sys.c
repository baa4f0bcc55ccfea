#include "sys.h"

#include <sys/signalfd.h>

/* man 2 clone3: without a stack the child goes on at this point, as after fork(2). */
pid_t sys_clone3(struct clone3_args *args) { return (pid_t)syscall(SYS_clone3, args, sizeof *args); }

/* man 2 openat2 */
int sys_openat2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
  struct openat2_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
  return (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}

/* man 2 close_range */
int sys_close_range(unsigned first, unsigned last, unsigned flags) {
  return (int)syscall(SYS_close_range, first, last, flags);
}

/* man 2 pidfd_open */
int sys_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

/* man 2 pidfd_send_signal */
int sys_pidfd_send_signal(int pidfd, int signal) {
  return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

/* man 2 getcwd, "C library/kernel differences" */
int sys_getcwd(char *buf, size_t size) { return (int)syscall(SYS_getcwd, buf, size); }

/* man 2 pivot_root */
int sys_pivot_root(const char *new_root, const char *put_old) {
  return (int)syscall(SYS_pivot_root, new_root, put_old);
}

pid_t sys_getpid(void) { return (pid_t)syscall(SYS_getpid); }

void sys_sigmask(uint64_t mask) { (void)syscall(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &mask, NULL, sizeof mask); }

int sys_signalfd(uint64_t mask) {
  return (int)syscall(SYS_signalfd4, -1, &mask, sizeof mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

void sys_default(int signal, bool ignore) {
  /* handler (SIG_DFL 0, SIG_IGN 1), flags, restorer, mask */
  uint64_t action[4] = {ignore ? 1 : 0, 0, 0, 0};
  (void)syscall(SYS_rt_sigaction, signal, action, NULL, sizeof(uint64_t));
}
