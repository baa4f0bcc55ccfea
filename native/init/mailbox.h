/* A changed description for a supervisor that runs: what it will start next time, and what it does meanwhile. */
#ifndef TSBOX_MAILBOX_H
#define TSBOX_MAILBOX_H
#include "supervisor.h"

/*
 * Takes the description that lies in the mailbox, if one does, in the place of the present one. The file is removed
 * when it has been taken: that is the answer the sender waits for. One that is not sound, or is for another container,
 * stays where it is.
 */
void mailbox_take(struct supervisor *s);
#endif
