#include "idmap.h"

#include <signal.h>
#include <sys/wait.h>

#include "proc.h"
#include "report.h"
#include "sys.h"
#include "text.h"

static int write_maps(pid_t pid, const char *uids, const char *gids) {
  if (*uids && proc_write(pid, "uid_map", uids, "uid_map") < 0) return -1;
  if (*gids && proc_write(pid, "gid_map", gids, "gid_map") < 0) return -1;
  return 0;
}

int idmap_write(pid_t pid, const struct spec *s) {
  /* "deny" has to come before gid_map, which fixes it. */
  if (s->deny_setgroups && proc_write(pid, "setgroups", "deny", "setgroups") < 0) return -1;
  return write_maps(pid, s->uid_map, s->gid_map);
}

int idmap_namespace(const char *uid_map, const char *gid_map) {
  char path[32];
  struct clone3_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
  int pair[2], fd = -1;
  if (pipe2(pair, O_CLOEXEC) < 0) return fail("idmap", "pipe");
  pid_t pid = sys_clone3(&args);
  if (pid == 0) {
    /* Until our parent is done, or gone. */
    char end;
    close(pair[1]);
    _exit(read(pair[0], &end, 1) == 0 ? 0 : 1);
  }
  if (pid < 0) (void)fail("idmap", "clone");
  else if (write_maps(pid, uid_map, gid_map) == 0) {
    struct text t = text_into(path, sizeof path);
    text_str(&t, "/proc/");
    text_num(&t, pid);
    text_str(&t, "/ns/user");
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) (void)fail("idmap", path);
  }
  close(pair[0]);
  close(pair[1]);
  while (pid > 0 && waitpid(pid, NULL, __WALL) < 0 && errno == EINTR) continue;
  return fd;
}

/* EINVAL: id 0 is not mapped here, and the process keeps its outer identity. EPERM: setgroups is denied. */
int idmap_become_root(void) {
  if (syscall(SYS_setgroups, 0, NULL) < 0 && errno != EPERM && errno != EINVAL) return fail("setgroups", "0");
  if (syscall(SYS_setresgid, 0, 0, 0) < 0 && errno != EINVAL) return fail("setresgid", "0");
  if (syscall(SYS_setresuid, 0, 0, 0) < 0 && errno != EINVAL) return fail("setresuid", "0");
  return 0;
}

/* Line by line: there may be 340, more than fits a page. */
int64_t idmap_to_host(pid_t pid, const char *map, uint32_t id) {
  char buf[512];
  uint64_t field[3] = {0};
  int at = 0;
  bool in_number = false;
  int64_t host = -1;
  int fd = proc_open(pid, map, O_RDONLY);
  if (fd < 0) return -1;
  for (ssize_t n; host < 0 && (n = read(fd, buf, sizeof buf)) > 0;)
    for (ssize_t i = 0; i < n; i++) {
      if (buf[i] >= '0' && buf[i] <= '9' && at < 3) {
        field[at] = field[at] * 10 + (uint64_t)(buf[i] - '0');
        in_number = true;
        continue;
      }
      if (in_number) at++;
      in_number = false;
      if (buf[i] != '\n') continue;
      if (at == 3 && id >= field[0] && id - field[0] < field[2]) host = (int64_t)(field[1] + (id - field[0]));
      at = 0;
      field[0] = field[1] = field[2] = 0;
    }
  close(fd);
  return host;
}
