/*
 * What went wrong, and how it is told: inside this process, from the container's child to its parent, and to the
 * caller on the report pipe.
 */
#ifndef TSBOX_REPORT_H
#define TSBOX_REPORT_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The last failure of this process. */
struct fault {
  int32_t err;
  char step[28];
  char path[448];
};
extern struct fault fault;

/* Remembers errno with the step and the object it was about; returns -1, so that callers can `return fail(…)`. */
int fail(const char *step, const char *path);
int fail_with(int err, const char *step, const char *path);

/* Between a parent and the child that becomes the container: a SOCK_SEQPACKET pair, closed by execve(2). */
enum message_kind {
  MSG_GO = 1,     /* parent: identity maps and cgroups are in place, go on */
  MSG_WANT_MAPS,  /* middle process: is in a new user namespace, needs its maps */
  MSG_PID,        /* middle process: `value` is the pid of the real child */
  MSG_NAMESPACES, /* child: every namespace is made */
  MSG_KEPT,       /* parent: has taken hold of them */
  MSG_SETTLE,     /* child: everything is made, set what is set from outside */
  MSG_SETTLED,    /* parent: it is set */
  MSG_TTY,        /* child: a pseudo terminal's master is attached (value 1), or use the host's (value 0) */
  MSG_EXEC,       /* child: execve(2) comes next; end of file means that it worked */
  MSG_READY,      /* child that does not exec: done */
  MSG_BUILT,      /* child with hooks: its mounts are made */
  MSG_FAULT,      /* child: failed, `fault` says where */
};
struct message {
  uint32_t kind;
  int32_t value;
  struct fault fault;
};
int message_send(int channel, enum message_kind kind, int32_t value);
int message_send_fd(int channel, enum message_kind kind, int fd);
void message_send_fault(int channel);
/* 1 and the message, 0 at end of file, -1 with errno. A descriptor that came along is put in *fd. */
int message_receive(int channel, struct message *m, int *fd);
/* Waits for one kind; end of file or another kind is an error (the other side has died). */
int message_expect(int channel, enum message_kind kind);
/* The same, with the value that came along. */
int message_expect_value(int channel, enum message_kind kind, int32_t *value);

/* The report pipe, fd 4: one line, then closed. */
#define REPORT_FD 4
void report_ok(pid_t pid, const char *start, bool with_supervisor);
void report_fault(void);
void report_text(const char *text);
void report_close(void);

#endif
