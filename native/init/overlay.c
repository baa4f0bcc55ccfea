/*
 * Overlay roots: Documentation/filesystems/overlayfs.rst.
 *
 * Made by a helper process in a mount namespace of its own that shares our descriptor table: a private upper needs a
 * tmpfs attached somewhere, and kernels before 6.7 want mount(2), which attaches. Nothing of either is ever seen in
 * the host's mount table. The helper has the caller's full privileges, so lower directories need not be readable to
 * the container's own ids.
 */
#include "overlay.h"

#include <signal.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "mounts.h"
#include "report.h"
#include "sys.h"
#include "text.h"

/* A directory that every host has; covered only in the helper's namespace. */
#define SCRATCH "/proc"

/* fsconfig(2) takes values of up to 255 bytes. */
#define VALUE_MAX 255

/* What an error names. */
static const char *what(const struct root_op *op) { return op->kind == OP_OVERLAY ? "overlay" : "root-overlay"; }

struct layers {
  const struct root_op *op;
  /* NULL where nothing is written. */
  const char *upper, *work;
  bool mapped;
};

/* The short name of a lower directory beside the upper one: its idmapped copy, or a link to it. */
static const char *short_name(uint32_t index, char *buf, size_t size) {
  struct text t = text_into(buf, size);
  text_str(&t, SCRATCH "/");
  text_num(&t, index);
  return buf;
}

static int link_lowers(const struct root_op *op) {
  struct cursor lowers = op->list;
  const char *lower;
  char path[32];
  for (uint32_t i = 0; i < op->nlist && cursor_str(&lowers, &lower); i++)
    if (symlinkat(lower, AT_FDCWD, short_name(i, path, sizeof path)) < 0) return fail(what(op), lower);
  return 0;
}

/* Older kernels write what they do not know of an overlay into their log. */
static bool has_parameters(void) {
  struct utsname names;
  uint64_t major = 0, minor = 0;
  if (uname(&names) < 0) return false;
  const char *at = parse_num(names.release, 1000, &major);
  if (!at || *at != '.' || !parse_num(at + 1, 1000, &minor)) return false;
  return major > 6 || (major == 6 && minor >= 7);
}

/* Linux 6.7: a parameter per layer, without separators to escape. */
static int by_parameters(const struct layers *l) {
  const struct root_op *op = l->op;
  struct cursor lowers = op->list;
  const char *lower;
  char path[32];
  int fs = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
  if (fs < 0) return -1;
  int result = 0, mount = -1;
  for (uint32_t i = 0; result == 0 && i < op->nlist && cursor_str(&lowers, &lower); i++) {
    if (l->mapped || strlen(lower) > VALUE_MAX) lower = short_name(i, path, sizeof path);
    result = (int)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "lowerdir+", lower, 0);
  }
  if (result == 0 && l->upper) result = (int)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "upperdir", l->upper, 0);
  if (result == 0 && l->upper) result = (int)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "workdir", l->work, 0);
  if (result == 0) result = (int)syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
  if (result == 0) mount = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, (unsigned)mount_attributes(op->flags));
  int err = errno;
  close(fs);
  errno = err;
  return mount;
}

/* In a value a comma ends the option, and a colon a lower directory. */
static void escaped(struct text *t, const char *path) {
  for (; *path; path++) {
    if (*path == ',' || *path == ':' || *path == '\\') text_str(t, "\\");
    text_bytes(t, path, 1);
  }
}

/* By their own names, which mountinfo then shows; false where they do not fit, or hold what separates them. */
static bool full_names(struct text *t, const struct layers *l) {
  struct cursor lowers = l->op->list;
  const char *lower;
  for (uint32_t i = 0; i < l->op->nlist && cursor_str(&lowers, &lower); i++) {
    if (strchr(lower, ':') || strchr(lower, ',') || strchr(lower, '\\')) return false;
    if (i > 0) text_str(t, ":");
    text_str(t, lower);
  }
  /* And room for the other two. */
  size_t rest = l->upper ? 2 * (strlen(l->upper) + strlen(l->work)) + 32 : 1;
  return (size_t)(t->end - t->at) > rest;
}

/*
 * mount(2) takes one page of options: enough for the most layers the kernel stacks (500) by their short names, which
 * need no separators escaped either.
 */
