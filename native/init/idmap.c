#include "idmap.h"


#include "proc.h"
#include "report.h"
#include "sys.h"
#include "text.h"

int idmap_write(pid_t pid, const struct spec *s) {
  /* "deny" has to come before gid_map, which fixes it. */
  if (s->deny_setgroups && proc_write(pid, "setgroups", "deny", "setgroups") < 0) return -1;
  if (*s->uid_map && proc_write(pid, "uid_map", s->uid_map, "uid_map") < 0) return -1;
  if (*s->gid_map && proc_write(pid, "gid_map", s->gid_map, "gid_map") < 0) return -1;
  return 0;
}

/* EINVAL: id 0 is not mapped here, and the process keeps its outer identity. EPERM: setgroups is denied. */
int idmap_become_root(void) {
  if (syscall(SYS_setgroups, 0, NULL) < 0 && errno != EPERM && errno != EINVAL) return fail("setgroups", "0");
  if (syscall(SYS_setresgid, 0, 0, 0) < 0 && errno != EINVAL) return fail("setresgid", "0");
  if (syscall(SYS_setresuid, 0, 0, 0) < 0 && errno != EINVAL) return fail("setresuid", "0");
  return 0;
}

int64_t idmap_to_host(pid_t pid, const char *map, uint32_t id) {
  char buf[4096];
  int fd = proc_open(pid, map, O_RDONLY);
  if (fd < 0) return -1;
  ssize_t n = read(fd, buf, sizeof buf - 1);
  close(fd);
  if (n <= 0) return -1;
  buf[n] = '\0';
  for (const char *p = buf; *p;) {
    uint64_t field[3];
    for (int i = 0; i < 3; i++) {
      while (*p == ' ' || *p == '\n') p++;
      if (!(p = parse_num(p, UINT32_MAX, &field[i]))) return -1;
    }
    if (id >= field[0] && id - field[0] < field[2]) return (int64_t)(field[1] + (id - field[0]));
    while (*p == '\n' || *p == ' ') p++;
  }
  return -1;
}
