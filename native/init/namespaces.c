/*
 * The kernel's order, and why:
 *
 *   1. open what is joined          while host paths still mean what the description meant
 *   2. join, in the given order     join before create: what is made must be owned by the joined user namespace;
 *                                   user last within that: the others may belong to anyone, and the rights that open
 *                                   them end with it
 *   3. make user                    in the same clone3 as the others, which the kernel then gives to it
 *   4. make time, set its offsets   offsets can be set only while it has no member: unshare, write, then clone
 *   5. make mnt net ipc uts         by that clone3
 *   6. make or enter pid            by that clone3 too: a process cannot change its own
 *   7. parent writes the maps       from outside, once
 *   8. parent moves it into cgroups v1 by file; cgroup2 by CLONE_INTO_CGROUP where nothing was joined
 *   9. make cgroup                  by the child itself, after 8: its root is where the maker then is
 *
 * Steps 2 to 6 happen in a middle process when something is joined or a time namespace must belong to a new user
 * namespace: setns(2) and unshare(2) take privileges and views that the supervisor must keep. The middle process
 * clones with CLONE_PARENT, so that the container is the supervisor's own child, and ends.
 */
#include "namespaces.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/wait.h>

#include "cgroup.h"
#include "idmap.h"
#include "net.h"
#include "proc.h"
#include "report.h"
#include "sys.h"
#include "text.h"
#include "uts.h"

const char *const ns_names[NS_TYPES] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"};

#define BIT(type) (1u << (type))

uint64_t ns_flag(uint32_t type) {
  static const uint32_t flags[NS_TYPES] = {CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,    CLONE_NEWNET,
                                           CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP, CLONE_NEWTIME};
  return flags[type];
}

/* The pid in "/proc/PID/…", 0 when the path is another. */
static pid_t path_pid(const char *path) {
  uint64_t pid;
  if (strncmp(path, "/proc/", 6) != 0) return 0;
  const char *end = parse_num(path + 6, INT32_MAX, &pid);
  return end && *end == '/' ? (pid_t)pid : 0;
}

/* man 2 ioctl_nsfs. The start time is compared after the open: a pid reused in between is noticed. */
int ns_open(uint32_t type, const char *path, const char *start) {
  struct statfs fs;
  char now[24];
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return fail("join", path);
  int err = 0;
  if (fstatfs(fd, &fs) < 0) err = errno;
  else if (fs.f_type != NSFS_MAGIC_ || ioctl(fd, NS_GET_NSTYPE_) != (int)ns_flag(type)) err = EINVAL;
  else if (*start && (proc_start_time(path_pid(path), now, sizeof now) < 0 || strcmp(now, start) != 0)) err = ESRCH;
  if (!err) return fd;
  close(fd);
  return fail_with(err, "join", path);
}

/*
 * Whoever made a user namespace commands everything in the namespaces it owns (man 7 user_namespaces): a process of the
 * host's root does not go there unless it joins that user namespace too, and with it leaves its rights behind.
 */
static int check_owners(const struct ns_set *set) {
  uint32_t uid, own = (uint32_t)syscall(SYS_geteuid);
  for (int i = 0; i < set->n; i++)
    if (set->item[i].type == NS_USER) return 0;
  for (int i = 0; i < set->n; i++) {
    int owner = ioctl(set->item[i].fd, NS_GET_USERNS_);
    if (owner < 0) continue; /* EPERM: one above ours. */
    bool strange = ioctl(owner, NS_GET_OWNER_UID_, &uid) == 0 && uid != own && uid != 0;
    close(owner);
    if (strange) return fail_with(EACCES, "owner", set->item[i].path);
  }
  return 0;
}

int ns_open_joins(const struct spec *spec, struct ns_set *set) {
  struct cursor records = spec_records(spec), payload;
  struct join_record j;
  while (spec_next(&records, REC_NS_JOIN, &payload)) {
    if (!decode_join(payload, &j) || set->n >= NS_TYPES) return fail_with(E2BIG, "join", "");
    int fd = ns_open(j.type, j.path, j.start);
    if (fd < 0) return -1;
    set->item[set->n++] = (struct ns_join){j.type, fd, j.path};
  }
  return check_owners(set);
}

int ns_joined_user(const struct ns_set *set) {
  for (int i = 0; i < set->n; i++)
    if (set->item[i].type == NS_USER) return set->item[i].fd;
  return -1;
}

int ns_append(struct ns_set *set, uint32_t type, pid_t pid) {
  char path[48];
  struct text t = text_into(path, sizeof path);
  text_str(&t, "/proc/");
  text_num(&t, pid);
  text_str(&t, "/ns/");
  text_str(&t, ns_names[type]);
  if (set->n >= (int)(sizeof set->item / sizeof set->item[0])) return fail_with(E2BIG, "namespace", ns_names[type]);
  int fd = ns_open(type, path, "");
  if (fd < 0) return -1;
  set->item[set->n++] = (struct ns_join){type, fd, ns_names[type]};
  return 0;
}