static int by_mount(const struct layers *l) {
  char options[4096];
  struct text t = text_into(options, sizeof options);
  text_str(&t, "lowerdir=");
  struct text names = t;
  if (!l->mapped && full_names(&names, l)) t = names;
  else
    for (uint32_t i = 0; i < l->op->nlist; i++) {
      if (i > 0) text_str(&t, ":");
      text_num(&t, i);
    }
  if (l->upper) {
    text_str(&t, ",upperdir=");
    escaped(&t, l->upper);
    text_str(&t, ",workdir=");
    escaped(&t, l->work);
  }
  if (t.at == t.end) return errno = E2BIG, -1;
  if (chdir(SCRATCH) < 0 || mount("overlay", SCRATCH, "overlay", 0, options) < 0) return -1;
  int copy = mount_clone(AT_FDCWD, SCRATCH, false);
  if (copy >= 0 && mount_change(copy, mount_attributes(l->op->flags), MS_PRIVATE, false) < 0) return -1;
  return copy;
}

/* The root directory of an overlay has the owner and mode of its upper directory. */
static int like_lower(const char *upper, const char *place, const char *lower) {
  struct stat st;
  if (stat(place, &st) < 0) return fail("root-overlay", lower);
  if (chown(upper, st.st_uid, st.st_gid) < 0 || chmod(upper, st.st_mode & 07777) < 0) return fail("root-overlay", upper);
  return 0;
}

/*
 * Ids are mapped below the overlay, which cannot be idmapped itself (Linux 5.19: overlayfs.rst, "idmapped layers"): what
 * is copied up has the ids that the container sees, so the upper directory is not mapped.
 */
static int map_lowers(const struct root_op *op, int userns) {
  struct cursor lowers = op->list;
  const char *lower;
  char path[32];
  for (uint32_t i = 0; i < op->nlist && cursor_str(&lowers, &lower); i++) {
    int mount = mount_clone(AT_FDCWD, lower, false);
    if (mount < 0) return fail(what(op), lower);
    short_name(i, path, sizeof path);
    int result = 0;
    if (mount_idmap(mount, userns, false) < 0) result = fail("idmap", lower);
    else if (mkdir(path, 0755) < 0 || mount_attach(mount, AT_FDCWD, path) < 0) result = fail(what(op), path);
    close(mount);
    if (result < 0) return -1;
  }
  return 0;
}

/* A private one beside the layers where no other is given. */
static int make_upper(struct layers *l, const char *lower) {
  char first[32];
  l->upper = *l->op->source ? l->op->source : SCRATCH "/upper";
  l->work = *l->op->source ? l->op->extra : SCRATCH "/work";
  /* An upper directory that is kept is there already, except at its first use. */
  if (mkdir(l->upper, 0755) == 0) {
    if (like_lower(l->upper, short_name(0, first, sizeof first), lower) < 0) return -1;
  } else if (errno != EEXIST) return fail("root-overlay", l->upper);
  if (mkdir(l->work, 0700) < 0 && errno != EEXIST) return fail("root-overlay", l->work);
  return 0;
}

static int build(const struct root_op *op, int userns) {
  struct layers l = {op, NULL, NULL, userns >= 0};
  struct cursor lowers = op->list;
  const char *lower;
  if (!cursor_str(&lowers, &lower)) return fail_with(EINVAL, what(op), "lower");
  if (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return fail(what(op), "/");
  if (mount("tmpfs", SCRATCH, "tmpfs", 0, "mode=0755") < 0) return fail(what(op), "tmpfs");
  if ((l.mapped ? map_lowers(op, userns) : link_lowers(op)) < 0) return -1;
  if (op->kind == OP_ROOT_OVERLAY && make_upper(&l, lower) < 0) return -1;
  int fd = has_parameters() ? by_parameters(&l) : by_mount(&l);
  return fd < 0 ? fail(what(op), lower) : fd;
}

int overlay_prepare(const struct root_op *op, int userns) {
  int result = -1;
  struct clone3_args args = {.flags = CLONE_NEWNS | CLONE_FILES | CLONE_VFORK, .exit_signal = SIGCHLD};
  int pair[2];
  if (pipe2(pair, O_CLOEXEC) < 0) return fail(what(op), "pipe");
  pid_t pid = sys_clone3(&args);
  if (pid == 0) {
    struct message m = {.kind = MSG_READY};
    m.value = build(op, userns);
    m.fault = fault;
    _exit(write(pair[1], &m, sizeof m) == (ssize_t)sizeof m ? 0 : 1);
  }
  if (pid < 0) (void)fail(what(op), "clone");
  else {
    struct message m;
    while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR) continue;
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    if (read(pair[0], &m, sizeof m) == (ssize_t)sizeof m) {
      result = m.value;
      if (result < 0) fault = m.fault;
    } else (void)fail_with(ECHILD, what(op), "helper");
  }
  close(pair[0]);
  close(pair[1]);
  return result;
}
