#include "exec.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "cgroup.h"
#include "confine.h"
#include "idmap.h"
#include "caps.h"
#include "detach.h"
#include "label.h"
#include "namespaces.h"
#include "process.h"
#include "proc.h"
#include "report.h"
#include "root.h"
#include "settings.h"
#include "supervise.h"
#include "sys.h"
#include "sysctl.h"
#include "tty.h"

/* What relay says of a program that goes on; no exit code. */
#define DETACHED 256

/* The pty masters: the host's, opened in advance, and the one in use. */
static struct {
  int host, master;
} pty = {-1, -1};

/* A container in the foreground makes its root first; a further process of one finds it made. */
static int run_program(const struct ns_start *start, int channel) {
  struct root_sources *sources = start->context;
  int root;
  if (sources && (root_build(start->spec, sources, start->create & 1u << NS_MNT, &root) < 0 || root_enter(sources, root) < 0))
    return -1;
  if (sources && message_expect(channel, MSG_KEPT) < 0) return -1;
  if (start->spec->tty && tty_give(channel, pty.host, start->spec->uid, start->spec->gid) < 0) return -1;
  return process_exec(start->spec, channel, *start->spec->settings);
}

static int attend(struct ns_start *start) {
  struct message m;
  bool executing = false;
  int got, fd = -1;
  while ((got = message_receive(start->channel, &m, &fd)) == 1) {
    if (m.kind == MSG_FAULT) return fault = m.fault, -1;
    if (m.kind == MSG_EXEC) executing = true;
    if (m.kind == MSG_SETTLE && settings_apply(start->pid, start->spec->settings, start->channel) < 0) return -1;
    if (m.kind == MSG_TTY) {
      pty.master = m.value ? fd : pty.host;
      if (!tty_is_master(pty.master)) return fail_with(ENODEV, "tty", "not a pty master");
    }
  }
  if (got < 0) return fail("start", "channel");
  return executing ? 0 : fail_with(ECHILD, "start", "the process ended before its program ran");
}

/* Bytes typed and not yet taken by the terminal. */
static struct {
  char buf[1024];
  size_t n;
  bool closed, detached;
  struct detach keys;
} input;

static void to_terminal(void) {
  ssize_t n = write(pty.master, input.buf, input.n);
  if (n <= 0) {
    if (n < 0 && errno != EAGAIN && errno != EINTR) input.n = 0;
    return;
  }
  memmove(input.buf, input.buf + n, input.n - (size_t)n);
  input.n -= (size_t)n;
}

static void from_caller(void) {
  char typed[sizeof input.buf - DETACH_MOST];
  ssize_t n = read(0, typed, sizeof typed);
  for (ssize_t i = 0; i < n && !input.detached; i++) input.detached = detach_typed(&input.keys, typed[i], input.buf, &input.n);
  if (n > 0) return;
  if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
    /* The end of our input becomes ^D, the default VEOF, for the program. */
    input.buf[0] = 4;
    input.n = 1;
    input.closed = true;
  }
}

/* false when nothing (more) is there. EIO: no slave is open any longer. */
static bool from_terminal(void) {
  char buf[4096];
  ssize_t n = read(pty.master, buf, sizeof buf);
  if (n < 0 && errno == EINTR) return true;
  if (n <= 0) return false;
  for (ssize_t at = 0; at < n;) {
    ssize_t wrote = write(1, buf + at, (size_t)(n - at));
    if (wrote < 0 && errno == EAGAIN) {
      struct pollfd p = {.fd = 1, .events = POLLOUT};
      (void)poll(&p, 1, -1);
    } else if (wrote < 0 && errno != EINTR) break;
    else if (wrote > 0) at += wrote;
  }
  return true;
}

/* True when the program has ended; what else arrives is passed on to it. */
static bool signals(int fd, const struct ns_start *start, int *status) {
  struct signalfd_siginfo info;
  while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
    int n = (int)info.ssi_signo;
    if (n == SIGCHLD) {
      if (waitpid(start->pid, status, WNOHANG | __WALL) == start->pid) return true;
    } else if (n == SIGWINCH && pty.master >= 0) tty_copy_size(pty.master);
    else if (n != SIGPIPE && n != SIGTTOU && n != SIGTTIN && n != SIGTSTP && n != SIGCONT)
      (void)sys_pidfd_send_signal(start->pidfd, n);
  }
  return false;
}

/* Holds on to the terminal until the program has ended, and reads what it writes: else it would be hung up, or wait. */
static _Noreturn void keep(const struct ns_start *start) {
  char buf[4096];
  set_title(start->spec->title, " (detached)");
  (void)setsid();
  (void)dup2(pty.master, 0), (void)dup2(start->pidfd, 1);
  sys_close_range(2, ~0U, 0);
  struct pollfd p[] = {{.fd = 0, .events = POLLIN}, {.fd = 1, .events = POLLIN}};
  while (!(p[1].revents & POLLIN)) {
    (void)poll(p, 2, -1);
    /* Nobody has it open; somebody may again. */
    if (p[0].revents && read(0, buf, sizeof buf) <= 0) (void)poll(p + 1, 1, 1000);
  }
  _exit(0);
}

