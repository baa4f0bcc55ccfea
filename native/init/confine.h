/* What only the process itself can ask for before its program runs: labels of security modules, memory, cores. */
#ifndef TSBOX_CONFINE_H
#define TSBOX_CONFINE_H
#include "spec.h"

/*
 * Asks for the labels that the next execve(2) gives (man 7 apparmor; SELinux: /proc/PID/attr/exec), sets the policy of
 * memory (man 2 set_mempolicy) and makes a core scheduling group (PR_SCHED_CORE). 0, or -1 with the fault set.
 */
int confine(const struct spec *spec);
/* The core scheduling group of a container, for a further process of it. */
int confine_join_core(const struct spec *spec);

bool decode_label(struct cursor p);
bool decode_memory_policy(struct cursor p);

#endif
