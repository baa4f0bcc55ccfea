#include "terminal.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <termios.h>
#include <time.h>

#include "log.h"
#include "proc.h"
#include "process.h"
#include "report.h"
#include "supervise.h"
#include "sys.h"
#include "text.h"
#include "tty.h"

#define CLIENTS 8
/* A client that takes nothing for so long is let go: until then the container waits for it, as for any slow terminal. */
#define PATIENCE_MS 5000
/* Where the keeper has them. */
enum kept_fd { KEPT_MASTER = 10, KEPT_SLAVE, KEPT_INPUT };

static struct {
  int listen, client[CLIENTS];
  /* The terminal; or the pipe to standard input. The slave is held so that the master never hangs up. */
  int master, slave, input;
  uint32_t flags;
  /* Output that some clients have not taken yet, and who. */
  uint32_t pending;
  /* Who has said something and not that it was all. */
  uint32_t speaking;
  size_t pending_n;
  int64_t since;
  /* Typed and not taken yet. */
  size_t typed_n;
  char typed[FRAME_MOST], chunk[FRAME_MOST];
} t = {.listen = -1, .client = {-1, -1, -1, -1, -1, -1, -1, -1}, .master = -1, .slave = -1, .input = -1};

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void shut(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

/* A path longer than sun_path is reached through its directory's descriptor. man 7 unix */
int terminal_address(const char *path, struct sockaddr_un *a) {
  char dir[4096];
  const char *slash = strrchr(path, '/');
  memset(a, 0, sizeof *a);
  if (!slash || slash == path || strlen(slash) > 80) return errno = ENAMETOOLONG, -1;
  struct text d = text_into(dir, sizeof dir);
  text_bytes(&d, path, (size_t)(slash - path));
  int fd = open(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return -1;
  a->sun_family = AF_UNIX;
  struct text p = text_into(a->sun_path, sizeof a->sun_path);
  text_str(&p, "/proc/self/fd/");
  text_num(&p, fd);
  text_str(&p, slash);
  return fd;
}

void terminal_listen(const struct spec *spec) {
  struct sockaddr_un a;
  struct stat st;
  t.flags = spec->terminal_flags;
  if (!*spec->attach_path || (t.listen >= 0 && stat(spec->attach_path, &st) == 0)) return;
  shut(&t.listen);
  int dir = terminal_address(spec->attach_path, &a);
  if (dir < 0) return log_note("tsbox: nobody can attach: the run directory is not there");
  (void)unlink(a.sun_path);
  mode_t mask = umask(0177);
  t.listen = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (t.listen >= 0 && (bind(t.listen, (struct sockaddr *)&a, sizeof a) < 0 || listen(t.listen, CLIENTS) < 0)) shut(&t.listen);
  umask(mask);
  close(dir);
  if (t.listen < 0) log_note("tsbox: nobody can attach: the socket cannot be made");
}

int terminal_input(struct supervisor *s) {
  int ends[2];
  shut(&t.input);
  t.typed_n = 0;
  if (!(s->spec->terminal_flags & TERMINAL_STDIN) || s->spec->terminal_flags & TERMINAL_TTY) return -1;
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  (void)fcntl(ends[1], F_SETFL, O_NONBLOCK | O_WRONLY);
  t.input = ends[1];
  return ends[0];
}

/* Holds on to the terminal until the container has ended: without it a killed supervisor would hang it up. */
static _Noreturn void keep(struct supervisor *s) {
  struct pollfd p = {.fd = s->pidfd, .events = POLLIN};
  set_title(s->spec->title, " (terminal)");
  if (t.master >= 0) (void)dup2(t.master, KEPT_MASTER), (void)dup2(t.slave, KEPT_SLAVE);
  if (t.input >= 0) (void)dup2(t.input, KEPT_INPUT);
  (void)dup2(s->pidfd, KEPT_INPUT + 1);
  p.fd = KEPT_INPUT + 1;
  sys_close_range(0, KEPT_MASTER - 1, 0);
  sys_close_range(KEPT_INPUT + 2, ~0U, 0);
  while (!(p.revents & POLLIN)) (void)poll(&p, 1, -1);
  _exit(0);
}

static void begin_keeper(struct supervisor *s) {
  struct clone3_args args = {.exit_signal = SIGCHLD};
  s->state.keeper = sys_clone3(&args);
  if (s->state.keeper == 0) keep(s);
  if (s->state.keeper < 0 || proc_start_time(s->state.keeper, s->state.keeper_start, sizeof s->state.keeper_start) < 0) s->state.keeper = 0;
}

static void take_master(struct supervisor *s) {
  (void)fcntl(t.master, F_SETFL, O_RDWR | O_NONBLOCK);
  /* The log reads it as it reads a pipe, but never writes. */
  s->logs[LOG_STDOUT].read = t.master;
}

void terminal_begin(struct supervisor *s, int master) {
  s->state.keeper = 0;
  t.master = master;
  if (master >= 0) {
    t.slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    take_master(s);
  }
  if (t.master >= 0 || t.input >= 0) begin_keeper(s);
}

static const char *after(const char *text, const char *key) {
  const char *at = strstr(text, key);
  return at ? at + strlen(key) : NULL;
}

void terminal_adopt(struct supervisor *s) {
  char buf[512], now[24];
  uint64_t pid = 0;
  ssize_t n = s->label < 0 ? -1 : fgetxattr(s->label, s->spec->run_xattr, buf, sizeof buf - 1);
  if (n <= 0 || !(s->spec->terminal_flags & (TERMINAL_TTY | TERMINAL_STDIN))) return;
  buf[n] = '\0';
  const char *at = after(buf, " keeper="), *start = after(buf, " kstart=");
  if (!at || !start || !parse_num(at, INT32_MAX, &pid) || pid == 0) return log_note("tsbox: the terminal is lost: nobody keeps it");
  int keeper = sys_pidfd_open((pid_t)pid);
  bool same = keeper >= 0 && proc_start_time((pid_t)pid, now, sizeof now) == 0 && strncmp(start, now, strlen(now)) == 0;
  if (same) {
    /* man 2 pidfd_getfd: opening /proc/PID/fd/N of a master would make another terminal. */
    t.master = (int)syscall(SYS_pidfd_getfd, keeper, KEPT_MASTER, 0);
    t.slave = (int)syscall(SYS_pidfd_getfd, keeper, KEPT_SLAVE, 0);
    t.input = (int)syscall(SYS_pidfd_getfd, keeper, KEPT_INPUT, 0);
    s->state.keeper = (pid_t)pid;
    struct text k = text_into(s->state.keeper_start, sizeof s->state.keeper_start);
    text_str(&k, now);
  }
  if (keeper >= 0) close(keeper);
  if (t.master >= 0) take_master(s);
  else if (t.input < 0) log_note("tsbox: the terminal is lost: its keeper is gone, or CAP_SYS_PTRACE is");
}

static void drop(int i) {
  shut(&t.client[i]);
  t.pending &= ~(1u << i);
  t.speaking &= ~(1u << i);
}

static bool frame(int i, char kind, const void *data, size_t n) {
  struct iovec iov[2] = {{&kind, 1}, {(void *)(uintptr_t)data, n}};
  struct msghdr h = {.msg_iov = iov, .msg_iovlen = 2};
  if (sendmsg(t.client[i], &h, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return true;
  if (errno != EAGAIN) drop(i);
  return false;
}

void terminal_end(int code) {
  int32_t value = code;
  for (int i = 0; i < CLIENTS; i++)
    if (t.client[i] >= 0) {
      (void)frame(i, 'x', &value, sizeof value);
      drop(i);
    }
  shut(&t.master);
  shut(&t.slave);
  shut(&t.input);
}

void terminal_output(int stream, const char *data, size_t n) {
  for (int i = 0; i < CLIENTS; i++)
    if (t.client[i] >= 0 && !frame(i, stream == LOG_STDERR ? '2' : '1', data, n) && t.client[i] >= 0) t.pending |= 1u << i;
  if (!t.pending) return;
  t.chunk[0] = stream == LOG_STDERR ? '2' : '1';
  memcpy(t.chunk + 1, data, n);
  t.pending_n = n;
  t.since = now_ms();
}

bool terminal_busy(void) { return t.pending != 0; }
int64_t terminal_due(void) { return t.pending ? t.since + PATIENCE_MS : 0; }

void terminal_polls(struct pollfd *p, bool has_process) {
  p[0] = (struct pollfd){.fd = t.listen, .events = POLLIN};
  int sink = t.master >= 0 ? t.master : t.input;
  p[1] = (struct pollfd){.fd = t.typed_n > 0 ? sink : -1, .events = POLLOUT};
  for (int i = 0; i < CLIENTS; i++)
    p[2 + i] = (struct pollfd){.fd = t.client[i], .events = (t.typed_n == 0 && has_process ? POLLIN : 0) | (t.pending & 1u << i ? POLLOUT : 0)};
  p[2 + CLIENTS] = (struct pollfd){.fd = -1};
}

/* Only root, who owns the socket's directory, gets here; said once more by the kernel. man 7 unix, SO_PEERCRED */
static void welcome(void) {
  struct {
    pid_t pid;
    uid_t uid;
    gid_t gid;
  } peer;
  socklen_t n = sizeof peer;
  uint8_t flags = (uint8_t)t.flags;
  int fd = accept4(t.listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), i = 0;
  if (fd < 0) return;
  while (i < CLIENTS && t.client[i] >= 0) i++;
  if (i == CLIENTS || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 || peer.uid != 0) {
    close(fd);
    return;
  }
  t.client[i] = fd;
  (void)frame(i, 'h', &flags, 1);
}

static void type(void) {
  int sink = t.master >= 0 ? t.master : t.input;
  ssize_t n = sink < 0 ? -1 : write(sink, t.typed, t.typed_n);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    t.typed_n = 0;
    return;
  }
  memmove(t.typed, t.typed + n, t.typed_n - (size_t)n);
  t.typed_n -= (size_t)n;
}

/* The keeper's copy of the pipe would keep it open. */
static void dismiss(struct supervisor *s) {
  char now[24];
  int fd = s->state.keeper ? sys_pidfd_open(s->state.keeper) : -1;
  if (fd < 0) return;
  if (proc_start_time(s->state.keeper, now, sizeof now) == 0 && strcmp(now, s->state.keeper_start) == 0) (void)sys_pidfd_send_signal(fd, SIGKILL);
  close(fd);
  s->state.keeper = 0;
  (void)label_write(s->label, s->spec, &s->state);
}

static void hear(struct supervisor *s, int i) {
  char buf[FRAME_MOST];
  struct winsize size = {0};
  ssize_t n = recv(t.client[i], buf, sizeof buf, MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return drop(i);
  switch (buf[0]) {
    case 'i':
      if (!(t.flags & (TERMINAL_STDIN | TERMINAL_TTY))) return;
      memcpy(t.typed, buf + 1, (size_t)n - 1);
      t.typed_n = (size_t)n - 1;
      t.speaking |= 1u << i;
      if (t.typed_n > 0) type();
      return;
    case 'e':
      /* A terminal has no end but ^D; a pipe ends for good, when nobody else is speaking. */
      t.speaking &= ~(1u << i);
      if (t.master < 0 && !t.speaking) shut(&t.input), dismiss(s);
      return;
    case 'w':
      if (n != 5 || t.master < 0) return;
      memcpy(&size.ws_row, buf + 1, 2);
      memcpy(&size.ws_col, buf + 3, 2);
      (void)ioctl(t.master, TIOCSWINSZ, &size);
      return;
    case 's':
      if (n == 2 && buf[1] >= 1 && buf[1] <= 64 && s->pidfd >= 0) (void)sys_pidfd_send_signal(s->pidfd, buf[1]);
      return;
    default: return;
  }
}

void terminal_act(struct supervisor *s, const struct pollfd *p) {
  if (p[0].revents) welcome();
  if (p[1].revents && t.typed_n > 0) type();
  for (int i = 0; i < CLIENTS; i++) {
    if (t.client[i] < 0 || p[2 + i].fd != t.client[i]) continue;
    if (t.pending & 1u << i) {
      if (p[2 + i].revents & POLLOUT && frame(i, t.chunk[0], t.chunk + 1, t.pending_n)) t.pending &= ~(1u << i), t.since = now_ms();
      else if (now_ms() - t.since > PATIENCE_MS) drop(i);
    }
    if (t.client[i] >= 0 && p[2 + i].revents & (POLLIN | POLLHUP | POLLERR) && t.typed_n == 0) hear(s, i);
  }
}
