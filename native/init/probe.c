/*
 * Everything that may block happens here and not in the supervisor, with a clock over it. A command runs as a further
 * process of the container, with its namespaces, cgroups and privileges and no more. A connection is made by this
 * process from inside the network namespace alone: nothing of the container's is executed or opened for that. A file
 * is looked up beneath the container's root, so that a link in it leads nowhere else.
 */
#include "probe.h"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "process.h"
#include "report.h"
#include "sys.h"
#include "text.h"

#define WORDS_MOST 512

static struct {
  const struct probe *probe;
  struct probe_result *result;
  int64_t begun;
  int output;
  /* The words of a command. */
  char *argv[WORDS_MOST + 1];
} job;

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int left_ms(void) {
  int64_t left = job.begun + (int64_t)job.probe->timeout_ms - now_ms();
  return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

static void say(const char *a, const char *b) {
  struct text t = text_into(job.result->line, sizeof job.result->line);
  text_str(&t, a);
  text_str(&t, b);
}

static void failed(int err, const char *what) {
  job.result->ok = false;
  job.result->code = err;
  say(what, "");
}

static void timed_out(void) { failed(ETIMEDOUT, "timed out"); }

static const char *argument(int n) {
  const char *at = job.probe->args;
  for (; n > 0 && at < job.probe->end; n--) at += strlen(at) + 1;
  return at < job.probe->end ? at : "";
}

/* Still the process that the supervisor means: a pid of one that is not our child may be another's by now. */
static bool still_there(const struct supervisor *s) { return sys_pidfd_send_signal(s->pidfd, 0) == 0; }

static int proc_file(pid_t pid, const char *name, int flags) {
  char path[48];
  struct text t = text_into(path, sizeof path);
  text_str(&t, "/proc/");
  text_num(&t, pid);
  text_str(&t, "/");
  text_str(&t, name);
  return open(path, flags | O_CLOEXEC);
}

static void look_at_file(struct supervisor *s) {
  const char *path = argument(0);
  int root = proc_file(s->pid, "root", O_PATH | O_DIRECTORY);
  if (root < 0 || !still_there(s)) return failed(ESRCH, "the container has ended");
  int fd = sys_openat2(root, path, O_PATH, 0, RESOLVE_IN_ROOT_ | RESOLVE_NO_MAGICLINKS_);
  if (fd < 0) return failed(errno, "no such file");
  job.result->ok = true;
  say("there", "");
}

/* Hexadecimal digits of an address: 8 of IPv4, 32 of IPv6. */
static socklen_t address(const char *hex, const char *port, struct sockaddr_in6 *out) {
  uint8_t bytes[16];
  uint64_t number = 0;
  size_t n = strlen(hex);
  (void)parse_num(port, 65535, &number);
  if (n > 32) return 0;
  for (size_t i = 0; i < n; i++) {
    int digit = hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10;
    bytes[i / 2] = (uint8_t)(i % 2 == 0 ? digit << 4 : bytes[i / 2] | digit);
  }
  uint16_t net_port = (uint16_t)((number & 0xff) << 8 | number >> 8);
  memset(out, 0, sizeof *out);
  if (n == 32) {
    out->sin6_family = AF_INET6;
    out->sin6_port = net_port;
    memcpy(&out->sin6_addr, bytes, 16);
    return sizeof *out;
  }
  struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
  v4->sin_family = AF_INET;
  v4->sin_port = net_port;
  memcpy(&v4->sin_addr, bytes, 4);
  return sizeof *v4;
}

/* Waits for one kind of readiness within the timeout. */
static bool ready(int fd, short events) {
  struct pollfd p = {.fd = fd, .events = events};
  int n;
  while ((n = poll(&p, 1, left_ms())) < 0 && errno == EINTR) continue;
  if (n == 0) timed_out();
  return n > 0;
}

/* A connection from inside the container's network; -1 with the result filled in. */
static int reach(struct supervisor *s, const char *hex, const char *port) {
  struct sockaddr_in6 to;
  int err = 0;
  socklen_t size = address(hex, port, &to), n = sizeof err;
  int net = proc_file(s->pid, "ns/net", O_RDONLY);
  if (net < 0 || !still_there(s)) return failed(ESRCH, "the container has ended"), -1;
  if (setns(net, CLONE_NEWNET) < 0) return failed(errno, "its network namespace cannot be joined"), -1;
  int fd = size == 0 ? -1 : socket(to.sin6_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return failed(errno, "socket"), -1;
  if (connect(fd, (struct sockaddr *)&to, size) < 0) {
    if (errno != EINPROGRESS) return failed(errno, errno == ECONNREFUSED ? "connection refused" : "cannot connect"), -1;
    if (!ready(fd, POLLOUT)) return -1;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) < 0) err = errno;
    if (err) return failed(err, err == ECONNREFUSED ? "connection refused" : "cannot connect"), -1;
  }
  return fd;
}

static void look_at_port(struct supervisor *s) {
  if (reach(s, argument(0), argument(2)) < 0) return;
  job.result->ok = true;
  say("connected", "");
}

