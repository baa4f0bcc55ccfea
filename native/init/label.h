/* The state of a container as an extended attribute of its cgroup directory: man 7 xattr. */
#ifndef TSBOX_LABEL_H
#define TSBOX_LABEL_H
#include <stdint.h>

#include "spec.h"

/* RunState in run-state.ts. */
struct run_state {
  const char *state;
  int pid;
  char start[24];
  int exit, signal;
  uint32_t restarts;
  /* Wall clock of the last change of state, ms. */
  int64_t since;
  /* NULL without health checks. */
  const char *health;
  uint32_t failing;
  /* Who keeps the terminal, 0 for nobody. */
  int keeper;
  char keeper_start[24];
};

/* Opens the directory for good (a descriptor does not keep a cgroup from being removed); -1 with the fault set. */
int label_open(const struct spec *spec);
int label_write(int dir, const struct spec *spec, const struct run_state *state);
/* The policy in force: the attribute's, where there is one, else the description's. */
struct restart_policy label_policy(int dir, const struct spec *spec);
#endif
