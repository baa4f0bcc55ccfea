/*
 * Kernel parameters of namespaces (man 5 proc_sys). Which namespace a file below /proc/sys speaks of is decided by who
 * opens it, so each is opened by a process inside; on a procfs that nobody else can reach, so that nothing can be put in
 * its place (CVE-2019-16884, CVE-2025-52881).
 */
#ifndef TSBOX_SYSCTL_H
#define TSBOX_SYSCTL_H
#include <sys/types.h>

#include "spec.h"

/* Writes those of the description whose type is in the set `made`, in the namespaces of a process. */
int sysctl_start(const struct spec *spec, uint32_t made, pid_t pid);

/* The modes sysctl-read and sysctl-write: the exit code. */
int sysctl_read_main(const struct spec *spec);
int sysctl_write_main(const struct spec *spec);
#endif