static bool send_all(int fd, const char *data, size_t n) {
  while (n > 0) {
    if (!ready(fd, POLLOUT)) return false;
    ssize_t sent = send(fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (sent < 0) return failed(errno, "the connection broke"), false;
    data += sent;
    n -= (size_t)sent;
  }
  return true;
}

static void first_line(const char *text, size_t n);

/* RFC 9112: the status line is all that is read of the response. */
static void look_at_page(struct supervisor *s) {
  char buf[4096];
  const char *host = argument(1), *port = argument(2), *path = argument(3);
  uint64_t wanted = 0, status = 0;
  size_t have = 0;
  (void)parse_num(argument(4), 999, &wanted);
  int fd = reach(s, argument(0), port);
  if (fd < 0) return;
  struct text t = text_into(buf, sizeof buf);
  text_str(&t, "GET ");
  text_str(&t, path);
  text_str(&t, " HTTP/1.1\r\nHost: ");
  text_str(&t, host);
  text_str(&t, ":");
  text_str(&t, port);
  text_str(&t, "\r\nUser-Agent: tsbox\r\nAccept: */*\r\nConnection: close\r\n\r\n");
  if (!send_all(fd, buf, text_len(&t))) return;
  while (have < sizeof buf - 1 && !memchr(buf, '\n', have)) {
    if (!ready(fd, POLLIN)) return;
    ssize_t n = read(fd, buf + have, sizeof buf - 1 - have);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n <= 0) return failed(n < 0 ? errno : EPROTO, "no whole response");
    have += (size_t)n;
  }
  buf[have] = '\0';
  first_line(buf, have);
  const char *blank = strncmp(buf, "HTTP/1.", 7) == 0 ? strchr(buf, ' ') : NULL;
  if (!blank || !parse_num(blank + 1, 999, &status)) return failed(EPROTO, "the answer is not HTTP");
  job.result->code = (int32_t)status;
  job.result->ok = wanted ? status == wanted : status >= 200 && status < 400;
}

/* What can be shown on one line; a byte that is not text becomes '?', and so may part of a longer character. */
static void first_line(const char *text, size_t n) {
  size_t most = sizeof job.result->line - 1, at = 0;
  for (size_t i = 0; i < n && at < most && text[i] != '\n'; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c == '\r') continue;
    job.result->line[at++] = c < 32 || c == 127 ? '?' : text[i];
  }
  job.result->line[at] = '\0';
}

static int run_command(const struct ns_start *start, int channel) {
  if (dup2(job.output, 1) < 0 || dup2(job.output, 2) < 0) return fail("stdio", "dup2");
  return process_exec(start->spec, channel, true);
}

/* Hears the command out: whether it ran, what it said, how it ended. */
static void attend(const struct supervisor *s, const struct ns_start *start, int output) {
  char text[512];
  size_t have = 0;
  bool open = true, heard = false;
  struct message m;
  for (;;) {
    struct pollfd p[] = {{.fd = heard ? -1 : start->channel, .events = POLLIN},
                         {.fd = open ? output : -1, .events = POLLIN},
                         {.fd = start->pidfd, .events = POLLIN}};
    int n = poll(p, 3, left_ms());
    if (n < 0) continue;
    if (p[0].revents) {
      int got = message_receive(start->channel, &m, NULL);
      if (got == 1 && m.kind == MSG_FAULT) return failed(m.fault.err, "the command cannot be run");
      if (got == 1 && m.kind == MSG_SETTLE && container_settle(s, start) < 0) return failed(fault.err, "the container's limits cannot be set");
      heard = got <= 0;
    }
    if (p[1].revents) {
      char more[512];
      bool room = have < sizeof text;
      ssize_t got = read(output, room ? text + have : more, room ? sizeof text - have : sizeof more);
      if (got <= 0) open = false;
      else if (room) have += (size_t)got;
    }
    if (p[2].revents && !p[1].revents) break;
    if (n == 0) {
      first_line(text, have);
      job.result->code = ETIMEDOUT;
      if (have == 0) timed_out();
      (void)kill(-start->pid, SIGKILL);
      return;
    }
  }
  int status = 0;
  while (waitpid(start->pid, &status, __WALL) < 0 && errno == EINTR) continue;
  job.result->code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  job.result->ok = job.result->code == 0;
  first_line(text, have);
}

static void look_by_command(struct supervisor *s) {
  int ends[2], words = 0;
  for (const char *at = job.probe->args; at < job.probe->end && words < WORDS_MOST; at += strlen(at) + 1)
    job.argv[words++] = (char *)(uintptr_t)at;
  struct spec spec = *s->spec;
  spec.argv = job.argv;
  struct ns_start start = {.spec = &spec, .cgroup = s->cgroup, .child = run_command};
  if (words == 0 || pipe2(ends, O_CLOEXEC) < 0) return failed(EINVAL, "no command");
  job.output = ends[1];
  if (container_namespaces(s, &start.join) < 0 || !still_there(s)) return failed(ESRCH, "the container has ended");
  if (container_join_core(s, &spec) < 0 || ns_start(&start) < 0) return failed(fault.err, "the command cannot be run");
  close(ends[1]);
  attend(s, &start, ends[0]);
}

_Noreturn void probe_main(struct supervisor *s, const struct probe *probe, int result) {
  struct probe_result r = {.ok = false};
  job.probe = probe;
  job.result = &r;
  job.begun = now_ms();
  /* Asked to end, it does; what it started goes with the container. */
  sys_sigmask(~SIGNAL_BIT(SIGTERM));
  switch (probe->kind) {
    case PROBE_COMMAND: look_by_command(s); break;
    case PROBE_HTTP: look_at_page(s); break;
    case PROBE_TCP: look_at_port(s); break;
    case PROBE_FILE: look_at_file(s); break;
  }
  r.took_ms = now_ms() - job.begun;
  (void)!write(result, &r, sizeof r);
  _exit(0);
}
