#include <poll.h>
#include <signal.h>

#include "caps.h"
#include "idmap.h"
#include "proc.h"
#include "process.h"
#include "report.h"
#include "settings.h"
#include "supervisor.h"
#include "sys.h"
#include "sysctl.h"

#define BIT(type) (1u << (type))
/* A pid namespace dies with its first process, and mounts are made afresh for every run. */
#define PER_RUN (BIT(NS_MNT) | BIT(NS_PID))

/* The container's side. */
static int container(const struct ns_start *start, int channel) {
  struct supervisor *s = start->context;
  if (root_build(s->spec, &s->sources, start->create & BIT(NS_MNT)) < 0) return -1;
  for (int id = 0; id < LOG_STREAMS; id++)
    if (s->logs[id].write >= 0 && dup2(s->logs[id].write, id + 1) < 0) return fail("log", "dup2");
  /* Answered while the mounts were made: the namespaces outlive us only once the parent holds them. */
  int32_t settle;
  if (message_expect_value(channel, MSG_KEPT, &settle) < 0) return -1;
  return process_exec(s->spec, channel, settle);
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

void container_give_logs(const struct supervisor *s, pid_t pid) {
  int64_t uid = idmap_to_host(pid, "uid_map", s->spec->uid), gid = idmap_to_host(pid, "gid_map", s->spec->gid);
  if (uid < 0 || gid < 0) return;
  for (int id = 0; id < LOG_STREAMS; id++)
    if (s->logs[id].write >= 0) (void)!fchown(s->logs[id].write, (uid_t)uid, (gid_t)gid);
}

/* Hears the child until its exec; a stop asked for meanwhile ends it. */
static int attend(struct supervisor *s, struct ns_start *start) {
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
  if (message_send(start->channel, MSG_KEPT, *settings != '\0') < 0 && errno != EPIPE) return fail("start", "channel");
  for (;;) {
    struct pollfd p[2] = {{.fd = start->channel, .events = POLLIN}, {.fd = s->signals, .events = POLLIN}};
    if (poll(p, 2, -1) < 0) continue;
    if (p[1].revents) signals_read(s);
    if (s->stop_asked) return fail_with(EINTR, "start", "stopped");
    if (!p[0].revents) continue;
    int got = message_receive(start->channel, &m, NULL);
    if (got < 0) return fail("start", "channel");
    if (got == 0) return executing ? 0 : fail_with(ECHILD, "start", "the process ended before its program ran");
    if (m.kind == MSG_FAULT) return fault = m.fault, -1;
    if (m.kind == MSG_EXEC) executing = true;
    if (m.kind == MSG_SETTLE && settings_apply(start->pid, settings, start->channel) < 0) return -1;
  }
}

/* The user namespace that is joined, -1 when there is none. */
static int user_namespace(const struct ns_set *set) {
  for (int i = 0; i < set->n; i++)
    if (set->item[i].type == NS_USER) return set->item[i].fd;
  return -1;
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

  if (root_prepare(s->spec, user_namespace(&start.join), &s->sources) < 0) return -1;
  /* Only who may mount can take flags off. */
  bool foreign = start.create & BIT(NS_USER) || s->sources.userns >= 0;
  if (foreign && start.create & BIT(NS_MNT) && s->spec->caps.bounding >> CAP_SYS_ADMIN_ & 1) start.before = lock_sources;
  int result = ns_start(&start);
  root_release(&s->sources);
  if (result < 0) return -1;
  result = attend(s, &start);
  /* Before it is reaped even a process that has already ended has one. */
  if (result == 0 && proc_start_time(start.pid, s->state.start, sizeof s->state.start) < 0) result = fail("start", "start time");
  if (result < 0) {
    ns_abort(&start);
    return -1;
  }
  close(start.channel);
  s->pid = start.pid;
  s->pidfd = start.pidfd;
  s->adopted = false;
  return 0;
}
