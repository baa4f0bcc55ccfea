/* The last ends of a container, as an extended attribute of its cgroup directory: one line each, oldest first. */
#ifndef TSBOX_HISTORY_H
#define TSBOX_HISTORY_H
#include <stdint.h>

#include "spec.h"

struct run_end {
  /* As in struct run_state. */
  int exit, signal;
  int64_t ran_ms;
  /* Processes that the kernel killed for want of memory during the run. */
  uint64_t oom_kills;
  /* "exit", "stop" or "unhealthy". */
  const char *why;
};

void history_add(int dir, const struct spec *spec, const struct run_end *end);
#endif