/* Leaves the program running; false when it cannot be left. */
static bool leave(const struct ns_start *start) {
  struct clone3_args args = {.exit_signal = SIGCHLD};
  pid_t keeper = sys_clone3(&args);
  if (keeper == 0) keep(start);
  return keeper > 0;
}

static int relay(int sigfd, const struct ns_start *start) {
  int status = 0;
  for (;;) {
    bool typing = input.n == 0;
    struct pollfd p[] = {{.fd = sigfd, .events = POLLIN},
                         {.fd = pty.master, .events = POLLIN | (typing ? 0 : POLLOUT)},
                         {.fd = pty.master >= 0 && typing && !input.closed ? 0 : -1, .events = POLLIN}};
    if (poll(p, sizeof p / sizeof p[0], -1) < 0) continue;
    if (p[1].revents & POLLOUT) to_terminal();
    /* Hung up and empty: nothing will come until the program ends. */
    if (p[1].revents & (POLLIN | POLLHUP) && !from_terminal() && p[1].revents & POLLHUP) {
      struct pollfd only = {.fd = sigfd, .events = POLLIN};
      (void)poll(&only, 1, 50);
    }
    if (p[2].revents) from_caller();
    if (input.detached && input.n > 0) to_terminal();
    if (input.detached && leave(start)) return DETACHED;
    input.detached = false;
    if (signals(sigfd, start, &status)) break;
  }
  if (pty.master >= 0)
    while (from_terminal()) continue;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* As a supervisor does: only who may mount can take flags off. */
static int lock_sources(const struct ns_start *start) { return root_lock(start->context); }

/* The program runs as a container of its own: its parameters are set, and its state is on its cgroup. */
static int present(const struct spec *spec, const struct ns_start *start, struct run_state *state, int *label) {
  if (sysctl_start(spec, start->create, start->pid) < 0) return -1;
  if (message_send(start->channel, MSG_KEPT, 0) < 0 && errno != EPIPE) return fail("start", "channel");
  if (*spec->label_dir && (*label = label_open(spec)) < 0) return -1;
  *state = (struct run_state){.state = "starting", .exit = -1, .pid = start->pid};
  return 0;
}

static void tell(const struct spec *spec, int label, struct run_state *state, const char *word) {
  state->state = word;
  /* The cgroup may have been removed under us; then there is nobody left to tell. */
  (void)label_write(label, spec, state);
}

int exec_main(const struct spec *spec) {
  static struct root_sources sources;
  struct run_state state = {0};
  bool container = spec->mode == MODE_RUN;
  int label = -1;
  struct ns_start start = {.spec = spec, .create = spec->create, .cgroup = -1, .child = run_program};
  int sigfd = sys_signalfd(UINT64_MAX);
  if (sigfd < 0) return fail("signalfd", "");
  if (*spec->cgroup && (start.cgroup = cgroup_open(spec->cgroup)) < 0) return -1;
  if (ns_open_joins(spec, &start.join) < 0 || confine_join_core(spec) < 0) return -1;
  if (spec->tty && (pty.host = tty_open_master()) < 0) return fail("tty", "/dev/pts/ptmx");
  if (container) {
    start.context = &sources;
    if (cgroup_enter(spec, REC_SUPERVISOR_PROCS, 0) < 0 || root_prepare(spec, ns_joined_user(&start.join), &sources) < 0) return -1;
    bool foreign = start.create & 1u << NS_USER || sources.userns >= 0;
    if (foreign && start.create & 1u << NS_MNT && spec->caps.bounding >> CAP_SYS_ADMIN_ & 1) start.before = lock_sources;
  }
  int result = ns_start(&start);
  if (container) root_release(&sources);
  if (result < 0) return -1;
  if ((container && present(spec, &start, &state, &label) < 0) || attend(&start) < 0) {
    ns_abort(&start);
    return -1;
  }
  close(start.channel);
  (void)proc_start_time(start.pid, state.start, sizeof state.start);
  if (container) tell(spec, label, &state, "running");
  if (pty.master >= 0) {
    fcntl(pty.master, F_SETFL, O_RDWR | O_NONBLOCK);
    tty_copy_size(pty.master);
    input.keys = detach_keys(spec, tty_raw());
  }
  report_ok(start.pid, state.start, true);
  if (spec->background) return 0;
  int code = relay(sigfd, &start);
  tty_restore();
  if (code == DETACHED) return (void)!write(2, "detached\n", 9), 0;
  if (container) {
    state.pid = 0;
    state.exit = code;
    tell(spec, label, &state, "exited");
  }
  return code;
}
