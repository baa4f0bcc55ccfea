#include "cgroup.h"

#include <sys/statfs.h>

#include "proc.h"
#include "report.h"
#include "sys.h"
#include "text.h"

#define CGROUP2_MAGIC 0x63677270

int cgroup_open(const char *path) {
  struct statfs fs;
  int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail("cgroup", path);
  if (fstatfs(fd, &fs) == 0 && fs.f_type == CGROUP2_MAGIC) return fd;
  close(fd);
  return fail_with(EINVAL, "cgroup", path);
}

static int write_at(int cgroup, const char *file, const char *data, size_t size) {
  int fd = openat(cgroup, file, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t n = write(fd, data, size);
  int err = errno;
  close(fd);
  errno = err;
  return n < 0 ? -1 : 0;
}

int cgroup_move(int cgroup, const char *path, pid_t pid) {
  char buf[24];
  struct text t = text_into(buf, sizeof buf);
  text_num(&t, pid);
  return write_at(cgroup, "cgroup.procs", buf, text_len(&t)) < 0 ? fail("cgroup", path) : 0;
}

int cgroup_enter(const struct spec *spec, uint32_t tag, pid_t pid) {
  char buf[24];
  struct text t = text_into(buf, sizeof buf);
  text_num(&t, pid);
  struct cursor records = spec_records(spec);
  for (const char *path; (path = spec_next_str(&records, tag));)
    if (file_write(path, buf, text_len(&t)) < 0) return fail("cgroup", path);
  return 0;
}

int cgroup_kill(int cgroup) { return write_at(cgroup, "cgroup.kill", "1", 1); }

static bool read_at(int cgroup, const char *file, char *buf, size_t size) {
  int fd = openat(cgroup, file, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);
  if (fd >= 0) close(fd);
  buf[n > 0 ? n : 0] = '\0';
  return n > 0;
}

/* A file of the container's v1 directories: whichever has it. */
static bool read_v1(const struct spec *spec, const char *file, char *buf, size_t size) {
  char dir[4096];
  struct cursor records = spec_records(spec);
  for (const char *path; (path = spec_next_str(&records, REC_CGROUP_PROCS));) {
    const char *slash = strrchr(path, '/');
    struct text t = text_into(dir, sizeof dir);
    text_bytes(&t, path, slash ? (size_t)(slash - path) : 0);
    int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool found = fd >= 0 && read_at(fd, file, buf, size);
    if (fd >= 0) close(fd);
    if (found) return true;
  }
  return false;
}

bool cgroup_frozen(const struct spec *spec, int cgroup) {
  char buf[256];
  if (cgroup >= 0 && read_at(cgroup, "cgroup.events", buf, sizeof buf) && strstr(buf, "frozen 1")) return true;
  return read_v1(spec, "freezer.state", buf, sizeof buf) && strncmp(buf, "THAWED", 6) != 0;
}

/* cgroup-v2.rst, memory.events; on v1 memory.oom_control has the same line (Linux 4.13). */
uint64_t cgroup_oom_kills(const struct spec *spec, int cgroup) {
  char buf[512];
  uint64_t n = 0;
  if (!(cgroup >= 0 && read_at(cgroup, "memory.events", buf, sizeof buf)) && !read_v1(spec, "memory.oom_control", buf, sizeof buf)) return 0;
  const char *at = strstr(buf, "oom_kill ");
  return at && parse_num(at + 9, INT64_MAX, &n) ? n : 0;
}
