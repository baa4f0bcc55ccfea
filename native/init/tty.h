/* Pseudo terminals: man 7 pty. */
#ifndef TSBOX_TTY_H
#define TSBOX_TTY_H
#include <stdbool.h>

/* A new master of the devpts instance at /dev/pts as the caller sees it; -1 with errno. */
int tty_open_master(void);
/* Is this a pty master, and nothing that poses as one? */
bool tty_is_master(int fd);
/* In the child: a master of the container's own devpts where it has one, so that the terminal has a name in there, else
   `other`; sent on the channel, its slave taken. 0 or -1 with the fault set. */
int tty_give(int channel, int other, unsigned uid, unsigned gid);
/* In the child, a session leader: the slave becomes controlling terminal and stdio. 0 or -1 with errno. */
int tty_take(int master, unsigned uid, unsigned gid);

/* In the parent: the caller's terminal (fd 0) into raw mode, and back. */
bool tty_raw(void);
void tty_restore(void);
void tty_copy_size(int master);
#endif
