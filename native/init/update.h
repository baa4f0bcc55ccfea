/*
 * A new description for a supervisor that runs: what it will do at the next restart.
 *
 * The supervisor keeps an empty memfd on SPEC_FD. Who may open it through /proc/PID/fd is decided by ptrace's rules
 * (man 2 ptrace, "Ptrace access mode checking"), and the supervisor is not dumpable: CAP_SYS_PTRACE in the host's user
 * namespace is needed, which no container has. The writer fills it and sends SIGHUP. It is then sealed, read and
 * replaced by an empty one, by whose inode the writer knows that it was taken. The content never has a name.
 */
#ifndef TSBOX_UPDATE_H
#define TSBOX_UPDATE_H
#include "supervisor.h"

#define SPEC_FD 3

/* Makes the memfd; 0 or -1 with the fault set. */
int update_open(void);
/* Takes what was written, if anything; a description that is not a sound one of this container is left lying. */
void update_take(struct supervisor *s);

#endif
