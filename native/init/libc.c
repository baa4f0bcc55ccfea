/*
 * The few functions of a C library that are used here, and the entry point.
 *
 * There is one supervisor per container, so its memory counts: a static glibc brings 0.6 MB of locale, stdio and
 * start-up code, of which nothing here has a use. Declarations come from the system's headers; the structures passed
 * are those where the kernel's layout and the headers' agree (x86_64 and aarch64), or sys.h's own.
 */
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>

#include "sys.h"

#if !defined(__x86_64__) && !defined(__aarch64__)
#error "tsbox-init knows x86_64 and aarch64"
#endif

#undef errno
static int error_number;
/* What errno is made of: glibc's and musl's names. */
int *__errno_location(void) { return &error_number; }
int *___errno_location(void) { return &error_number; }

/* man 2 syscall, "Architecture calling conventions". */
static long raw(long n, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return result;
#else
  register long x8 __asm__("x8") = n;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
#endif
}

static long call(long n, long a, long b, long c, long d, long e, long f) {
  long result = raw(n, a, b, c, d, e, f);
  if (result >= 0 || result < -4095) return result;
  error_number = (int)-result;
  return -1;
}

#define P(x) ((long)(uintptr_t)(x))

long syscall(long n, ...) {
  long a[6];
  va_list list;
  va_start(list, n);
  for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
  va_end(list);
  return call(n, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* The stack on entry: argc, argv…, NULL, envp…, NULL, auxv (System V ABI, "Process Initialization"). */
int main(int argc, char **argv, char **env);
__attribute__((used, noreturn)) static void start(long *stack) {
  char **argv = (char **)(stack + 1);
  _exit(main((int)stack[0], argv, argv + stack[0] + 1));
}
#if defined(__x86_64__)
__asm__(".text\n.globl _start\n_start:\n xor %ebp,%ebp\n mov %rsp,%rdi\n and $-16,%rsp\n call start\n");
#else
__asm__(".text\n.globl _start\n_start:\n mov x29,#0\n mov x30,#0\n mov x0,sp\n and sp,x0,#-16\n bl start\n");
#endif

/* Memory and strings. The compiler must not turn the loops back into calls of themselves: -fno-builtin. */
void *memcpy(void *restrict to, const void *restrict from, size_t n) {
#if defined(__x86_64__)
  void *at = to;
  __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
#else
  for (size_t i = 0; i < n; i++) ((char *)to)[i] = ((const char *)from)[i];
#endif
  return to;
}

void *memmove(void *to, const void *from, size_t n) {
  char *t = to;
  const char *f = from;
  if (t <= f || t >= f + n) return memcpy(to, from, n);
  while (n-- > 0) t[n] = f[n];
  return to;
}

void *memset(void *to, int byte, size_t n) {
  for (size_t i = 0; i < n; i++) ((char *)to)[i] = (char)byte;
  return to;
}

int memcmp(const void *a, const void *b, size_t n) {
  const unsigned char *x = a, *y = b;
  for (size_t i = 0; i < n; i++)
    if (x[i] != y[i]) return x[i] - y[i];
  return 0;
}

void *memchr(const void *s, int byte, size_t n) {
  const unsigned char *at = s;
  for (size_t i = 0; i < n; i++)
    if (at[i] == (unsigned char)byte) return (void *)(uintptr_t)(at + i);
  return NULL;
}

size_t strlen(const char *s) {
  size_t n = 0;
  while (s[n]) n++;
  return n;
}

int strncmp(const char *a, const char *b, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (a[i] != b[i] || !a[i]) return (unsigned char)a[i] - (unsigned char)b[i];
  return 0;
}

int strcmp(const char *a, const char *b) { return strncmp(a, b, SIZE_MAX); }

char *strchr(const char *s, int c) {
  for (;; s++) {
    if (*s == (char)c) return (char *)(uintptr_t)s;
    if (!*s) return NULL;
  }
}

char *strrchr(const char *s, int c) {
  const char *found = NULL;
  for (;; s++) {
    if (*s == (char)c) found = s;
    if (!*s) return (char *)(uintptr_t)found;
  }
}

char *strstr(const char *s, const char *what) {
  size_t n = strlen(what);
  for (; *s; s++)
    if (strncmp(s, what, n) == 0) return (char *)(uintptr_t)s;
  return NULL;
}

/* System calls: man 2 of the same name. */
void _exit(int code) {
  for (;;) raw(SYS_exit_group, code, 0, 0, 0, 0, 0);
}
int open(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  long mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
  va_end(list);
  return (int)call(SYS_openat, AT_FDCWD, P(path), flags, mode, 0, 0);
}
int openat(int dir, const char *path, int flags, ...) { return (int)call(SYS_openat, dir, P(path), flags, 0, 0, 0); }
int close(int fd) { return (int)call(SYS_close, fd, 0, 0, 0, 0, 0); }
ssize_t read(int fd, void *buf, size_t n) { return call(SYS_read, fd, P(buf), (long)n, 0, 0, 0); }
ssize_t write(int fd, const void *buf, size_t n) { return call(SYS_write, fd, P(buf), (long)n, 0, 0, 0); }
int pipe2(int ends[2], int flags) { return (int)call(SYS_pipe2, P(ends), flags, 0, 0, 0, 0); }
int dup2(int from, int to) { return from == to ? to : (int)call(SYS_dup3, from, to, 0, 0, 0, 0); }
int fcntl(int fd, int what, ...) {
  va_list list;
  va_start(list, what);
  long arg = va_arg(list, long);
  va_end(list);
  return (int)call(SYS_fcntl, fd, what, arg, 0, 0, 0);
}
int ioctl(int fd, unsigned long what, ...) {
  va_list list;
  va_start(list, what);
  long arg = va_arg(list, long);
  va_end(list);
  return (int)call(SYS_ioctl, fd, (long)what, arg, 0, 0, 0);
}
int stat(const char *path, struct stat *st) { return (int)call(SYS_newfstatat, AT_FDCWD, P(path), P(st), 0, 0, 0); }
int fstat(int fd, struct stat *st) { return (int)call(SYS_fstat, fd, P(st), 0, 0, 0, 0); }
int fstatat(int dir, const char *path, struct stat *st, int flags) {
  return (int)call(SYS_newfstatat, dir, P(path), P(st), flags, 0, 0);
}
int fstatfs(int fd, struct statfs *fs) { return (int)call(SYS_fstatfs, fd, P(fs), 0, 0, 0, 0); }
int ftruncate(int fd, off_t size) { return (int)call(SYS_ftruncate, fd, size, 0, 0, 0, 0); }
int fchown(int fd, uid_t uid, gid_t gid) { return (int)call(SYS_fchown, fd, uid, gid, 0, 0, 0); }
int chown(const char *path, uid_t uid, gid_t gid) { return (int)call(SYS_fchownat, AT_FDCWD, P(path), uid, gid, 0, 0); }
int chmod(const char *path, mode_t mode) { return (int)call(SYS_fchmodat, AT_FDCWD, P(path), mode, 0, 0, 0); }
int mkdir(const char *path, mode_t mode) { return (int)call(SYS_mkdirat, AT_FDCWD, P(path), mode, 0, 0, 0); }
int mkdirat(int dir, const char *path, mode_t mode) { return (int)call(SYS_mkdirat, dir, P(path), mode, 0, 0, 0); }
int mknodat(int dir, const char *path, mode_t mode, dev_t dev) {
  return (int)call(SYS_mknodat, dir, P(path), mode, (long)dev, 0, 0);
}
int symlinkat(const char *to, int dir, const char *path) { return (int)call(SYS_symlinkat, P(to), dir, P(path), 0, 0, 0); }
ssize_t readlinkat(int dir, const char *restrict path, char *restrict buf, size_t n) {
  return call(SYS_readlinkat, dir, P(path), P(buf), (long)n, 0, 0);
}
int rename(const char *from, const char *to) {
  return (int)call(SYS_renameat2, AT_FDCWD, P(from), AT_FDCWD, P(to), 0, 0);
}
int chdir(const char *path) { return (int)call(SYS_chdir, P(path), 0, 0, 0, 0, 0); }
int chroot(const char *path) { return (int)call(SYS_chroot, P(path), 0, 0, 0, 0, 0); }
int fchdir(int fd) { return (int)call(SYS_fchdir, fd, 0, 0, 0, 0, 0); }
mode_t umask(mode_t mask) { return (mode_t)call(SYS_umask, mask, 0, 0, 0, 0, 0); }
int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data) {
  return (int)call(SYS_mount, P(source), P(target), P(type), (long)flags, P(data), 0);
}
int umount2(const char *target, int flags) { return (int)call(SYS_umount2, P(target), flags, 0, 0, 0, 0); }
ssize_t fgetxattr(int fd, const char *name, void *value, size_t n) { return call(SYS_fgetxattr, fd, P(name), P(value), (long)n, 0, 0); }
int fsetxattr(int fd, const char *name, const void *value, size_t n, int flags) {
  return (int)call(SYS_fsetxattr, fd, P(name), P(value), (long)n, flags, 0);
}
void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset) {
  return (void *)call(SYS_mmap, P(at), (long)n, protection, flags, fd, offset);
}

