/* Starts a process in the namespaces of the description: some joined, some made, in the order the kernel asks for. */
#ifndef TSBOX_NAMESPACES_H
#define TSBOX_NAMESPACES_H
#include <sys/types.h>

#include "spec.h"

struct ns_join {
  uint32_t type;
  int fd;
  const char *path;
};

/* Open namespaces to join, in the order to join them. */
struct ns_set {
  struct ns_join item[2 * NS_TYPES];
  int n;
};

struct ns_start {
  const struct spec *spec;
  /* Bit n is enum ns_type n: those to make this time. */
  uint32_t create;
  struct ns_set join;
  /* cgroup2 directory of the new process, -1 for the caller's. */
  int cgroup;
  /* Runs in the new process once all of that is done; returns -1 with the fault set, or never. */
  int (*child)(const struct ns_start *start, int channel);
  /* In a process with the host's rights, before anything is joined or made; NULL for none. */
  int (*before)(const struct ns_start *start);
  void *context;
  bool into_cgroup;
  /* Results. */
  pid_t pid;
  int pidfd, channel;
};

extern const char *const ns_names[NS_TYPES];
uint64_t ns_flag(uint32_t type);

/*
 * Opens a namespace file and checks that it is one of the type and, for /proc/PID/…, that the process is the one that
 * started then ('' for any); -1 with the fault set.
 */
int ns_open(uint32_t type, const char *path, const char *start);

/* Opens and checks the namespaces of the description's join list. */
int ns_open_joins(const struct spec *spec, struct ns_set *set);
/* The user namespace that is joined, -1 when there is none. */
int ns_joined_user(const struct ns_set *set);
/* Opens /proc/PID/ns/TYPE and appends it. */
int ns_append(struct ns_set *set, uint32_t type, pid_t pid);

/*
 * Makes the process, its maps, its membership in cgroups and its namespaces, as leader of a session of its own. On
 * success the channel is open; what the child says on it is the caller's to hear. On failure the fault is set and
 * nothing is left behind.
 */
int ns_start(struct ns_start *start);

/* Kills and reaps a started process. */
void ns_abort(struct ns_start *start);

#endif
