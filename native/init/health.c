/*
 * The settings are text in an extended attribute of the container's cgroup, written by healthText in
 * src/kernel/health-text.ts: 'kind=… interval=… …\n', then arguments, each ended by a NUL. They are read at the start
 * and on SIGHUP, like the policy. States follow the Compose specification: starting until the first success; failures
 * within the start period do not count unless there was one before.
 */
#include "health.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>

#include "cgroup.h"
#include "log.h"
#include "probe.h"
#include "sys.h"
#include "text.h"

#define SETTINGS_MOST 65536
/* How much longer than its own timeout a check's process may take before it is ended from here. */
#define MARGIN_MS 2000

static struct {
  struct probe probe;
  /* The text that the probe's strings point into. */
  char *text;
  size_t size;
  uint64_t interval_ms, start_period_ms, start_interval_ms;
  uint32_t retries, action;
  /* This run. */
  int64_t begun, next, deadline;
  uint32_t failing;
  bool was_healthy, running;
  pid_t pid;
  int pidfd, result;
} health = {.pidfd = -1, .result = -1};

static void forget(void) {
  if (health.text) munmap(health.text, health.size);
  health.text = NULL;
  health.probe.kind = PROBE_NONE;
}

static bool word(const char *text, const char *end, const char *key, const char **value) {
  size_t n = strlen(key);
  for (const char *at = text; at && at < end;) {
    if (strncmp(at, key, n) == 0 && at[n] == '=') return *value = at + n + 1, true;
    at = strchr(at, ' ');
    if (at) at++;
  }
  return false;
}

static uint64_t number(const char *text, const char *end, const char *key, uint64_t otherwise) {
  const char *value;
  uint64_t n;
  return word(text, end, key, &value) && parse_num(value, INT64_MAX / 2, &n) ? n : otherwise;
}

static uint32_t choice(const char *text, const char *end, const char *key, const char *const *names, uint32_t n) {
  const char *value;
  if (word(text, end, key, &value))
    for (uint32_t i = 0; i < n; i++) {
      size_t len = strlen(names[i]);
      if (strncmp(value, names[i], len) == 0 && (value[len] == ' ' || value[len] == '\0')) return i;
    }
  return 0;
}

static void parse(void) {
  static const char *const kinds[] = {"none", "command", "http", "tcp", "file"}, *const actions[] = {"report", "restart", "stop"};
  char *end = strchr(health.text, '\n');
  if (!end) return forget();
  *end = '\0';
  health.probe.kind = choice(health.text, end, "kind", kinds, 5);
  health.probe.timeout_ms = number(health.text, end, "timeout", 30000);
  health.interval_ms = number(health.text, end, "interval", 30000);
  health.start_period_ms = number(health.text, end, "start_period", 0);
  health.start_interval_ms = number(health.text, end, "start_interval", 5000);
  health.retries = (uint32_t)number(health.text, end, "retries", 3);
  health.action = choice(health.text, end, "action", actions, 3);
  health.probe.args = end + 1;
  health.probe.end = health.text + health.size - 1;
  if (health.probe.kind == PROBE_NONE) forget();
}

static void plan_next(int64_t now) {
  bool starting = !health.was_healthy && now - health.begun < (int64_t)health.start_period_ms;
  health.next = now + (int64_t)(starting ? health.start_interval_ms : health.interval_ms);
}

static void show(struct supervisor *s, const char *state) {
  s->state.health = state;
  s->state.failing = health.failing;
  (void)label_write(s->label, s->spec, &s->state);
}

