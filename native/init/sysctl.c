#include "sysctl.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "idmap.h"
#include "mounts.h"
#include "namespaces.h"
#include "report.h"
#include "sys.h"
#include "text.h"

/* A procfs of our own, mounted nowhere. */
static int private_proc(void) {
  int fd = mount_new("proc", (struct cursor){0}, 0, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, NULL);
  return fd < 0 ? fail("sysctl", "procfs") : fd;
}

/* Only plain files of that one procfs: no link and no mount leads elsewhere. */
static int open_key(int proc, const char *key, int flags) {
  char path[512];
  struct text t = text_into(path, sizeof path);
  text_str(&t, "sys/");
  text_str(&t, key);
  if (t.at == t.end) return errno = ENAMETOOLONG, -1;
  return sys_openat2(proc, path, (uint64_t)(flags | O_NOCTTY), 0,
                     RESOLVE_NO_XDEV_ | RESOLVE_NO_MAGICLINKS_ | RESOLVE_NO_SYMLINKS_ | RESOLVE_BENEATH_);
}

static int write_key(int proc, const char *key, const char *value) {
  int fd = open_key(proc, key, O_WRONLY);
  if (fd < 0) return fail("sysctl", key);
  ssize_t n = write(fd, value, strlen(value));
  int err = errno;
  close(fd);
  return n < 0 ? fail_with(err, "sysctl", key) : 0;
}

typedef int (*inside_fn)(int proc, const void *what);

/* Ids in a value are those of the user namespace that owns the other. EINVAL: that is ours. */
static int become_owner(int ns) {
  int owner = ioctl(ns, NS_GET_USERNS_);
  if (owner < 0) return errno == EPERM ? 0 : fail("join", "owner");
  int entered = setns(owner, CLONE_NEWUSER), err = errno;
  close(owner);
  if (entered < 0) return err == EINVAL ? 0 : fail_with(err, "join", "owner");
  return idmap_become_root();
}

static int enter(uint32_t type, int ns, bool as_owner) {
  if ((ns < 0 ? unshare((int)ns_flag(type)) : setns(ns, (int)ns_flag(type))) < 0) return fail("join", ns_names[type]);
  return ns >= 0 && as_owner && type != NS_USER ? become_owner(ns) : 0;
}

/* Runs in a process of its own: entering another user namespace changes one for good. */
static int inside(int proc, uint32_t type, int ns, bool as_owner, inside_fn run, const void *what) {
  int pair[2], status = 0;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return fail("socketpair", "");
  struct clone3_args args = {.exit_signal = SIGCHLD};
  pid_t pid = sys_clone3(&args);
  if (pid == 0) {
    if (enter(type, ns, as_owner) == 0 && run(proc, what) == 0) _exit(0);
    message_send_fault(pair[1]);
    _exit(1);
  }
  int result = pid < 0 ? fail("clone", "") : 0;
  close(pair[1]);
  if (result == 0) {
    struct message m;
    if (message_receive(pair[0], &m, NULL) == 1 && m.kind == MSG_FAULT) fault = m.fault, result = -1;
    while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR) continue;
    if (result == 0 && status != 0) result = fail_with(ECHILD, "sysctl", ns_names[type]);
  }
  close(pair[0]);
  return result;
}

/* Older kernels let only the host's root set the limits of message queues. */
static int write_inside(int proc, uint32_t type, int ns, inside_fn run, const void *what) {
  int result = inside(proc, type, ns, true, run, what);
  return result < 0 && fault.err == EACCES ? inside(proc, type, ns, false, run, what) : result;
}

struct start_keys {
  const struct spec *spec;
  uint32_t type;
};

static int write_start(int proc, const void *what) {
  const struct start_keys *keys = what;
  struct cursor records = spec_records(keys->spec), payload;
  struct sysctl_record r;
  while (spec_next(&records, REC_SYSCTL, &payload) && decode_sysctl(payload, &r))
    if (r.type == keys->type && write_key(proc, r.key, r.value) < 0) return -1;
  return 0;
}

int sysctl_start(const struct spec *spec, uint32_t made, pid_t pid) {
  struct cursor records = spec_records(spec), payload;
  struct sysctl_record r;
  uint32_t types = 0;
  while (spec_next(&records, REC_SYSCTL, &payload) && decode_sysctl(payload, &r)) types |= 1u << r.type;
  types &= made;
  if (types == 0) return 0;
  int proc = private_proc(), result = 0;
  if (proc < 0) return -1;
  for (uint32_t type = 0; type < NS_TYPES && result == 0; type++) {
    if (!(types & 1u << type)) continue;
    struct ns_set set = {.n = 0};
    struct start_keys keys = {spec, type};
    result = ns_append(&set, type, pid);
    if (result == 0) {
      result = write_inside(proc, type, set.item[0].fd, write_start, &keys);
      close(set.item[0].fd);
    }
  }
  close(proc);
  return result;
}

static int write_group(int proc, const void *what) {
  const struct sysctl_group *g = what;
  struct cursor list = g->list;
  const char *key, *value;
  for (uint32_t i = 0; i < g->n && cursor_str(&list, &key) && cursor_str(&list, &value); i++)
    if (write_key(proc, key, value) < 0) return -1;
  return 0;
}

static void read_key(int proc, const char *key) {
  char buf[4096], line[24];
  int fd = open_key(proc, key, O_RDONLY);
  ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof buf - 1);
  if (n < 0) {
    struct text t = text_into(line, sizeof line);
    text_str(&t, "!");
    text_num(&t, errno);
    report_text(line);
  } else {
    buf[n] = '\0';
    /* One line a key. */
    for (char *p = buf; *p; p++)
      if (*p == '\n') *p = ' ';
    report_text(buf);
  }
  if (fd >= 0) close(fd);
  report_text("\n");
}

static int read_group(int proc, const void *what) {
  const struct sysctl_group *g = what;
  struct cursor list = g->list;
  const char *key, *value;
  for (uint32_t i = 0; i < g->n && cursor_str(&list, &key) && cursor_str(&list, &value); i++) read_key(proc, key);
  return 0;
}

/* Lines for a group whose namespace is gone, so that the others keep their places. */
static void refuse_group(const struct sysctl_group *g) {
  char line[24];
  struct text t = text_into(line, sizeof line);
  text_str(&t, "!");
  text_num(&t, fault.err);
  text_str(&t, "\n");
  for (uint32_t i = 0; i < g->n; i++) report_text(line);
}

/* Every group in its namespace; '' for the path is a new one, which shows what the kernel itself would set. */
static int each_group(const struct spec *spec, bool reading) {
  struct cursor records = spec_records(spec), payload;
  struct sysctl_group g;
  int proc = private_proc();
  if (proc < 0) return -1;
  while (spec_next(&records, REC_SYSCTL_GROUP, &payload) && decode_sysctl_group(payload, &g)) {
    int ns = -1, result = 0;
    if (*g.path && (ns = ns_open(g.type, g.path, g.start)) < 0) result = -1;
    if (result == 0)
      result = reading ? inside(proc, g.type, ns, true, read_group, &g) : write_inside(proc, g.type, ns, write_group, &g);
    if (ns >= 0) close(ns);
    if (result == 0) continue;
    if (!reading) return -1;
    refuse_group(&g);
  }
  return 0;
}

int sysctl_read_main(const struct spec *spec) {
  if (each_group(spec, true) < 0) return -1;
  report_close();
  return 0;
}

int sysctl_write_main(const struct spec *spec) {
  if (each_group(spec, false) < 0) return -1;
  report_ok(0, "", false);
  return 0;
}
