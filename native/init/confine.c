#include "confine.h"

#include <sys/prctl.h>
#include <sys/statfs.h>

#include "report.h"
#include "sys.h"
#include "text.h"

/* linux/prctl.h, Linux 5.14; the scope is one thread. */
#define PR_SCHED_CORE_ 62
#define SCHED_CORE_CREATE 1
#define SCHED_CORE_SHARE_FROM 3
/* fs/proc/root.c: inode of procfs's own root. */
#define PROC_ROOT_INO 1

bool decode_label(struct cursor p) {
  const char *s;
  return cursor_str(&p, &s) && cursor_str(&p, &s) && p.at == p.end;
}

bool decode_memory_policy(struct cursor p) {
  uint32_t mode;
  size_t n;
  return cursor_u32(&p, &mode) && (n = (size_t)(p.end - p.at)) % 8 == 0 && n <= 128;
}

/* Our own attr/NAME on a procfs that nothing is mounted in: what is written there must reach the kernel. */
static int attr_open(const char *name) {
  char self[16], path[64];
  struct statfs fs;
  struct stat st;
  int fd = -1, proc = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (proc < 0) return -1;
  if (fstatfs(proc, &fs) < 0 || fstat(proc, &st) < 0 || fs.f_type != PROC_MAGIC_ || st.st_ino != PROC_ROOT_INO) errno = EXDEV;
  else {
    ssize_t n = syscall(SYS_readlinkat, proc, "self", self, sizeof self - 1);
    if (n > 0) {
      self[n] = '\0';
      struct text t = text_into(path, sizeof path);
      text_str(&t, self);
      text_str(&t, "/attr/");
      text_str(&t, name);
      fd = sys_openat2(proc, path, O_WRONLY | O_CLOEXEC, 0, RESOLVE_BENEATH_ | RESOLVE_NO_XDEV_ | RESOLVE_NO_SYMLINKS_);
    }
  }
  int err = errno;
  close(proc);
  return errno = err, fd;
}

static int ask_for(const char *name, const char *label) {
  int fd = attr_open(name);
  if (fd < 0) return fail("label", name);
  ssize_t n = write(fd, label, strlen(label));
  int err = errno;
  close(fd);
  return n < 0 ? fail_with(err, "label", label) : 0;
}

static int memory_policy(struct cursor p) {
  uint64_t nodes[16];
  uint32_t mode;
  (void)cursor_u32(&p, &mode);
  size_t n = (size_t)(p.end - p.at);
  memset(nodes, 0, sizeof nodes);
  memcpy(nodes, p.at, n);
  /* The kernel takes one bit less than it is told of. */
  long result = syscall(SYS_set_mempolicy, mode, n ? nodes : NULL, n ? 8 * n + 1 : 0);
  return result < 0 ? fail("memory_policy", "") : 0;
}

int confine(const struct spec *spec) {
  struct cursor records = spec_records(spec), p;
  while (spec_next(&records, REC_LSM_LABEL, &p)) {
    const char *name = "", *label = "";
    (void)cursor_str(&p, &name);
    (void)cursor_str(&p, &label);
    if (ask_for(name, label) < 0) return -1;
  }
  records = spec_records(spec);
  if (spec_next(&records, REC_MEMORY_POLICY, &p) && memory_policy(p) < 0) return -1;
  if (spec->core_group == CORE_OWN && prctl(PR_SCHED_CORE_, SCHED_CORE_CREATE, 0, 0, 0) < 0) return fail("core_sched", "");
  return 0;
}

int confine_join_core(const struct spec *spec) {
  if (spec->core_group == CORE_SHARED || spec->core_group == CORE_OWN) return 0;
  return prctl(PR_SCHED_CORE_, SCHED_CORE_SHARE_FROM, spec->core_group, 0, 0) < 0 ? fail("core_sched", "") : 0;
}
