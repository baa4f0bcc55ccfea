/*
 * The moments are those of the OCI runtime specification ("Lifecycle"): before the start on the host (prestart,
 * createRuntime), in the container's namespaces with the host's root (createContainer), in the container
 * (startContainer); after the start, after the stop; and before the stop, as Compose has it.
 */
#include "hooks.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "log.h"
#include "process.h"
#include "report.h"
#include "sys.h"
#include "text.h"

struct hook {
  uint32_t moment, place;
  uint64_t timeout_ms;
  const char *name;
  uint32_t nargs, nenv;
  struct cursor strings;
};

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool decode(struct cursor p, struct hook *h) {
  const char *ignored;
  if (!cursor_u32(&p, &h->moment) || h->moment >= HOOK_MOMENTS || !cursor_u32(&p, &h->place) || h->place >= HOOK_PLACES) return false;
  if (!cursor_u64(&p, &h->timeout_ms) || !cursor_str(&p, &h->name) || !cursor_u32(&p, &h->nargs) || !cursor_u32(&p, &h->nenv)) return false;
  if (h->nargs == 0 || h->nargs > 4096 || h->nenv > 65536) return false;
  h->strings = p;
  for (uint32_t i = 0; i < h->nargs + h->nenv; i++)
    if (!cursor_str(&p, &ignored)) return false;
  return p.at == p.end;
}

bool decode_hook(struct cursor payload) {
  struct hook h;
  return decode(payload, &h);
}

bool hooks_any(const struct spec *spec, enum hook_moment moment, enum hook_place place) {
  struct cursor records = spec_records(spec), payload;
  struct hook h;
  while (spec_next(&records, REC_HOOK, &payload))
    if (decode(payload, &h) && h.moment == moment && h.place == place) return true;
  return false;
}

bool hooks_due(const struct spec *spec, enum hook_moment moment) {
  return hooks_any(spec, moment, HOOK_HOST) || (moment != HOOK_PRE_START && hooks_any(spec, moment, HOOK_CONTAINER));
}

/* Both vectors in one mapping, arguments first; for the life of the process, which is short or execs. */
static char **vectors(const struct hook *h, char ***env) {
  size_t n = h->nargs + h->nenv + 2;
  char **v = mmap(NULL, n * sizeof *v, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct cursor p = h->strings;
  const char *s;
  if (v == MAP_FAILED) return NULL;
  for (uint32_t i = 0; i < h->nargs && cursor_str(&p, &s); i++) v[i] = (char *)(uintptr_t)s;
  *env = v + h->nargs + 1;
  for (uint32_t i = 0; i < h->nenv && cursor_str(&p, &s); i++) (*env)[i] = (char *)(uintptr_t)s;
  return v;
}

/* What the child of one hook needs. */
static struct {
  const struct supervisor *s;
  const struct hook *hook;
  int input;
  char **argv, **env;
} job;

static int stdio(void) {
  const struct log_pipe *logs = job.s->logs;
  if (dup2(job.input, 0) < 0) return fail("stdio", "dup2");
  for (int id = 0; id < LOG_STREAMS; id++) {
    int fd = logs[id].write >= 0 ? logs[id].write : logs[LOG_STDERR].write;
    if (fd >= 0 && dup2(fd, id + 1) < 0) return fail("stdio", "dup2");
  }
  return 0;
}

/* With our own privileges and root. */
static _Noreturn void as_we_are(int channel) {
  if (setsid() >= 0 && stdio() == 0 && sys_close_range(3, ~0U, CLOSE_RANGE_CLOEXEC_) == 0) {
    signals_unblock();
    (void)process_search(job.argv, job.env);
  }
  message_send_fault(channel);
  _exit(127);
}

/* As the container's own process would: its user, its capabilities, its filter. */
static int as_the_container(const struct ns_start *start, int channel) {
  if (stdio() < 0) return -1;
  /* Before the start nobody is there who could set what its process is given from outside. */
  return process_exec(start->spec, channel, job.hook->moment != HOOK_PRE_START);
}

/* The state of the OCI runtime specification, in a pipe that is closed at its end. */
static int state_pipe(pid_t pid, const char *status) {
  int ends[2];
  char tail[64];
  const char *head = job.s->spec->hook_state;
  struct text t = text_into(tail, sizeof tail);
  text_str(&t, ",\"status\":\"");
  text_str(&t, status);
  text_str(&t, "\"");
  if (pid > 0) text_str(&t, ",\"pid\":"), text_num(&t, pid);
  text_str(&t, "}\n");
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  /* Less than a pipe holds: the description bounds it. */
  bool written = write(ends[1], head, strlen(head)) == (ssize_t)strlen(head) && write(ends[1], tail, text_len(&t)) > 0;
  close(ends[1]);
  if (written) return ends[0];
  close(ends[0]);
  return -1;
}

static void tell(struct hook_result *r, int code, const char *what, const char *more) {
  struct text t = text_into(r->text, sizeof r->text);
  r->ok = false;
  r->code = code;
  text_str(&t, job.hook->name);
  text_str(&t, what);
  text_str(&t, more);
}

/* Waits for the end of it, with its group killed at the timeout. */
static void attend(struct ns_start *start, struct hook_result *r) {
  int64_t end = now_ms() + (int64_t)job.hook->timeout_ms;
  struct message m;
  char number[24];
  bool heard = false;
  int status = 0;
  for (;;) {
    int64_t left = end - now_ms();
    struct pollfd p[] = {{.fd = heard ? -1 : start->channel, .events = POLLIN}, {.fd = start->pidfd, .events = POLLIN}};
    int n = poll(p, 2, left < 0 ? 0 : left > 3600000 ? 3600000 : (int)left);
    if (n < 0) continue;
    if (p[0].revents) {
      int got = message_receive(start->channel, &m, NULL);
      if (got == 1 && m.kind == MSG_FAULT) {
        tell(r, 127, " cannot be run: ", m.fault.path);
        break;
      }
      if (got == 1 && m.kind == MSG_SETTLE && container_settle(job.s, start) < 0) {
        tell(r, 127, " cannot be run: ", fault.path);
        break;
      }
      heard = got <= 0;
    }
    if (p[1].revents) break;
    if (n == 0 && now_ms() >= end) {
      tell(r, -1, " was over its timeout", "");
      (void)kill(-start->pid, SIGKILL);
      break;
    }
  }
  (void)kill(start->pid, r->ok ? 0 : SIGKILL);
  while (waitpid(start->pid, &status, __WALL) < 0 && errno == EINTR) continue;
  close(start->channel);
  close(start->pidfd);
  if (!r->ok || status == 0) return;
  struct text t = text_into(number, sizeof number);
  text_num(&t, WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  tell(r, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status), WIFSIGNALED(status) ? " was killed by signal " : " exited ", number);
}

static int fork_here(struct ns_start *start) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return -1;
  struct clone3_args args = {.flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&start->pidfd, .exit_signal = SIGCHLD};
  start->channel = pair[0];
  start->pid = sys_clone3(&args);
  if (start->pid < 0) {
    close(pair[0]);
    close(pair[1]);
    return -1;
  }
  if (start->pid == 0) {
    struct ns_start self = {.spec = job.s->spec};
    struct spec spec = *job.s->spec;
    if (job.hook->place != HOOK_CONTAINER) as_we_are(pair[1]);
    spec.argv = job.argv;
    spec.env = job.env;
    self.spec = &spec;
    if (setsid() >= 0) (void)as_the_container(&self, pair[1]);
    message_send_fault(pair[1]);
    _exit(127);
  }
  close(pair[1]);
  return 0;
}

