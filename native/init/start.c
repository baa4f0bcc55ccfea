#include <poll.h>
#include <signal.h>

#include "caps.h"
#include "confine.h"
#include "hooks.h"
#include "idmap.h"
#include "proc.h"
#include "process.h"
#include "report.h"
#include "settings.h"
#include "supervisor.h"
#include "sys.h"
#include "sysctl.h"
#include "terminal.h"
#include "tty.h"

#define BIT(type) (1u << (type))
/* A pid namespace dies with its first process, and mounts are made afresh for every run. */
#define PER_RUN (BIT(NS_MNT) | BIT(NS_PID))

static int run_hooks(const struct supervisor *s, enum hook_place place, pid_t pid) {
  struct hook_result r;
  if (!hooks_any(s->spec, HOOK_PRE_START, place)) return 0;
  hooks_run(s, HOOK_PRE_START, place, pid, "created", &r);
  return r.ok ? 0 : hooks_fail(&r);
}

/* The container's command as words behind init's own name. */
static int exec_init(const struct supervisor *s, int channel, bool settle) {
  struct spec spec = *s->spec;
  struct cursor records = spec_records(s->spec);
  char *words[4096];
  const char *word;
  uint32_t n = 0;
  words[n++] = (char *)(uintptr_t)REAPER_NAME;
  while (n < 4095 && (word = spec_next_str(&records, REC_ARG))) words[n++] = (char *)(uintptr_t)word;
  words[n] = NULL;
  spec.argv = words;
  spec.program = s->self;
  return process_exec(&spec, channel, settle);
}

/* The container's side. */
static int container(const struct ns_start *start, int channel) {
  struct supervisor *s = start->context;
  struct message m;
  int root;
  if (root_build(s->spec, &s->sources, start->create & BIT(NS_MNT), &root) < 0) return -1;
  for (int id = 0; id < LOG_STREAMS; id++)
    if (s->logs[id].write >= 0 && dup2(s->logs[id].write, id + 1) < 0) return fail("log", "dup2");
  if (hooks_any(s->spec, HOOK_PRE_START, HOOK_HOST) && message_send(channel, MSG_BUILT, 0) < 0) return fail("start", "parent");
  /* Answered while the mounts were made: the namespaces outlive us only once the parent holds them. */
  if (message_receive(channel, &m, NULL) != 1 || m.kind != MSG_KEPT) return fail_with(EPIPE, "parent", "");
  /* Our pid, negative when there are settings to be made. */
  bool settle = m.value < 0;
  pid_t pid = settle ? -m.value : m.value;
  if (run_hooks(s, HOOK_HOST_ROOT, pid) < 0 || root_enter(&s->sources, root) < 0 || run_hooks(s, HOOK_CONTAINER, pid) < 0) return -1;
  if (s->spec->terminal_flags & TERMINAL_TTY && tty_give(channel, -1, s->spec->uid, s->spec->gid) < 0) return -1;
  if (s->stdin_end >= 0 && dup2(s->stdin_end, 0) < 0) return fail("stdio", "dup2");
  return s->spec->terminal_flags & TERMINAL_INIT ? exec_init(s, channel, settle) : process_exec(s->spec, channel, settle);
}

static int keep_namespaces(struct supervisor *s, const struct ns_start *start) {
  if (s->have_kept) return 0;
  for (uint32_t type = 0; type < NS_TYPES; type++)
    if (start->create & ~PER_RUN & BIT(type) && ns_append(&s->kept, type, start->pid) < 0) {
      while (s->kept.n > 0) close(s->kept.item[--s->kept.n].fd);
      return -1;
    }
  s->have_kept = true;
  return 0;
}

/* What hooks say, which could otherwise fill the pipe and wait for ever. */
static void drain_logs(struct supervisor *s) {
  for (int id = 0; id < LOG_STREAMS; id++) log_drain((enum log_stream_id)id, &s->logs[id], 16);
}

void container_give_logs(const struct supervisor *s, pid_t pid) {
  int64_t uid = idmap_to_host(pid, "uid_map", s->spec->uid), gid = idmap_to_host(pid, "gid_map", s->spec->gid);
  if (uid < 0 || gid < 0) return;
  for (int id = 0; id < LOG_STREAMS; id++)
    if (s->logs[id].write >= 0) (void)!fchown(s->logs[id].write, (uid_t)uid, (gid_t)gid);
}

/* Those on the host, in a process of their own, so that a stop asked for meanwhile is heard. */
static int host_hooks(struct supervisor *s, const struct ns_start *start) {
  struct hook_result r;
  int result = -1;
  s->pid = start->pid;
  int pidfd = hooks_begin(s, HOOK_PRE_START, "created", &result);
  s->pid = 0;
  if (pidfd < 0) return fail("hook", "clone");
  for (;;) {
    struct pollfd p[2] = {{.fd = result, .events = POLLIN}, {.fd = s->signals, .events = POLLIN}};
    if (poll(p, 2, 100) < 0) continue;
    if (p[1].revents) signals_read(s);
    drain_logs(s);
    if (s->stop_asked || p[0].revents) break;
  }
  ssize_t n = s->stop_asked ? 0 : read(result, &r, sizeof r);
  (void)sys_pidfd_send_signal(pidfd, n == (ssize_t)sizeof r ? 0 : SIGKILL);
  close(result);
  close(pidfd);
  if (s->stop_asked) return fail_with(EINTR, "start", "stopped");
  if (n != (ssize_t)sizeof r) return fail_with(ECHILD, "hook", "the process that runs them was killed");
  r.text[sizeof r.text - 1] = '\0';
  return r.ok ? 0 : hooks_fail(&r);
}

