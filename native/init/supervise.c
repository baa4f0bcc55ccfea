#include "supervise.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

#include "cgroup.h"
#include "proc.h"
#include "report.h"
#include "supervisor.h"
#include "sys.h"
#include "text.h"

/* A run this long counts as a success: the next failure is the first in a row again. */
#define STEADY_MS 10000
/* A full pipe is 64 KiB: this many buffers empty both when the container has ended. */
#define DRAIN_ALL 64
#define DRAIN_SOME 16

static struct supervisor sup = {.label = -1, .cgroup = -1, .signals = -1, .pidfd = -1, .logs = {{-1, -1}, {-1, -1}}};

/* CLOCK_MONOTONIC: steps of the wall clock neither shorten nor stretch a delay. */
static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Deadlines, 0 when not set; and the count of restarts in a row. */
static struct {
  int64_t started, restart_at, kill_at;
  uint32_t streak;
  bool stopping;
} run;

static void set_state(const char *state) {
  sup.state.state = state;
  sup.state.pid = sup.pid;
  if (sup.pid == 0) sup.state.start[0] = '\0';
  /* A directory that has been removed under us is the caller's doing; there is nobody left to tell. */
  (void)label_write(sup.label, sup.spec, &sup.state);
}

void signals_read(struct supervisor *s) {
  struct signalfd_siginfo info;
  while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
    if (info.ssi_signo == SIGCHLD) s->reap_asked = true;
    if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) s->stop_asked = true;
    if (info.ssi_signo == SIGHUP) s->reload_asked = true;
  }
}

static int null_stdio(void) {
  int fd = device_open("/dev/null", O_RDWR, 'c', 1, 3);
  if (fd < 0) return fail("stdio", "/dev/null");
  for (int n = 0; n < 3; n++)
    if (dup2(fd, n) < 0) return fail("stdio", "dup2");
  if (fd > 2) close(fd);
  return 0;
}

static int prepare(const struct spec *spec) {
  sup.spec = spec;
  sup.state = (struct run_state){.state = "starting", .exit = -1};
  (void)setsid(); /* EPERM: the caller already made us a leader. */
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) return fail("subreaper", "");
  if (null_stdio() < 0) return -1;
  if (chdir("/") < 0) return fail("chdir", "/");
  sup.signals = sys_signalfd(SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGTERM) | SIGNAL_BIT(SIGINT) | SIGNAL_BIT(SIGHUP));
  if (sup.signals < 0) return fail("signalfd", "");
  if (cgroup_enter(spec, REC_SUPERVISOR_PROCS, 0) < 0) return -1;
  if (*spec->cgroup && (sup.cgroup = cgroup_open(spec->cgroup)) < 0) return -1;
  if (*spec->label_dir && (sup.label = label_open(spec)) < 0) return -1;
  if (log_open(spec) < 0) return -1;
  sup.policy = label_policy(sup.label, spec);
  return 0;
}

static int begin(void) {
  if (sup.spec->adopt_pid > 0) return container_adopt(&sup);
  if (*sup.spec->log_path)
    for (int id = 0; id < LOG_STREAMS; id++)
      if (log_pipe_make(&sup.logs[id]) < 0) return -1;
  return ns_open_joins(sup.spec, &sup.joined) < 0 ? -1 : container_start(&sup);
}

/* Everything in the group, frozen or not; without one, the process, and with it its pid namespace. */
static void kill_all(void) {
  run.kill_at = 0;
  if (sup.cgroup >= 0) (void)cgroup_kill(sup.cgroup);
  if (sup.pidfd >= 0) (void)sys_pidfd_send_signal(sup.pidfd, SIGKILL);
}

static _Noreturn void finish(const char *state, int code) {
  set_state(state);
  _exit(code);
}

static void stop(void) {
  if (run.stopping) return;
  run.stopping = true;
  if (sup.pid == 0) finish("stopped", 0);
  set_state("stopping");
  (void)sys_pidfd_send_signal(sup.pidfd, (int)sup.policy.stop_signal);
  bool in_vain = proc_drops_signal(sup.pid, (int)sup.policy.stop_signal);
  run.kill_at = now_ms() + (in_vain ? 0 : (int64_t)sup.policy.grace_ms);
}

static bool restart_due(void) {
  const struct restart_policy *p = &sup.policy;
  bool failed = sup.state.exit != 0 || sup.state.signal != 0;
  if (p->kind == RESTART_NO || (p->kind == RESTART_ON_FAILURE && !failed)) return false;
  return p->max == 0 || run.streak < p->max;
}

static int64_t backoff(void) {
  uint64_t delay = sup.policy.backoff_ms, cap = sup.policy.backoff_max_ms;
  for (uint32_t n = 0; n < run.streak && delay < cap; n++) delay *= 2;
  return (int64_t)(delay < cap ? delay : cap);
}

