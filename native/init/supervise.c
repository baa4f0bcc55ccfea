#include "supervise.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

#include "cgroup.h"
#include "health.h"
#include "history.h"
#include "hooks.h"
#include "mailbox.h"
#include "proc.h"
#include "report.h"
#include "supervisor.h"
#include "sys.h"
#include "terminal.h"
#include "text.h"
#include "update.h"

/* A run this long counts as a success: the next failure is the first in a row again. */
#define STEADY_MS 10000
/* Our own descriptors; the terminal's follow. */
#define POLLS 6
/* A full pipe is 64 KiB: this many buffers empty both when the container has ended. */
#define DRAIN_ALL 64
#define DRAIN_SOME 16

static struct supervisor sup = {.stdin_end = -1, .self = -1, .label = -1, .cgroup = -1, .signals = -1, .pidfd = -1, .logs = {{-1, -1}, {-1, -1}}};

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
  /* Ended for its health's sake; and whether its end calls for another start. */
  bool ill, was_healthy;
  int64_t ran;
  /* Of the cgroup when the run began. */
  uint64_t oom_kills;
} run;

/* Hooks that run beside us, and what comes after them. */
static struct {
  int pidfd, result;
  enum hook_moment moment;
  void (*then)(void);
} hooks = {.pidfd = -1, .result = -1};

static void hooks_over(void) {
  if (hooks.pidfd < 0) return;
  (void)sys_pidfd_send_signal(hooks.pidfd, SIGTERM);
  close(hooks.pidfd);
  close(hooks.result);
  hooks.pidfd = hooks.result = -1;
}

/* Runs `then` after the hooks of the moment, at once where there are none. A hook that fails has said so in the log. */
static void after_hooks(enum hook_moment moment, const char *status, void (*then)(void)) {
  hooks_over();
  hooks.moment = moment;
  hooks.then = then;
  if (hooks_due(sup.spec, moment)) hooks.pidfd = hooks_begin(&sup, moment, status, &hooks.result);
  if (hooks.pidfd < 0 && then) then();
}

static void hooks_ended(void) {
  void (*then)(void) = hooks.then;
  hooks_over();
  if (then) then();
}

static void begun(void) {
  run.started = now_ms();
  if (sup.adopted) run.started -= proc_age_ms(sup.state.start);
  run.ill = false;
  run.oom_kills = cgroup_oom_kills(sup.spec, sup.cgroup);
  health_begin(&sup, run.started);
  if (!sup.adopted) after_hooks(HOOK_POST_START, "running", NULL);
}

/* A directory that has been removed under us is the caller's doing; after the start there is nobody left to tell. */
static int set_state(const char *state) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  sup.state.since = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
  sup.state.state = state;
  sup.state.pid = sup.pid;
  if (sup.pid == 0) sup.state.start[0] = '\0';
  return label_write(sup.label, sup.spec, &sup.state);
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

static int prepare(struct spec *spec) {
  sup.spec = spec;
  sup.state = (struct run_state){.state = "starting", .exit = -1};
  /* First: the number is free, and stays taken. */
  if (update_open() < 0) return -1;
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
  terminal_listen(spec);
  sup.policy = label_policy(sup.label, spec);
  health_load(&sup, 0);
  return 0;
}

static int begin(void) {
  if (sup.spec->adopt_pid > 0) return container_adopt(&sup);
  if (log_wanted(sup.spec))
    for (int id = 0; id < LOG_STREAMS; id++)
      if (log_pipe_make(&sup.logs[id]) < 0) return -1;
  if (ns_open_joins(sup.spec, &sup.joined) < 0) return -1;
  return sup.spec->nrestore > 0 ? container_restore(&sup) : container_start(&sup);
}

/* Everything in the group, frozen or not; without one, the process, and with it its pid namespace. */
static void kill_all(void) {
  run.kill_at = 0;
  if (sup.cgroup >= 0) (void)cgroup_kill(sup.cgroup);
  if (sup.pidfd >= 0) (void)sys_pidfd_send_signal(sup.pidfd, SIGKILL);
}

static _Noreturn void finish(const char *state, int code) {
  (void)set_state(state);
  _exit(code);
}