/* Hears the child until its exec; a stop asked for meanwhile ends it. */
static int attend(struct supervisor *s, struct ns_start *start, int *master) {
  struct message m;
  bool executing = false;
  char settings[SETTINGS_MAX];
  if (keep_namespaces(s, start) < 0) {
    /* A child that has failed by now has no namespaces to keep, and has said why: then that is what matters. */
    struct pollfd p = {.fd = start->channel, .events = POLLIN};
    if (poll(&p, 1, 0) > 0 && message_receive(start->channel, &m, NULL) == 1 && m.kind == MSG_FAULT) fault = m.fault;
    return -1;
  }
  container_give_logs(s, start->pid);
  if (sysctl_start(s->spec, start->create, start->pid) < 0) return -1;
  settings_read(s->label, s->spec, settings);
  int32_t kept = *settings != '\0' ? -start->pid : start->pid;
  bool waits = hooks_any(s->spec, HOOK_PRE_START, HOOK_HOST);
  if (!waits && message_send(start->channel, MSG_KEPT, kept) < 0 && errno != EPIPE) return fail("start", "channel");
  for (;;) {
    struct pollfd p[2] = {{.fd = start->channel, .events = POLLIN}, {.fd = s->signals, .events = POLLIN}};
    if (poll(p, 2, s->spec->nhooks > 0 ? 100 : -1) < 0) continue;
    if (p[1].revents) signals_read(s);
    if (s->spec->nhooks > 0) drain_logs(s);
    if (s->stop_asked) return fail_with(EINTR, "start", "stopped");
    if (!p[0].revents) continue;
    int got = message_receive(start->channel, &m, master);
    if (got < 0) return fail("start", "channel");
    if (got == 0) return executing ? 0 : fail_with(ECHILD, "start", "the process ended before its program ran");
    if (m.kind == MSG_FAULT) return fault = m.fault, -1;
    if (m.kind == MSG_EXEC) executing = true;
    if (m.kind == MSG_SETTLE && settings_apply(start->pid, settings, start->channel) < 0) return -1;
    if (m.kind == MSG_TTY && !tty_is_master(*master)) return fail_with(ENODEV, "tty", "not a pty master");
    if (m.kind == MSG_BUILT) {
      if (host_hooks(s, start) < 0) return -1;
      if (message_send(start->channel, MSG_KEPT, kept) < 0 && errno != EPIPE) return fail("start", "channel");
    }
  }
}

static int lock_sources(const struct ns_start *start) {
  struct supervisor *s = start->context;
  return root_lock(&s->sources);
}

int container_start(struct supervisor *s) {
  struct ns_start start = {.spec = s->spec, .cgroup = s->cgroup, .child = container, .context = s};
  start.create = s->have_kept ? s->spec->create & PER_RUN : s->spec->create;
  start.join = s->joined;
  /* The description's joins first: they were made with the host's rights, which entering the kept user ends. */
  for (int i = 0; i < s->kept.n; i++) start.join.item[start.join.n++] = s->kept.item[i];

  if (root_prepare(s->spec, ns_joined_user(&start.join), &s->sources) < 0) return -1;
  /* Only who may mount can take flags off. */
  bool foreign = start.create & BIT(NS_USER) || s->sources.userns >= 0;
  if (foreign && start.create & BIT(NS_MNT) && s->spec->caps.bounding >> CAP_SYS_ADMIN_ & 1) start.before = lock_sources;
  int master = -1;
  s->stdin_end = terminal_input(s);
  if (s->spec->terminal_flags & TERMINAL_INIT && s->self < 0) s->self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  int result = ns_start(&start);
  if (s->stdin_end >= 0) close(s->stdin_end);
  s->stdin_end = -1;
  root_release(&s->sources);
  if (result < 0) return -1;
  result = attend(s, &start, &master);
  /* Before it is reaped even a process that has already ended has one. */
  if (result == 0 && proc_start_time(start.pid, s->state.start, sizeof s->state.start) < 0) result = fail("start", "start time");
  if (result < 0) {
    ns_abort(&start);
    if (master >= 0) close(master);
    return -1;
  }
  close(start.channel);
  s->pid = start.pid;
  s->pidfd = start.pidfd;
  s->adopted = false;
  terminal_begin(s, master);
  return 0;
}

int container_namespaces(const struct supervisor *s, struct ns_set *set) {
  *set = s->joined;
  for (int i = 0; i < s->kept.n; i++) set->item[set->n++] = s->kept.item[i];
  if (s->spec->create & BIT(NS_MNT) && ns_append(set, NS_MNT, s->pid) < 0) return -1;
  if (s->spec->create & BIT(NS_PID) && ns_append(set, NS_PID, s->pid) < 0) return -1;
  return 0;
}

int container_join_core(const struct supervisor *s, struct spec *spec) {
  if (spec->core_group == CORE_OWN) spec->core_group = (uint32_t)s->pid;
  return confine_join_core(spec);
}

int container_settle(const struct supervisor *s, const struct ns_start *start) {
  char settings[SETTINGS_MAX];
  settings_read(s->label, s->spec, settings);
  return settings_apply(start->pid, settings, start->channel);
}
