#include <sys/ioctl.h>
#include <unistd.h>

#include "health.h"
#include "proc.h"
#include "report.h"
#include "supervisor.h"
#include "sys.h"
#include "terminal.h"
#include "text.h"

/* What a restart will need is taken from the container itself: the paths of the description may be stale by now. */
int container_hold_namespaces(struct supervisor *s, pid_t pid) {
  struct cursor records = spec_records(s->spec), payload;
  struct join_record j;
  while (spec_next(&records, REC_NS_JOIN, &payload))
    if (decode_join(payload, &j) && ns_append(&s->joined, j.type, pid) < 0) return -1;
  for (uint32_t type = 0; type < NS_TYPES; type++)
    if (s->spec->create & 1u << type && type != NS_MNT && type != NS_PID && ns_append(&s->kept, type, pid) < 0) return -1;
  s->have_kept = true;
  return 0;
}

int container_adopt(struct supervisor *s) {
  char now[24], what[24];
  pid_t pid = (pid_t)s->spec->adopt_pid;
  struct text t = text_into(what, sizeof what);
  text_num(&t, pid);
  s->pidfd = sys_pidfd_open(pid);
  if (s->pidfd < 0) return fail("adopt", what);
  if (proc_start_time(pid, now, sizeof now) < 0 || strcmp(now, s->spec->adopt_start) != 0) return fail_with(ESRCH, "adopt", what);
  if (container_hold_namespaces(s, pid) < 0) return -1;
  if (log_wanted(s->spec))
    for (int id = 0; id < LOG_STREAMS; id++) log_pipe_adopt(&s->logs[id], pid, id + 1);
  t = text_into(s->state.start, sizeof s->state.start);
  text_str(&t, now);
  s->state.restarts = s->spec->adopt_restarts;
  s->pid = pid;
  s->adopted = true;
  health_recall(s);
  terminal_adopt(s);
  return 0;
}

/*
 * Its parent is by now another, who reaps it in his own time: until then procfs tells the wait status, and afterwards,
 * since Linux 6.15, a pidfd opened earlier does (linux/pidfd.h).
 */
bool container_adopted_status(const struct supervisor *s, int *status) {
  struct pidfd_info_ info = {.mask = PIDFD_INFO_EXIT_};
  if (proc_zombie_status(s->pid, s->state.start, status)) return true;
  if (ioctl(s->pidfd, PIDFD_GET_INFO_, &info) < 0 || !(info.mask & PIDFD_INFO_EXIT_)) return false;
  *status = info.exit_code;
  return true;
}
