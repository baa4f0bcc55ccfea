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