static bool joins(const struct ns_start *s, uint32_t type) {
  for (int i = 0; i < s->join.n; i++)
    if (s->join.item[i].type == type) return true;
  return false;
}

/* man 7 time_namespaces: the offsets are those of time_for_children, so they are written between unshare and clone. */
static int make_time(const struct spec *spec, int offsets) {
  if (unshare(CLONE_NEWTIME) < 0) return fail("time", "unshare");
  size_t n = strlen(spec->time_offsets);
  if (n > 0 && write(offsets, spec->time_offsets, n) < 0) return fail("time", "/proc/self/timens_offsets");
  return 0;
}

/* What clone3 makes; cgroup is made by the child, time by unshare. */
static uint64_t clone_flags(uint32_t create) {
  uint64_t flags = 0;
  for (uint32_t type = 0; type < NS_TYPES; type++)
    if (create & BIT(type) && type != NS_CGROUP && type != NS_TIME) flags |= ns_flag(type);
  return flags;
}

static int finish(const struct ns_start *s);

static _Noreturn void child_main(const struct ns_start *s, int channel) {
  if (message_expect(channel, MSG_GO) == 0 && finish(s) == 0) {
    if (message_send(channel, MSG_NAMESPACES, 0) == 0) s->child(s, channel);
    else (void)fail("start", "channel");
  }
  message_send_fault(channel);
  _exit(127);
}

/* In the middle process: steps 2 to 6. */
static int middle(const struct ns_start *s, int channel) {
  uint32_t create = s->create;
  int offsets = -1;
  if (create & BIT(NS_TIME) && (offsets = proc_open(0, "timens_offsets", O_WRONLY)) < 0)
    return fail("time", "/proc/self/timens_offsets");
  if (s->before && s->before(s) < 0) return -1;
  for (int i = 0; i < s->join.n; i++)
    if (setns(s->join.item[i].fd, (int)ns_flag(s->join.item[i].type)) < 0) return fail("join", s->join.item[i].path);
  if (create & BIT(NS_TIME)) {
    if (create & BIT(NS_USER)) {
      if (unshare(CLONE_NEWUSER) < 0) return fail("namespace", "user");
      if (message_send(channel, MSG_WANT_MAPS, 0) < 0) return fail("start", "channel");
      if (message_expect(channel, MSG_GO) < 0) return -1;
      create &= ~BIT(NS_USER);
    }
    if (make_time(s->spec, offsets) < 0) return -1;
  }
  struct clone3_args args = {.flags = clone_flags(create) | CLONE_PARENT};
  pid_t pid = sys_clone3(&args);
  if (pid < 0) return fail("clone", "");
  if (pid == 0) child_main(s, channel);
  return message_send(channel, MSG_PID, pid) < 0 ? fail("start", "channel") : 0;
}

static int reap(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR) continue;
  return status;
}

void ns_abort(struct ns_start *s) {
  if (s->pid > 0) {
    kill(s->pid, SIGKILL);
    reap(s->pid);
  }
  if (s->pidfd >= 0) close(s->pidfd);
  if (s->channel >= 0) close(s->channel);
  s->pid = 0;
  s->pidfd = s->channel = -1;
}

/* Hears the middle process out; afterwards s->pid is the real child. */
static int through_middle(struct ns_start *s, int child_end) {
  struct clone3_args args = {.exit_signal = SIGCHLD};
  pid_t pid = sys_clone3(&args);
  if (pid < 0) return fail("clone", "");
  if (pid == 0) {
    close(s->channel);
    if (middle(s, child_end) == 0) _exit(0);
    message_send_fault(child_end);
    _exit(1);
  }
  close(child_end);
  struct message m;
  int result = 0, got;
  while ((got = message_receive(s->channel, &m, NULL)) == 1 && m.kind == MSG_WANT_MAPS)
    if (idmap_write(pid, s->spec) < 0 || message_send(s->channel, MSG_GO, 0) < 0) {
      result = -1;
      break;
    }
  if (result < 0) kill(pid, SIGKILL);
  else if (got == 1 && m.kind == MSG_PID) s->pid = m.value;
  else if (got == 1 && m.kind == MSG_FAULT) fault = m.fault, result = -1;
  else result = fail_with(ECHILD, "namespaces", "");
  reap(pid);
  if (result < 0) return -1;
  /* An unreaped child of ours: its pid cannot have been reused. */
  s->pidfd = sys_pidfd_open(s->pid);
  if (s->pidfd < 0) return fail("pidfd_open", "");
  bool mapped = s->create & BIT(NS_USER) && !(s->create & BIT(NS_TIME));
  if (mapped && idmap_write(s->pid, s->spec) < 0) return -1;
  /*
   * By file, not by CLONE_INTO_CGROUP: within a joined user or cgroup namespace the kernel would judge the move by
   * that namespace's rights and root.
   */
  if (s->cgroup >= 0 && cgroup_move(s->cgroup, s->spec->cgroup, s->pid) < 0) return -1;
  return 0;
}

