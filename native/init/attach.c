/* The client's end of terminal.h's frames: the caller's terminal or pipes on one side, the supervisor on the other. */
#include "attach.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

#include "detach.h"
#include "report.h"
#include "sys.h"
#include "terminal.h"
#include "tty.h"

/* A real-time signal that nobody sends for another reason: who started us is gone, and the terminal with it. */
#define ORPHANED 40

static struct {
  int socket, signals;
  uint8_t flags;
  bool typing;
  struct detach keys;
} c;

static int reach(const char *path) {
  struct sockaddr_un a;
  int dir = terminal_address(path, &a);
  if (dir < 0) return fail("attach", path);
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  int result = fd < 0 ? -1 : connect(fd, (struct sockaddr *)&a, sizeof a);
  if (result < 0) (void)fail("attach", path);
  close(dir);
  return result < 0 ? -1 : fd;
}

static void tell(char kind, const void *data, size_t n) {
  struct iovec iov[2] = {{&kind, 1}, {(void *)(uintptr_t)data, n}};
  struct msghdr h = {.msg_iov = iov, .msg_iovlen = 2};
  (void)sendmsg(c.socket, &h, MSG_NOSIGNAL);
}

static void tell_size(void) {
  struct winsize size;
  uint16_t both[2];
  if (!(c.flags & TERMINAL_TTY) || ioctl(0, TIOCGWINSZ, &size) < 0) return;
  both[0] = size.ws_row;
  both[1] = size.ws_col;
  tell('w', both, sizeof both);
}

/* Passes on what is typed; true when the keys to detach were. */
static bool typed(void) {
  char buf[2048], out[sizeof buf + DETACH_MOST];
  size_t have = 0;
  ssize_t n = read(0, buf, sizeof buf);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return false;
  if (n <= 0) {
    c.typing = false;
    tell('e', "", 0);
    return false;
  }
  bool detached = false;
  for (ssize_t i = 0; i < n && !detached; i++) detached = detach_typed(&c.keys, buf[i], out, &have);
  if (have > 0) tell('i', out, have);
  return detached;
}

static void show(int fd, const char *data, size_t n) {
  while (n > 0) {
    ssize_t wrote = write(fd, data, n);
    if (wrote < 0 && errno == EAGAIN) {
      struct pollfd p = {.fd = fd, .events = POLLOUT};
      (void)poll(&p, 1, -1);
    } else if (wrote < 0 && errno != EINTR) return;
    else if (wrote > 0) data += wrote, n -= (size_t)wrote;
  }
}

/* The container's exit code once it is there, -1 before that, -2 when the supervisor has gone. */
static int heard(void) {
  char buf[FRAME_MOST];
  int32_t code;
  ssize_t n = recv(c.socket, buf, sizeof buf, 0);
  if (n < 0 && errno == EINTR) return -1;
  if (n <= 0) return -2;
  if (buf[0] == '1' || buf[0] == '2') show(buf[0] - '0', buf + 1, (size_t)n - 1);
  if (buf[0] != 'x' || n != 5) return -1;
  memcpy(&code, buf + 1, sizeof code);
  return code & 0xff;
}

/* Without a terminal of its own the container is sent what we are. True when nobody is left to be attached for. */
static bool signalled(void) {
  struct signalfd_siginfo info;
  bool orphaned = false;
  while (read(c.signals, &info, sizeof info) == (ssize_t)sizeof info) {
    uint8_t n = (uint8_t)info.ssi_signo;
    if (n == ORPHANED) orphaned = true;
    else if (n == SIGWINCH) tell_size();
    else if (n != SIGCHLD && n != SIGPIPE && n != SIGTTOU && n != SIGTTIN && n != SIGTSTP && n != SIGCONT) tell('s', &n, 1);
  }
  return orphaned;
}

int attach_main(const struct spec *spec) {
  char hello[2];
  c.signals = sys_signalfd(UINT64_MAX);
  if (c.signals < 0) return fail("signalfd", "");
  if (prctl(PR_SET_PDEATHSIG, ORPHANED, 0, 0, 0) < 0) return fail("prctl", "PR_SET_PDEATHSIG");
  c.socket = reach(spec->attach_path);
  if (c.socket < 0) return -1;
  if (recv(c.socket, hello, sizeof hello, 0) != 2 || hello[0] != 'h') return fail_with(ECONNREFUSED, "attach", "too many are attached");
  c.flags = (uint8_t)hello[1];
  c.typing = spec->tty && c.flags & (TERMINAL_TTY | TERMINAL_STDIN);
  report_ok(0, "", false);
  c.keys = detach_keys(spec, c.flags & TERMINAL_TTY && c.typing && tty_raw());
  tell_size();
  int code = -1;
  bool detached = false;
  while (code == -1 && !detached) {
    struct pollfd p[] = {{.fd = c.socket, .events = POLLIN}, {.fd = c.signals, .events = POLLIN}, {.fd = c.typing ? 0 : -1, .events = POLLIN}};
    if (poll(p, 3, -1) < 0) continue;
    if (p[1].revents && signalled()) detached = true;
    if (p[2].revents && typed()) detached = true;
    if (p[0].revents) code = heard();
  }
  tty_restore();
  if (detached) show(2, "detached\n", 9);
  if (code == -2) {
    static const char gone[] = "the supervisor has gone; apply puts one back\n";
    show(2, gone, sizeof gone - 1);
  }
  return detached ? 0 : code == -2 ? 1 : code;
}
