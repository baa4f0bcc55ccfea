/* The supervisor's own state, shared by its three parts: start.c, adopt.c, supervise.c. */
#ifndef TSBOX_SUPERVISOR_H
#define TSBOX_SUPERVISOR_H
#include "label.h"
#include "log.h"
#include "namespaces.h"
#include "root.h"
#include "spec.h"

struct supervisor {
  struct spec *spec;
  int label, cgroup, signals;
  /* Namespaces named by the description; and those made at the first start, which restarts come back to. */
  struct ns_set joined, kept;
  bool have_kept;
  struct root_sources sources;
  struct log_pipe logs[LOG_STREAMS];
  struct run_state state;
  struct restart_policy policy;
  /* The container's end of its standard input while it is being started; our own binary, for init. */
  int stdin_end, self;
  /* The container's process: 0 and -1 when there is none. */
  pid_t pid;
  int pidfd;
  /* Not our child: it outlived an earlier supervisor. */
  bool adopted;
  /* What signals have asked for and has not been done yet. */
  bool stop_asked, reload_asked, reap_asked;
};

/* Starts the container, or starts it again; 0 or -1 with the fault set and nothing left behind. */
int container_start(struct supervisor *s);
/* All the namespaces of the running container, user first and pid last; -1 with the fault set. */
int container_namespaces(const struct supervisor *s, struct ns_set *set);
/* Of a further process of it (a check, a hook): its core group, joined before the fork; the settings that it waits for. */
int container_join_core(const struct supervisor *s, struct spec *spec);
int container_settle(const struct supervisor *s, const struct ns_start *start);
/* Takes over the running container of the description; 0 or -1 with the fault set. */
int container_adopt(struct supervisor *s);
/* Has criu make the container from its images; 0 or -1 with the fault set and nothing left behind. */
int container_restore(struct supervisor *s);
/* Takes hold of a running container's namespaces, for its restarts. */
int container_hold_namespaces(struct supervisor *s, pid_t pid);
/* Makes the container's user the owner of its log pipes: /dev/stdout is opened by name, which needs one. */
void container_give_logs(const struct supervisor *s, pid_t pid);
/* The wait status of an adopted container that has ended; false where the kernel does not tell. */
bool container_adopted_status(const struct supervisor *s, int *status);

/* Notes what pending signals ask for: also while a start is being attended, when none of it can be done. */
void signals_read(struct supervisor *s);
#endif