/* Everything made by one clone3 from here. */
static int direct(struct ns_start *s, int child_end) {
  int own_time = -1, pidfd = -1, result = 0;
  if (s->create & BIT(NS_TIME)) {
    int offsets = proc_open(0, "timens_offsets", O_WRONLY);
    own_time = open("/proc/self/ns/time", O_RDONLY | O_CLOEXEC);
    if (offsets < 0 || own_time < 0) result = fail("time", "/proc/self");
    else result = make_time(s->spec, offsets);
    if (offsets >= 0) close(offsets);
  }
  if (result == 0) {
    struct clone3_args args = {
        .flags = clone_flags(s->create) | CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&pidfd, .exit_signal = SIGCHLD};
    if (s->cgroup >= 0 && s->into_cgroup) {
      args.flags |= CLONE_INTO_CGROUP;
      args.cgroup = (uint64_t)s->cgroup;
    }
    pid_t pid = sys_clone3(&args);
    if (pid == 0) {
      close(s->channel);
      child_main(s, child_end);
    }
    if (pid < 0) result = fail("clone", s->cgroup >= 0 ? s->spec->cgroup : "");
    else s->pid = pid, s->pidfd = pidfd;
  }
  close(child_end);
  /* Our own later children must not land in the container's time. */
  if (own_time >= 0) {
    if (setns(own_time, CLONE_NEWTIME) < 0 && result == 0) result = fail("time", "return");
    close(own_time);
  }
  if (result == 0 && s->cgroup >= 0 && !s->into_cgroup) result = cgroup_move(s->cgroup, s->spec->cgroup, s->pid);
  if (result == 0 && s->create & BIT(NS_USER)) result = idmap_write(s->pid, s->spec);
  return result;
}

/* Hears whether the child got into its namespaces. */
static int attend(struct ns_start *s, bool *killed) {
  struct message m;
  int got = message_receive(s->channel, &m, NULL);
  if (got == 1 && m.kind == MSG_NAMESPACES) return 0;
  if (got == 1 && m.kind == MSG_FAULT) return fault = m.fault, -1;
  if (got != 0) return fail("start", "channel");
  int status = reap(s->pid);
  s->pid = 0;
  *killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  return fail_with(ECHILD, "start", "the process was killed before its program ran");
}

static int attempt(struct ns_start *s, bool *killed) {
  int pair[2];
  s->pid = 0;
  s->pidfd = s->channel = -1;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return fail("socketpair", "");
  s->channel = pair[0];
  bool owned_time = s->create & BIT(NS_TIME) && s->create & BIT(NS_USER);
  int result = s->join.n > 0 || owned_time || s->before ? through_middle(s, pair[1]) : direct(s, pair[1]);
  if (result == 0) result = cgroup_enter(s->spec, REC_CGROUP_PROCS, s->pid);
  /* EPIPE: it is dead already, as attend will see. */
  if (result == 0 && message_send(s->channel, MSG_GO, 0) < 0 && errno != EPIPE) result = fail("start", "channel");
  if (result == 0) result = attend(s, killed);
  if (result < 0) ns_abort(s);
  return result;
}

/*
 * Linux since 6.14 compares the counts of cgroup.kill of two different groups, the caller's and the target's, after a
 * clone into a cgroup, and kills the child at once when they differ: in any group where cgroup.kill was ever used. A
 * child that was killed that early is started once more and moved by file.
 */
int ns_start(struct ns_start *s) {
  bool killed = false;
  s->into_cgroup = true;
  int result = attempt(s, &killed);
  if (result == 0 || !killed || s->cgroup < 0) return result;
  s->into_cgroup = false;
  return attempt(s, &killed);
}

static int finish(const struct ns_start *s) {
  if (setsid() < 0) return fail("setsid", "");
  /* A keyring of our own before the identity changes: key quotas count by outer user id. man 2 keyctl */
  if (s->spec->own_keyring && syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL) < 0 && errno != ENOSYS)
    return fail("keyring", "");
  if ((s->create & BIT(NS_USER) || joins(s, NS_USER)) && idmap_become_root() < 0) return -1;
  /* Changing ids resets it to a system-wide default. man 2 PR_SET_DUMPABLE */
  if (prctl(PR_SET_DUMPABLE, 0) < 0) return fail("dumpable", "");
  if (s->create & BIT(NS_CGROUP) && unshare(CLONE_NEWCGROUP) < 0) return fail("namespace", "cgroup");
  if (s->create & BIT(NS_UTS) && uts_set(s->spec->hostname, s->spec->domainname) < 0) return -1;
  if (s->create & BIT(NS_NET) && s->spec->loopback && net_loopback_up() < 0) return -1;
  return 0;
}
