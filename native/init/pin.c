/*
 * Namespaces that outlive their makers: a bind mount of the namespace file keeps one (man 7 namespaces, "Namespace
 * lifetime"). A pid namespace also needs its process 1 alive, or nothing can be forked in it: the keeper.
 */
#include "pin.h"

#include <signal.h>

#include "caps.h"
#include "mounts.h"
#include "namespaces.h"
#include "proc.h"
#include "root.h"
#include "report.h"
#include "sys.h"
#include "sysctl.h"
#include "text.h"

#include <sys/prctl.h>

#define BIT(type) (1u << (type))
#define NOBODY 65534

/* The keeper is seen by every process in the namespace it keeps: it owns nothing, sees nothing, can do nothing. */
static int confine(void) {
  static const struct capability_sets none;
  if (unshare(CLONE_NEWNS) < 0) return fail("keeper", "mount namespace");
  if (root_empty() < 0 || caps_bound(0) < 0) return -1;
  /* EINVAL: a user namespace without a nobody. */
  if (caps_identity(NOBODY, NOBODY, NULL, 0) < 0 && fault.err != EINVAL) return -1;
  if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return fail("keeper", "prctl");
  return caps_set(&none);
}

/* SIGCHLD ignored: the kernel itself reaps whatever is orphaned here. All other signals stay blocked. */
static _Noreturn void keep(void) {
  sys_close_range(0, ~0U, 0);
  sys_default(SIGCHLD, true);
  for (;;) pause();
}

static int hold(const struct ns_start *start, int channel) {
  uint32_t type = start->spec->pin_type;
  if (type == NS_MNT && mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) return fail("mount", "/ rslave");
  if (type == NS_PID && confine() < 0) return -1;
  if (message_send(channel, MSG_READY, 0) < 0) return fail("start", "parent");
  if (type == NS_PID) keep();
  /* Until the parent has bound the namespace, and ends us, or is gone itself. */
  (void)message_expect(channel, MSG_GO);
  _exit(0);
}

static int bind_namespace(const struct spec *spec, pid_t pid) {
  char path[48];
  struct text t = text_into(path, sizeof path);
  text_str(&t, "/proc/");
  text_num(&t, pid);
  text_str(&t, "/ns/");
  text_str(&t, ns_names[spec->pin_type]);
  int target = open(spec->pin_target, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (target < 0) return fail("pin", spec->pin_target);
  int file = mount_clone(AT_FDCWD, path, false);
  if (file < 0) return fail("pin", path);
  int result = mount_attach(file, target, "") < 0 ? fail("pin", spec->pin_target) : 0;
  close(file);
  close(target);
  return result;
}

int pin_main(const struct spec *spec) {
  struct message m;
  char started[24];
  struct ns_start start = {.spec = spec, .create = spec->create | BIT(spec->pin_type), .cgroup = -1, .child = hold};
  if (ns_open_joins(spec, &start.join) < 0 || ns_start(&start) < 0) return -1;
  int got = message_receive(start.channel, &m, NULL), result = -1;
  if (got == 1 && m.kind == MSG_FAULT) fault = m.fault;
  else if (got != 1 || m.kind != MSG_READY) (void)fail_with(ECHILD, "start", "the process ended too early");
  else if (proc_start_time(start.pid, started, sizeof started) < 0) (void)fail("start", "start time");
  else if (sysctl_start(spec, start.create, start.pid) == 0) result = bind_namespace(spec, start.pid);
  if (result < 0 || spec->pin_type != NS_PID) ns_abort(&start);
  if (result < 0) return -1;
  if (spec->pin_type == NS_PID) report_ok(start.pid, started, false);
  else report_ok(0, "", false);
  return 0;
}
