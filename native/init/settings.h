/*
 * What a process is given from outside, with the host's privileges, which one in a user namespace of its own has lost:
 * limits, oom score, scheduling. man 2 prlimit, sched_setattr, ioprio_set, sched_setaffinity.
 */
#ifndef TSBOX_SETTINGS_H
#define TSBOX_SETTINGS_H
#include <sys/types.h>

#include "spec.h"

#define SETTINGS_MAX 2048

/* The text in force: the label's attribute, where there is one, else the description's. */
void settings_read(int label, const struct spec *spec, char out[SETTINGS_MAX]);
/* Sets them on a process that waits for it (MSG_SETTLE), and lets it go on; 0 or -1 with the fault set. */
int settings_apply(pid_t pid, const char *text, int channel);
#endif
