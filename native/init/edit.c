/*
 * The helper first makes copies of what comes from the host, with the host's rights. It joins the container's
 * namespaces but for its mounts and makes new filesystems in a mount namespace of its own: the kernel lets a user
 * namespace have a new procfs or sysfs only where it sees a whole one, which a container with masked paths does not.
 * Only then does it enter the container's mounts, where every target is resolved beneath the container's root.
 */
#include "edit.h"

#include <sys/wait.h>

#include "mounts.h"
#include "namespaces.h"
#include "proc.h"
#include "report.h"
#include "root.h"
#include "sys.h"
#include "text.h"

#ifndef UMOUNT_NOFOLLOW
#define UMOUNT_NOFOLLOW 8
#endif

int edit_expect(int root, const struct root_op *op) {
  int target = root_open(root, op->target);
  if (target < 0) return -1;
  uint32_t id = mount_id(target);
  int err = errno;
  close(target);
  if (id == op->major) return 0;
  return errno = id ? ESTALE : err, -1;
}

/* By the parent's descriptor and the last name, which is not followed: a name on its own could lead elsewhere. */
static int unmount(int root, const char *path) {
  char name[256];
  int parent = root_open_parent(root, path, name, sizeof name);
  if (parent < 0) return -1;
  int result = fchdir(parent) < 0 ? -1 : umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW);
  int err = errno;
  close(parent);
  return errno = err, result;
}

int edit_unmount(int root, const struct root_op *op) { return unmount(root, op->target); }

int edit_remount(int root, const struct root_op *op) {
  int target = root_open(root, op->target);
  if (target < 0) return -1;
  int result = mount_alter(target, mount_attributes(op->flags), mount_attributes(op->type), 0, op->flags & OPF_RECURSIVE);
  if (result == 0) result = mount_change(target, 0, op->mode & ~(uint32_t)MS_REC, op->mode & MS_REC);
  int err = errno;
  close(target);
  return errno = err, result;
}

int edit_reconfigure(int root, const struct root_op *op) {
  int target = root_open(root, op->target);
  if (target < 0) return -1;
  int result = mount_reconfigure(target, op->list, op->nlist);
  int err = errno;
  close(target);
  return errno = err, result;
}

int mount_swap(int mount, int root, int target, const char *path) {
  if (mount_attach_beneath(mount, target) == 0) return unmount(root, path);
  if (errno != EINVAL) return -1;
  if (unmount(root, path) < 0) return -1;
  int now = root_open(root, path);
  if (now < 0) return -1;
  int result = mount_attach(mount, now, "");
  int err = errno;
  close(now);
  return errno = err, result;
}

struct edit {
  struct root_sources sources;
  int root, mounts;
};

static int child(const struct ns_start *start, int channel) {
  struct edit *e = start->context;
  if (unshare(CLONE_NEWNS) < 0) return fail("namespace", "mnt");
  if (mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) return fail("mount", "/ rslave");
  if (root_make(start->spec, &e->sources) < 0) return -1;
  if (setns(e->mounts, CLONE_NEWNS) < 0) return fail("join", "mnt");
  if (root_edit(start->spec, &e->sources, e->root) < 0) return -1;
  if (message_send(channel, MSG_READY, 0) < 0) return fail("start", "channel");
  _exit(0);
}

/* The root is opened before the start time is looked at: a pid reused in between is noticed. */
static int open_root(const struct spec *spec) {
  char now[24];
  uint64_t pid;
  const char *path = spec->mounts_root;
  int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail("mounts", path);
  if (strncmp(path, "/proc/", 6) != 0 || !parse_num(path + 6, INT32_MAX, &pid)) return fail_with(EINVAL, "mounts", path);
  if (proc_start_time((pid_t)pid, now, sizeof now) < 0 || strcmp(now, spec->mounts_start) != 0) return fail_with(ESRCH, "mounts", path);
  return fd;
}

int mounts_main(const struct spec *spec) {
  static struct edit e = {.root = -1, .mounts = -1};
  struct ns_start start = {.spec = spec, .cgroup = -1, .child = child, .context = &e};
  struct message m;
  int status;
  if ((e.root = open_root(spec)) < 0) return -1;
  if (ns_open_joins(spec, &start.join) < 0) return -1;
  int userns = -1;
  for (int i = 0; i < start.join.n; i++) {
    if (start.join.item[i].type == NS_USER) userns = start.join.item[i].fd;
    if (start.join.item[i].type != NS_MNT) continue;
    e.mounts = start.join.item[i].fd;
    for (int j = i + 1; j < start.join.n; j++) start.join.item[j - 1] = start.join.item[j];
    start.join.n--;
    i--;
  }
  if (e.mounts < 0) return fail_with(EINVAL, "mounts", "no mnt namespace");
  if (root_prepare(spec, userns, &e.sources) < 0) return -1;
  if (ns_start(&start) < 0) return -1;
  int got = message_receive(start.channel, &m, NULL);
  if (got == 1 && m.kind == MSG_FAULT) fault = m.fault;
  else if (got != 1 || m.kind != MSG_READY) (void)fail_with(ECHILD, "mounts", "the helper ended");
  while (waitpid(start.pid, &status, __WALL) < 0 && errno == EINTR) continue;
  if (got != 1 || m.kind != MSG_READY) return -1;
  report_ok(0, "", false);
  return 0;
}
