/*
 * A container taken up again from the images of CRIU. criu is given what only we have: the pipes of the log, the
 * namespaces to join, and no_new_privs, which it does not restore and which what it makes inherits. It runs in the
 * container's cgroup, and what it leaves behind when it ends is our child, since we are the subreaper.
 */
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "cgroup.h"
#include "proc.h"
#include "process.h"
#include "report.h"
#include "supervisor.h"
#include "sys.h"
#include "text.h"

/* Descriptors that criu's arguments name: stdout and stderr, stdin, then one per namespace type. See kernel/criu.ts. */
#define FD_LOG 200
#define FD_STDIN 202
#define FD_NAMESPACE 208

static int hand_over(const struct supervisor *s) {
  for (int id = 0; id < LOG_STREAMS; id++)
    if (s->logs[id].write >= 0 && dup2(s->logs[id].write, FD_LOG + id) < 0) return fail("restore", "dup2");
  if (dup2(0, FD_STDIN) < 0) return fail("restore", "dup2");
  for (int i = 0; i < s->joined.n; i++)
    if (dup2(s->joined.item[i].fd, FD_NAMESPACE + (int)s->joined.item[i].type) < 0) return fail("restore", "dup2");
  return 0;
}

static int run_criu(const struct ns_start *start, int channel) {
  static const char *const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
  const struct supervisor *s = start->context;
  size_t size = (s->spec->nrestore + 1) * sizeof(char *);
  const char **argv = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  (void)channel; /* Closed by the exec; a failure before it is sent by the caller. */
  if (argv == MAP_FAILED) return fail("restore", "mmap");
  struct cursor records = spec_records(s->spec);
  for (uint32_t i = 0; i < s->spec->nrestore; i++) argv[i] = spec_next_str(&records, REC_RESTORE_ARG);
  if (hand_over(s) < 0) return -1;
  if (s->spec->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return fail("no_new_privs", "");
  signals_unblock();
  execve(argv[0], (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
  return fail("restore", argv[0]);
}

/* Waits for criu's end, which says whether it worked. */
static int attend(struct supervisor *s, struct ns_start *start) {
  struct message m;
  int status = 0;
  for (;;) {
    struct pollfd p[2] = {{.fd = start->pidfd, .events = POLLIN}, {.fd = s->signals, .events = POLLIN}};
    if (poll(p, 2, -1) < 0) continue;
    if (p[1].revents) signals_read(s);
    if (s->stop_asked) return fail_with(EINTR, "restore", "stopped");
    if (p[0].revents) break;
  }
  while (waitpid(start->pid, &status, __WALL) < 0 && errno == EINTR) continue;
  start->pid = 0;
  if (message_receive(start->channel, &m, NULL) == 1 && m.kind == MSG_FAULT) return fault = m.fault, -1;
  return status == 0 ? 0 : fail_with(ECANCELED, "restore", "criu");
}

static pid_t read_pid(const char *path) {
  char buf[24];
  uint64_t pid;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof buf - 1);
  if (fd >= 0) close(fd);
  if (n <= 0) return -1;
  buf[n] = '\0';
  return parse_num(buf, INT32_MAX, &pid) && pid > 1 ? (pid_t)pid : -1;
}

/* An unreaped child of ours: its pid cannot be another's by now. */
static int take(struct supervisor *s) {
  pid_t pid = read_pid(s->spec->restore_pid_file);
  if (pid < 0) return fail("restore", s->spec->restore_pid_file);
  if (waitpid(pid, NULL, WNOHANG | __WALL) != 0) return fail_with(ECHILD, "restore", "the restored process");
  s->pidfd = sys_pidfd_open(pid);
  if (s->pidfd < 0 || proc_start_time(pid, s->state.start, sizeof s->state.start) < 0) return fail("restore", "start time");
  if (container_hold_namespaces(s, pid) < 0) return -1;
  container_give_logs(s, pid);
  s->pid = pid;
  return 0;
}

int container_restore(struct supervisor *s) {
  struct ns_start start = {.spec = s->spec, .cgroup = s->cgroup, .child = run_criu, .context = s};
  if (ns_start(&start) < 0) return -1;
  int result = attend(s, &start);
  if (result == 0) result = take(s);
  ns_abort(&start);
  if (result < 0 && s->cgroup >= 0) (void)cgroup_kill(s->cgroup);
  return result;
}