static void run_one(const struct supervisor *s, const struct hook *h, pid_t pid, const char *status, struct hook_result *r) {
  struct spec spec = *s->spec;
  struct ns_start start = {.spec = &spec, .cgroup = s->cgroup, .child = as_the_container};
  job.s = s;
  job.hook = h;
  job.argv = vectors(h, &job.env);
  job.input = job.argv ? state_pipe(pid, status) : -1;
  if (job.input < 0) return tell(r, 127, " cannot be run", "");
  spec.argv = job.argv;
  spec.env = job.env;
  int result = h->place == HOOK_CONTAINER && h->moment != HOOK_PRE_START
                   ? (container_namespaces(s, &start.join) < 0 || container_join_core(s, &spec) < 0 ? -1 : ns_start(&start))
                   : fork_here(&start);
  if (result < 0) tell(r, 127, " cannot be run: ", fault.step);
  else attend(&start, r);
  close(job.input);
}

/* A hook that fails after the start, or before the stop, is told of and changes nothing. */
static void note(const struct supervisor *s, const struct hook_result *r) {
  char line[sizeof r->text + 32];
  int fd = s->logs[LOG_STDERR].write;
  if (fd < 0) return;
  struct text t = text_into(line, sizeof line);
  text_str(&t, "tsbox: hook ");
  text_str(&t, r->text);
  text_str(&t, "\n");
  (void)!write(fd, line, text_len(&t));
}

void hooks_run(const struct supervisor *s, enum hook_moment moment, enum hook_place place, pid_t pid, const char *status,
               struct hook_result *result) {
  struct cursor records = spec_records(s->spec), payload;
  struct hook h;
  *result = (struct hook_result){.ok = true};
  while (spec_next(&records, REC_HOOK, &payload)) {
    if (!decode(payload, &h) || h.moment != (uint32_t)moment || h.place != (uint32_t)place) continue;
    run_one(s, &h, pid, status, result);
    if (result->ok) continue;
    if (moment == HOOK_PRE_START) return;
    note(s, result);
    *result = (struct hook_result){.ok = true};
  }
}

int hooks_begin(struct supervisor *s, enum hook_moment moment, const char *status, int *pipe_end) {
  int ends[2], pidfd = -1;
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  struct clone3_args args = {.flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&pidfd, .exit_signal = SIGCHLD};
  pid_t child = sys_clone3(&args);
  if (child == 0) {
    struct hook_result r = {.ok = true};
    sys_sigmask(~SIGNAL_BIT(SIGTERM));
    hooks_run(s, moment, HOOK_HOST, s->pid, status, &r);
    if (moment != HOOK_PRE_START && moment != HOOK_POST_STOP) hooks_run(s, moment, HOOK_CONTAINER, s->pid, status, &r);
    (void)!write(ends[1], &r, sizeof r);
    _exit(0);
  }
  close(ends[1]);
  if (child < 0) return close(ends[0]), -1;
  *pipe_end = ends[0];
  return pidfd;
}

int hooks_fail(const struct hook_result *r) { return fail_with(0, "hook", r->text); }