int munmap(void *at, size_t n) { return (int)call(SYS_munmap, P(at), (long)n, 0, 0, 0, 0); }
int unlink(const char *path) { return (int)call(SYS_unlinkat, AT_FDCWD, P(path), 0, 0, 0, 0); }

int execve(const char *path, char *const argv[], char *const env[]) {
  return (int)call(SYS_execve, P(path), P(argv), P(env), 0, 0, 0);
}
int kill(pid_t pid, int n) { return (int)call(SYS_kill, pid, n, 0, 0, 0, 0); }
int pause(void) { return (int)call(SYS_ppoll, 0, 0, 0, 0, 0, 0); }
pid_t setsid(void) { return (pid_t)call(SYS_setsid, 0, 0, 0, 0, 0, 0); }
pid_t waitpid(pid_t pid, int *status, int options) { return (pid_t)call(SYS_wait4, pid, P(status), options, 0, 0, 0); }
int prctl(int what, ...) {
  va_list list;
  long a[4];
  va_start(list, what);
  for (int i = 0; i < 4; i++) a[i] = va_arg(list, long);
  va_end(list);
  return (int)call(SYS_prctl, what, a[0], a[1], a[2], a[3], 0);
}
int unshare(int flags) { return (int)call(SYS_unshare, flags, 0, 0, 0, 0, 0); }
int setns(int fd, int type) { return (int)call(SYS_setns, fd, type, 0, 0, 0, 0); }
int sethostname(const char *name, size_t n) { return (int)call(SYS_sethostname, P(name), (long)n, 0, 0, 0, 0); }
int setdomainname(const char *name, size_t n) { return (int)call(SYS_setdomainname, P(name), (long)n, 0, 0, 0, 0); }
int uname(struct utsname *names) { return (int)call(SYS_uname, P(names), 0, 0, 0, 0, 0); }
int clock_gettime(clockid_t clock, struct timespec *t) { return (int)call(SYS_clock_gettime, clock, P(t), 0, 0, 0, 0); }