/* The container's process has ended. */
static void ended(int code, int signal) {
  close(sup.pidfd);
  sup.pidfd = -1;
  sup.pid = 0;
  sup.state.exit = code;
  sup.state.signal = signal;
  for (int id = 0; id < LOG_STREAMS; id++) log_drain((enum log_stream_id)id, &sup.logs[id], DRAIN_ALL);
  log_flush();
  if (run.stopping) {
    /* Without a pid namespace of its own it may have left others behind. */
    if (sup.cgroup >= 0) (void)cgroup_kill(sup.cgroup);
    finish("stopped", 0);
  }
  if (now_ms() - run.started >= STEADY_MS) run.streak = 0;
  if (!restart_due()) finish("exited", 0);
  run.restart_at = now_ms() + backoff();
  set_state("backoff");
}

static void restart(void) {
  run.restart_at = 0;
  run.streak++;
  sup.state.restarts++;
  for (int id = 0; id < LOG_STREAMS; id++)
    if (*sup.spec->log_path && sup.logs[id].write < 0 && log_pipe_make(&sup.logs[id]) < 0) finish("failed", 1);
  if (container_start(&sup) == 0) {
    run.started = now_ms();
    set_state("running");
    return;
  }
  if (sup.stop_asked) finish("stopped", 0);
  char line[sizeof(struct fault) + 64];
  struct text t = text_into(line, sizeof line);
  text_str(&t, "tsbox: restart failed: step=");
  text_str(&t, fault.step);
  text_str(&t, " errno=");
  text_num(&t, fault.err);
  text_str(&t, " path=");
  text_str(&t, fault.path);
  log_note(line);
  finish("failed", 1);
}

/* As subreaper we get the orphans of a container that shares our pid namespace, too. */
static void reap(void) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0)
    if (pid == sup.pid && !sup.adopted) {
      if (WIFSIGNALED(status)) ended(-1, WTERMSIG(status));
      else ended(WEXITSTATUS(status), 0);
    }
}

static void adopted_ended(void) {
  int status;
  if (!container_adopted_status(&sup, &status)) ended(-2, 0);
  else if (WIFSIGNALED(status)) ended(-1, WTERMSIG(status));
  else ended(WEXITSTATUS(status), 0);
}

static int timeout(void) {
  int64_t at = run.restart_at && (!run.kill_at || run.restart_at < run.kill_at) ? run.restart_at : run.kill_at;
  if (!at) return -1;
  int64_t wait = at - now_ms();
  return wait < 0 ? 0 : wait > 3600000 ? 3600000 : (int)wait;
}

/* What has been asked for, and what is due. */
static void act(void) {
  if (sup.reload_asked) sup.reload_asked = false, sup.policy = label_policy(sup.label, sup.spec);
  /* Before the ends are looked at: an end after a request to stop is not followed by a restart. */
  if (sup.stop_asked) stop();
  if (sup.reap_asked) sup.reap_asked = false, reap();
  if (run.kill_at && now_ms() >= run.kill_at) kill_all();
  if (run.restart_at && now_ms() >= run.restart_at) restart();
}

static _Noreturn void loop(void) {
  for (;;) {
    /* A restart may itself have heard signals: nothing may be left to do when we sleep. */
    do act();
    while (sup.reap_asked || sup.reload_asked || (sup.stop_asked && !run.stopping));
    struct pollfd p[] = {{.fd = sup.signals, .events = POLLIN},
                         {.fd = sup.logs[LOG_STDOUT].read, .events = POLLIN},
                         {.fd = sup.logs[LOG_STDERR].read, .events = POLLIN},
                         {.fd = sup.adopted ? sup.pidfd : -1, .events = POLLIN}};
    if (poll(p, sizeof p / sizeof p[0], timeout()) < 0) continue;
    for (int id = 0; id < LOG_STREAMS; id++)
      if (p[1 + id].revents) log_drain((enum log_stream_id)id, &sup.logs[id], DRAIN_SOME);
    if (p[0].revents) signals_read(&sup);
    if (p[3].revents && sup.adopted && sup.pid > 0) {
      if (sup.stop_asked) stop();
      adopted_ended();
    }
  }
}

int supervise_main(const struct spec *spec) {
  if (prepare(spec) < 0) return -1;
  /* A container that is not ours to take keeps the label it has. */
  bool adopting = spec->adopt_pid > 0;
  if (!adopting) set_state("starting");
  if (begin() < 0) {
    struct fault first = fault;
    if (!adopting) set_state("failed");
    fault = first;
    return -1;
  }
  run.started = now_ms();
  sup.state.state = "running";
  sup.state.pid = sup.pid;
  if (label_write(sup.label, spec, &sup.state) < 0) {
    kill_all();
    return -1;
  }
  report_ok(sup.pid, sup.state.start, true);
  loop();
}