/* The stop signal, and the kill after the grace. */
static void ask_to_end(void) {
  (void)sys_pidfd_send_signal(sup.pidfd, (int)sup.policy.stop_signal);
  bool in_vain = proc_drops_signal(sup.pid, (int)sup.policy.stop_signal);
  run.kill_at = now_ms() + (in_vain ? 0 : (int64_t)sup.policy.grace_ms);
}

static void stop(void) {
  if (run.stopping) return;
  run.stopping = true;
  if (sup.pid == 0) {
    /* The hooks that follow its end are let finish; nothing is started after them. */
    if (hooks.pidfd >= 0 && hooks.moment == HOOK_POST_STOP) return;
    finish("stopped", 0);
  }
  (void)set_state("stopping");
  after_hooks(HOOK_PRE_STOP, "running", ask_to_end);
}

static void heed(enum health_action action) {
  if (action == HEALTH_GO_ON || run.stopping || run.ill || sup.pid == 0) return;
  run.ill = true;
  if (action == HEALTH_STOP) stop();
  else after_hooks(HOOK_PRE_STOP, "running", ask_to_end);
}

static bool restart_due(void) {
  const struct restart_policy *p = &sup.policy;
  bool failed = sup.state.exit != 0 || sup.state.signal != 0;
  /* A health check that restarts does so whatever the policy says of ends by themselves. */
  if (!run.ill && (p->kind == RESTART_NO || (p->kind == RESTART_ON_FAILURE && !failed))) return false;
  return p->max == 0 || run.streak < p->max;
}

static int64_t backoff(void) {
  uint64_t delay = sup.policy.backoff_ms, cap = sup.policy.backoff_max_ms;
  for (uint32_t n = 0; n < run.streak && delay < cap; n++) delay *= 2;
  return (int64_t)(delay < cap ? delay : cap);
}

static void settle(void);

/* The container's process has ended. */
static void ended(int code, int signal) {
  int64_t ran = now_ms() - run.started;
  struct run_end end = {code, signal, ran, cgroup_oom_kills(sup.spec, sup.cgroup) - run.oom_kills,
                        run.ill ? "unhealthy" : run.stopping ? "stop" : "exit"};
  history_add(sup.label, sup.spec, &end);
  run.was_healthy = health_end(&sup);
  run.ran = ran;
  run.kill_at = 0;
  close(sup.pidfd);
  sup.pidfd = -1;
  sup.pid = 0;
  sup.state.exit = code;
  sup.state.signal = signal;
  for (int id = 0; id < LOG_STREAMS; id++) log_drain((enum log_stream_id)id, &sup.logs[id], DRAIN_ALL);
  log_flush();
  terminal_end(signal ? 128 + signal : code);
  if (sup.spec->terminal_flags & TERMINAL_TTY) sup.logs[LOG_STDOUT].read = -1;
  sup.state.keeper = 0;
  /* Without a pid namespace of its own it may have left others behind; nothing of it may be left when it begins again. */
  bool alone = sup.spec->create & 1u << NS_PID;
  if ((run.stopping || run.ill || !alone) && sup.cgroup >= 0) (void)cgroup_kill(sup.cgroup);
  if (hooks_due(sup.spec, HOOK_POST_STOP)) (void)set_state("stopping");
  after_hooks(HOOK_POST_STOP, "stopped", settle);
}

/* After the end, and its hooks: the end of us too, or another start. */
static void settle(void) {
  for (int id = 0; id < LOG_STREAMS; id++) log_drain((enum log_stream_id)id, &sup.logs[id], DRAIN_ALL);
  log_flush();
  if (run.stopping) finish("stopped", 0);
  if (run.ill ? run.was_healthy : run.ran >= STEADY_MS) run.streak = 0;
  if (!restart_due()) finish("exited", 0);
  run.restart_at = now_ms() + backoff();
  (void)set_state("backoff");
}