int poll(struct pollfd *fds, nfds_t n, int timeout) {
  struct timespec t = {timeout / 1000, timeout % 1000 * 1000000L};
  return (int)call(SYS_ppoll, P(fds), (long)n, timeout < 0 ? 0 : P(&t), 0, 8, 0);
}
int socket(int domain, int type, int protocol) { return (int)call(SYS_socket, domain, type, protocol, 0, 0, 0); }
int socketpair(int domain, int type, int protocol, int pair[2]) {
  return (int)call(SYS_socketpair, domain, type, protocol, P(pair), 0, 0);
}
ssize_t send(int fd, const void *buf, size_t n, int flags) { return call(SYS_sendto, fd, P(buf), (long)n, flags, 0, 0); }
ssize_t sendmsg(int fd, const struct msghdr *h, int flags) { return call(SYS_sendmsg, fd, P(h), flags, 0, 0, 0); }
ssize_t recvmsg(int fd, struct msghdr *h, int flags) { return call(SYS_recvmsg, fd, P(h), flags, 0, 0, 0); }
int bind(int fd, const struct sockaddr *to, socklen_t n) { return (int)call(SYS_bind, fd, P(to), n, 0, 0, 0); }
int listen(int fd, int n) { return (int)call(SYS_listen, fd, n, 0, 0, 0, 0); }
int accept4(int fd, struct sockaddr *restrict from, socklen_t *restrict n, int flags) {
  return (int)call(SYS_accept4, fd, P(from), P(n), flags, 0, 0);
}
ssize_t recv(int fd, void *buf, size_t n, int flags) { return call(SYS_recvfrom, fd, P(buf), (long)n, flags, 0, 0); }
int connect(int fd, const struct sockaddr *to, socklen_t n) { return (int)call(SYS_connect, fd, P(to), n, 0, 0, 0); }
int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict n) {
  return (int)call(SYS_getsockopt, fd, level, name, P(value), P(n), 0);
}
