#include "proc.h"

#include <signal.h>
#include <sys/statfs.h>
#include <time.h>

#include "report.h"
#include "sys.h"
#include "text.h"

static void proc_path(char *buf, size_t size, pid_t pid, const char *name) {
  struct text t = text_into(buf, size);
  text_str(&t, "/proc/");
  if (pid > 0) text_num(&t, pid);
  else text_str(&t, "self");
  text_str(&t, "/");
  text_str(&t, name);
}

static int read_proc(pid_t pid, const char *name, char *buf, size_t size) {
  int fd = proc_open(pid, name, O_RDONLY);
  if (fd < 0) return -1;
  ssize_t n = read(fd, buf, size - 1);
  close(fd);
  if (n <= 0) return errno = ESRCH, -1;
  buf[n] = '\0';
  return 0;
}

/* man 5 proc, /proc/pid/stat: the name in field 2 may hold spaces and parentheses, so count from the last ')'. */
static const char *stat_field(const char *stat, int wanted) {
  const char *p = strrchr(stat, ')');
  for (int field = 2; p && field < wanted; field++) {
    p = strchr(p, ' ');
    if (p) p++;
  }
  return p;
}

int proc_start_time(pid_t pid, char *out, size_t size) {
  char buf[1024];
  struct text t = text_into(out, size);
  if (read_proc(pid, "stat", buf, sizeof buf) < 0) return -1;
  const char *p = stat_field(buf, 22);
  if (!p) return errno = EINVAL, -1;
  while (*p >= '0' && *p <= '9') text_bytes(&t, p++, 1);
  return 0;
}

/* man 5 proc: clock ticks since boot, which on both machines are 100 a second in what user space sees. */
int64_t proc_age_ms(const char *start_time) {
  struct timespec t;
  uint64_t ticks;
  if (!parse_num(start_time, INT64_MAX / 10, &ticks) || clock_gettime(CLOCK_BOOTTIME, &t) < 0) return 0;
  int64_t age = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 - (int64_t)ticks * 10;
  return age > 0 ? age : 0;
}

bool proc_zombie_status(pid_t pid, const char *start, int *status) {
  char buf[1024];
  uint64_t n;
  size_t length = strlen(start);
  if (read_proc(pid, "stat", buf, sizeof buf) < 0) return false;
  const char *state = stat_field(buf, 3), *started = stat_field(buf, 22), *code = stat_field(buf, 52);
  if (!state || *state != 'Z' || !started || strncmp(started, start, length) != 0 || started[length] != ' ') return false;
  if (!code || !parse_num(code, INT32_MAX, &n)) return false;
  *status = (int)n;
  return true;
}

/* Whether a mask line of /proc/PID/status ('SigCgt:\t000…', man 5 proc) has the signal's bit. */
static bool in_mask(const char *status, const char *key, int signal) {
  const char *p = strstr(status, key);
  if (!p) return true;
  uint64_t mask = 0;
  for (p += strlen(key); *p == ' ' || *p == '\t'; p++) continue;
  for (; (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'f'); p++) {
    mask = mask << 4 | (uint64_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
  }
  return (mask >> (signal - 1) & 1) != 0;
}

bool proc_drops_signal(pid_t pid, int signal) {
  char buf[4096];
  if (signal == SIGKILL || signal == SIGSTOP || read_proc(pid, "status", buf, sizeof buf) < 0) return false;
  const char *ids = strstr(buf, "\nNSpid:");
  const char *end = ids ? strchr(ids + 1, '\n') : NULL;
  /* The last of the ids is the innermost one; '\t1' at the line's end is the first process there. */
  bool first = end && end - ids > 3 && end[-1] == '1' && end[-2] == '\t';
  return first && !in_mask(buf, "\nSigCgt:", signal) && !in_mask(buf, "\nSigBlk:", signal);
}

/* A decoy mounted over /proc would swallow the write, and with it a limit that is believed to be set. */
int proc_open(pid_t pid, const char *name, int flags) {
  char path[64];
  struct statfs fs;
  proc_path(path, sizeof path, pid, name);
  int fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return -1;
  if (fstatfs(fd, &fs) == 0 && fs.f_type == PROC_MAGIC_) return fd;
  close(fd);
  errno = EXDEV;
  return -1;
}

int proc_write(pid_t pid, const char *name, const char *data, const char *step) {
  char path[64];
  proc_path(path, sizeof path, pid, name);
  int fd = proc_open(pid, name, O_WRONLY);
  if (fd < 0) return fail(step, path);
  ssize_t n = write(fd, data, strlen(data));
  int err = errno;
  close(fd);
  return n < 0 ? fail_with(err, step, path) : 0;
}

int file_write(const char *path, const char *data, size_t size) {
  int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return -1;
  ssize_t n = write(fd, data, size);
  int err = errno;
  close(fd);
  errno = err;
  return n < 0 ? -1 : 0;
}
