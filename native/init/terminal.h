/* A container's terminal or standard input, and those who are attached to it. */
#ifndef TSBOX_TERMINAL_H
#define TSBOX_TERMINAL_H
#include <poll.h>
#include <stdbool.h>
#include <sys/un.h>

#include "supervisor.h"

enum terminal_flag { TERMINAL_TTY = 1, TERMINAL_STDIN = 2, TERMINAL_INIT = 4 };

/*
 * Frames on the attach socket, one message each: a letter, then what belongs to it.
 * From a client: 'i' input, 'e' end of input, 'w' rows and columns (u16 each), 's' a signal for the process (u8).
 * To it: 'h' flags (u8) first of all, '1' and '2' output and errors, 'x' exit code (i32) at the end.
 */
#define FRAME_MOST 4097

/* How many of the supervisor's descriptors are polled here. */
#define TERMINAL_POLLS 11

/* Makes the attach socket; a failure is told in the log and is no reason not to run. Also after it has been deleted. */
/* The address of a socket; the descriptor of its directory is to be closed after its use, -1 with errno. */
int terminal_address(const char *path, struct sockaddr_un *address);
void terminal_listen(const struct spec *spec);
/* Before a start: a pipe for standard input where one is wanted without a terminal; its end for the container, or -1. */
int terminal_input(struct supervisor *s);
/* The container has started with this master (-1: none); from here a keeper holds what must outlive us. */
void terminal_begin(struct supervisor *s, int master);
/* Takes over what the keeper of a running container holds. */
void terminal_adopt(struct supervisor *s);
void terminal_end(int code);

/* Output on its way to the log goes to the attached, too. While one of them has not taken all, there is no more. */
void terminal_output(int stream, const char *data, size_t n);
bool terminal_busy(void);

void terminal_polls(struct pollfd *p, bool has_process);
void terminal_act(struct supervisor *s, const struct pollfd *p);
/* When a client that takes nothing is let go, 0 for never. */
int64_t terminal_due(void);
#endif
