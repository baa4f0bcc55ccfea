#include "report.h"

#include <sys/socket.h>

#include "proc.h"
#include "sys.h"
#include "text.h"

struct fault fault;

int fail_with(int err, const char *step, const char *path) {
  fault.err = err;
  struct text s = text_into(fault.step, sizeof fault.step);
  text_str(&s, step);
  struct text p = text_into(fault.path, sizeof fault.path);
  text_str(&p, path);
  return -1;
}

int fail(const char *step, const char *path) { return fail_with(errno, step, path); }

/* Only as much as is used goes through the socket: the fault matters in MSG_FAULT alone. */
static int send_bytes(int channel, const struct message *m, size_t size) {
  ssize_t n;
  do n = send(channel, m, size, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -1 : 0;
}

int message_send(int channel, enum message_kind kind, int32_t value) {
  struct message m = {.kind = kind, .value = value};
  return send_bytes(channel, &m, offsetof(struct message, fault));
}

void message_send_fault(int channel) {
  struct message m = {.kind = MSG_FAULT, .fault = fault};
  (void)send_bytes(channel, &m, sizeof m);
}

/* man 7 unix, SCM_RIGHTS */
int message_send_fd(int channel, enum message_kind kind, int fd) {
  struct message m = {.kind = kind, .value = 1};
  struct iovec iov = {&m, offsetof(struct message, fault)};
  union {
    char buf[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control = {0};
  struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof control.buf};
  struct cmsghdr *c = CMSG_FIRSTHDR(&h);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(c), &fd, sizeof fd);
  return sendmsg(channel, &h, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int message_receive(int channel, struct message *m, int *fd) {
  struct iovec iov = {m, sizeof *m};
  union {
    char buf[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control;
  struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof control.buf};
  ssize_t n;
  memset(m, 0, sizeof *m);
  /*
   * ECONNRESET: the other side ended without reading all we sent. It is told once, ahead of what that side had still
   * sent itself.
   */
  do n = recvmsg(channel, &h, MSG_CMSG_CLOEXEC);
  while (n < 0 && (errno == EINTR || errno == ECONNRESET));
  if (n <= 0) return (int)n;
  struct cmsghdr *c = CMSG_FIRSTHDR(&h);
  if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
    int got;
    memcpy(&got, CMSG_DATA(c), sizeof got);
    if (fd) *fd = got;
    else close(got);
  }
  m->fault.step[sizeof m->fault.step - 1] = '\0';
  m->fault.path[sizeof m->fault.path - 1] = '\0';
  return 1;
}

int message_expect_value(int channel, enum message_kind kind, int32_t *value) {
  struct message m;
  int n = message_receive(channel, &m, NULL);
  if (n != 1 || m.kind != kind) return fail_with(n < 0 ? errno : EPIPE, "parent", "");
  *value = m.value;
  return 0;
}

int message_expect(int channel, enum message_kind kind) {
  int32_t ignored;
  return message_expect_value(channel, kind, &ignored);
}

void report_text(const char *text) {
  size_t left = strlen(text);
  while (left > 0) {
    ssize_t n = write(REPORT_FD, text, left);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return;
    text += n;
    left -= (size_t)n;
  }
}

void report_close(void) { close(REPORT_FD); }

void report_ok(pid_t pid, const char *start, bool with_supervisor) {
  char line[160];
  struct text t = text_into(line, sizeof line);
  text_str(&t, "ok pid=");
  text_num(&t, pid);
  text_str(&t, " start=");
  text_str(&t, start);
  if (with_supervisor) {
    char own[24];
    pid_t self = sys_getpid();
    (void)proc_start_time(self, own, sizeof own);
    text_str(&t, " supervisor=");
    text_num(&t, self);
    text_str(&t, " sstart=");
    text_str(&t, own);
  }
  text_str(&t, "\n");
  report_text(line);
  report_close();
}

/* A path may hold any byte but NUL; a line feed would break the one-line report. */
void report_fault(void) {
  char line[sizeof(struct fault) + 64];
  struct text t = text_into(line, sizeof line);
  text_str(&t, "error step=");
  text_str(&t, fault.step);
  text_str(&t, " errno=");
  text_num(&t, fault.err);
  text_str(&t, " path=");
  for (const char *p = fault.path; *p; p++) text_bytes(&t, *p == '\n' ? "?" : p, 1);
  text_str(&t, "\n");
  report_text(line);
  report_close();
}
