/* Membership in cgroups: cgroup2 by descriptor, v1 by cgroup.procs files. */
#ifndef TSBOX_CGROUP_H
#define TSBOX_CGROUP_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "spec.h"

/* The cgroup2 directory, checked to be one; -1 with the fault set. */
int cgroup_open(const char *path);
int cgroup_move(int cgroup, const char *path, pid_t pid);
/* Writes pid (0: the caller) to each file in the records of `tag`. */
int cgroup_enter(const struct spec *spec, uint32_t tag, pid_t pid);
/* Kills every process in the group, frozen or not (Linux 5.14); 0 or -1. */
int cgroup_kill(int cgroup);

/* Whether its processes are standing still by order: cgroup.freeze, or the freezer of v1. */
bool cgroup_frozen(const struct spec *spec, int cgroup);
/* How many processes the kernel has killed in it for want of memory. */
uint64_t cgroup_oom_kills(const struct spec *spec, int cgroup);

#endif