void health_load(struct supervisor *s, int64_t now) {
  const char *name = s->spec->health_xattr;
  bool had = health.text != NULL;
  forget();
  ssize_t n = s->label < 0 || !*name ? -1 : fgetxattr(s->label, name, NULL, 0);
  if (n > 0 && n < SETTINGS_MOST) {
    health.size = (size_t)n + 1;
    health.text = mmap(NULL, health.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (health.text == MAP_FAILED) health.text = NULL;
    /* One that grew in between is read at the signal that follows. */
    else if (fgetxattr(s->label, name, health.text, (size_t)n) == n) parse();
    else forget();
  }
  if (!health.running) return;
  if (!health.text) {
    health.next = 0;
    health.failing = 0;
    if (had) show(s, NULL);
  } else if (!had) health_begin(s, now);
  else if (health.pidfd < 0) plan_next(now);
}

void health_recall(struct supervisor *s) {
  static const char *const states[] = {"starting", "healthy", "unhealthy"};
  char buf[512];
  ssize_t n = s->label < 0 ? -1 : fgetxattr(s->label, s->spec->run_xattr, buf, sizeof buf - 1);
  const char *value;
  if (n <= 0) return;
  buf[n] = '\0';
  if (!word(buf, buf + n, "health", &value)) return;
  s->state.health = states[choice(buf, buf + n, "health", states, 3)];
  s->state.failing = (uint32_t)number(buf, buf + n, "failing", 0);
}

void health_begin(struct supervisor *s, int64_t now) {
  const char *before = s->state.health;
  bool taken_over = s->adopted && before;
  health.running = true;
  health.begun = now;
  health.failing = taken_over ? s->state.failing : 0;
  health.was_healthy = taken_over && strcmp(before, "starting") != 0;
  health.next = 0;
  s->state.health = !health.text ? NULL : taken_over ? before : "starting";
  s->state.failing = health.failing;
  if (health.text) plan_next(now);
}

static void drop(void) {
  if (health.pidfd >= 0) close(health.pidfd);
  if (health.result >= 0) close(health.result);
  health.pidfd = health.result = -1;
}

bool health_end(struct supervisor *s) {
  /* The check itself lies in the container's cgroup, or has nothing left to look at. */
  if (health.pidfd >= 0) (void)sys_pidfd_send_signal(health.pidfd, SIGTERM);
  drop();
  health.running = false;
  health.next = 0;
  if (s->state.health && strcmp(s->state.health, "unhealthy") != 0) s->state.health = NULL;
  return health.was_healthy;
}

int64_t health_due(void) { return health.pidfd >= 0 ? health.deadline : health.next; }
int health_fd(void) { return health.result; }

static enum health_action judge(struct supervisor *s, bool ok, int64_t now) {
  bool graced = !health.was_healthy && now - health.begun < (int64_t)health.start_period_ms;
  if (ok) {
    health.failing = 0;
    health.was_healthy = true;
    if (strcmp(s->state.health, "healthy") != 0 || s->state.failing != 0) show(s, "healthy");
    return HEALTH_GO_ON;
  }
  if (graced) return HEALTH_GO_ON;
  health.failing++;
  bool news = health.failing >= health.retries && strcmp(s->state.health, "unhealthy") != 0;
  show(s, news ? "unhealthy" : s->state.health);
  if (!news || health.action == 0) return HEALTH_GO_ON;
  log_note(health.action == 1 ? "tsbox: unhealthy: restarting" : "tsbox: unhealthy: stopping");
  return health.action == 1 ? HEALTH_RESTART : HEALTH_STOP;
}

/* 'at=… took=… ok=… code=… TEXT', for people. */
static void note(const struct supervisor *s, const struct probe_result *r) {
  char buf[sizeof r->line + 128];
  struct timespec now;
  if (s->label < 0 || !*s->spec->probe_xattr) return;
  clock_gettime(CLOCK_REALTIME, &now);
  struct text t = text_into(buf, sizeof buf);
  text_str(&t, "at=");
  text_num(&t, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
  text_str(&t, " took=");
  text_num(&t, r->took_ms);
  text_str(&t, r->ok ? " ok=1 code=" : " ok=0 code=");
  text_num(&t, r->code);
  text_str(&t, " ");
  text_str(&t, r->line);
  (void)fsetxattr(s->label, s->spec->probe_xattr, buf, text_len(&t), 0);
}

static void begin_check(struct supervisor *s, int64_t now) {
  int ends[2];
  health.next = 0;
  /* A frozen container can answer nothing, which says nothing of its health. */
  if (cgroup_frozen(s->spec, s->cgroup) || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return plan_next(now);
  struct clone3_args args = {.flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&health.pidfd, .exit_signal = SIGCHLD};
  health.pidfd = -1;
  health.pid = sys_clone3(&args);
  if (health.pid == 0) probe_main(s, &health.probe, ends[1]);
  close(ends[1]);
  health.result = ends[0];
  health.deadline = now + (int64_t)health.probe.timeout_ms + MARGIN_MS;
  if (health.pid > 0) return;
  drop();
  plan_next(now);
}

static enum health_action end_check(struct supervisor *s, int64_t now) {
  struct probe_result r = {.ok = false, .code = -1};
  ssize_t n = read(health.result, &r, sizeof r);
  if (n < 0 && errno == EAGAIN && now < health.deadline) return HEALTH_GO_ON;
  if (n != (ssize_t)sizeof r) {
    (void)sys_pidfd_send_signal(health.pidfd, SIGKILL);
    r = (struct probe_result){.ok = false, .code = -1, .took_ms = (int64_t)health.probe.timeout_ms};
    struct text t = text_into(r.line, sizeof r.line);
    text_str(&t, "the check ended without an answer");
  }
  drop();
  plan_next(now);
  if (!r.ok && cgroup_frozen(s->spec, s->cgroup)) return HEALTH_GO_ON;
  r.line[sizeof r.line - 1] = '\0';
  note(s, &r);
  return judge(s, r.ok, now);
}

enum health_action health_act(struct supervisor *s, int64_t now) {
  if (health.pidfd >= 0) return end_check(s, now);
  if (health.next && now >= health.next && health.text && s->pid > 0) begin_check(s, now);
  return HEALTH_GO_ON;
}