/* What hooks before the start have begun, those after the stop may end. Waited for: nothing else is to be done. */
static void failed_to_start(void) {
  struct fault first = fault;
  int result = -1, pidfd = hooks_due(sup.spec, HOOK_POST_STOP) ? hooks_begin(&sup, HOOK_POST_STOP, "stopped", &result) : -1;
  struct pollfd p = {.fd = result, .events = POLLIN};
  while (pidfd >= 0 && poll(&p, 1, -1) < 0) continue;
  for (int id = 0; id < LOG_STREAMS; id++) log_drain((enum log_stream_id)id, &sup.logs[id], DRAIN_ALL);
  log_flush();
  fault = first;
}

static void restart(void) {
  run.restart_at = 0;
  run.streak++;
  sup.state.restarts++;
  for (int id = 0; id < LOG_STREAMS; id++)
    if (log_wanted(sup.spec) && sup.logs[id].write < 0 && log_pipe_make(&sup.logs[id]) < 0) finish("failed", 1);
  if (container_start(&sup) == 0) {
    begun();
    (void)set_state("running");
    return;
  }
  failed_to_start();
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
  int64_t due[] = {run.restart_at, run.kill_at, health_due(), terminal_due()}, at = 0;
  for (int i = 0; i < 4; i++)
    if (due[i] && (!at || due[i] < at)) at = due[i];
  if (!at) return -1;
  int64_t wait = at - now_ms();
  return wait < 0 ? 0 : wait > 3600000 ? 3600000 : (int)wait;
}

static void reload(void) {
  sup.reload_asked = false;
  update_take(&sup);
  mailbox_take(&sup);
  sup.policy = label_policy(sup.label, sup.spec);
  health_load(&sup, now_ms());
  terminal_listen(sup.spec);
}

/* What has been asked for, and what is due. */
static void act(void) {
  if (sup.reload_asked) reload();
  /* Before the ends are looked at: an end after a request to stop is not followed by a restart. */
  if (sup.stop_asked) stop();
  if (sup.reap_asked) sup.reap_asked = false, reap();
  if (run.kill_at && now_ms() >= run.kill_at) kill_all();
  if (run.restart_at && now_ms() >= run.restart_at) restart();
  heed(health_act(&sup, now_ms()));
}

static _Noreturn void loop(void) {
  for (;;) {
    /* A restart may itself have heard signals: nothing may be left to do when we sleep. */
    do act();
    while (sup.reap_asked || sup.reload_asked || (sup.stop_asked && !run.stopping));
    /* A client that is behind holds up the output, not us. */
    int mute = terminal_busy() ? -1 : 0;
    struct pollfd p[] = {{.fd = sup.signals, .events = POLLIN},
                         {.fd = mute ? mute : sup.logs[LOG_STDOUT].read, .events = POLLIN},
                         {.fd = mute ? mute : sup.logs[LOG_STDERR].read, .events = POLLIN},
                         {.fd = sup.adopted ? sup.pidfd : -1, .events = POLLIN},
                         {.fd = health_fd(), .events = POLLIN},
                         {.fd = hooks.result, .events = POLLIN},
                         [POLLS ... POLLS + TERMINAL_POLLS - 1] = {.fd = -1}};
    terminal_polls(p + POLLS, sup.pid > 0);
    if (poll(p, sizeof p / sizeof p[0], timeout()) < 0) continue;
    terminal_act(&sup, p + POLLS);
    for (int id = 0; id < LOG_STREAMS; id++)
      if (p[1 + id].revents) log_drain((enum log_stream_id)id, &sup.logs[id], DRAIN_SOME);
    if (p[0].revents) signals_read(&sup);
    if (p[5].revents) hooks_ended();
    if (p[3].revents && sup.adopted && sup.pid > 0) {
      if (sup.stop_asked) stop();
      adopted_ended();
    }
  }
}

int supervise_main(struct spec *spec) {
  if (prepare(spec) < 0) return -1;
  /* A container that is not ours to take keeps the label it has. */
  bool adopting = spec->adopt_pid > 0;
  if (!adopting) (void)set_state("starting");
  if (begin() < 0) {
    if (!adopting) failed_to_start();
    struct fault first = fault;
    if (!adopting) (void)set_state("failed");
    fault = first;
    return -1;
  }
  begun();
  if (set_state("running") < 0) {
    kill_all();
    return -1;
  }
  report_ok(sup.pid, sup.state.start, true);
  loop();
}
