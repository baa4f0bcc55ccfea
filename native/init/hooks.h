/* Programs run at the turning points of a container's life, its state on their standard input. */
#ifndef TSBOX_HOOKS_H
#define TSBOX_HOOKS_H
#include <sys/types.h>

#include "supervisor.h"

enum hook_moment { HOOK_PRE_START, HOOK_POST_START, HOOK_PRE_STOP, HOOK_POST_STOP, HOOK_MOMENTS };
/*
 * The host's namespaces; the container's, but still the host's root (before pivot_root); the container's. The last runs
 * with the container's privileges, the others with ours.
 */
enum hook_place { HOOK_HOST, HOOK_HOST_ROOT, HOOK_CONTAINER, HOOK_PLACES };

/* How a run of hooks went. */
struct hook_result {
  bool ok;
  int32_t code;
  /* What went wrong, for the fault's path. */
  char text[300];
};

bool hooks_any(const struct spec *spec, enum hook_moment moment, enum hook_place place);
/* Either place or both that a moment after the start can have. */
bool hooks_due(const struct spec *spec, enum hook_moment moment);

/* Runs those of one moment and place, in order, from the calling process; the first that fails ends it when it is before the start. */
void hooks_run(const struct supervisor *s, enum hook_moment moment, enum hook_place place, pid_t pid, const char *status,
               struct hook_result *result);

/*
 * The same in a process of its own, for all places that a moment has from the supervisor's side. The pidfd, and in
 * *result a pipe with one struct hook_result; -1 with errno.
 */
int hooks_begin(struct supervisor *s, enum hook_moment moment, const char *status, int *result);
/* The fault of a start that a hook has ended. */
int hooks_fail(const struct hook_result *result);
#endif
