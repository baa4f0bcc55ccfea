/* From a process in its namespaces and root to the container's program. */
#ifndef TSBOX_PROCESS_H
#define TSBOX_PROCESS_H
#include "spec.h"

/* What argv[0] is when this binary is to be a container's first process. */
#define REAPER_NAME "init"

/*
 * Applies the process part of the description and execs; -1 with the fault set, or never. fds 0 to 2 are in place.
 * `settle`: the parent has settings to make first (settings.h).
 */
int process_exec(const struct spec *spec, int channel, bool settle);

/* execve(2), a name without a slash looked up in the PATH of `env`; -1 with the fault set. */
int process_search(char **argv, char **env);

/* Default dispositions for every signal: an ignored one is inherited by whatever is run. */
void signals_default(void);
void signals_block(void);
void signals_unblock(void);
#endif
