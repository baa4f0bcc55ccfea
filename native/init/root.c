/*
 * Sources are copied by the parent before the child exists: it has the host's view and rights, which a child in a user
 * namespace has not. Targets are only ever reached by openat2 beneath the new root's descriptor, so that a link in an
 * image leads nowhere else.
 */
#include "root.h"

#include "copy.h"
#include "edit.h"
#include "files.h"
#include "idmap.h"
#include "mounts.h"
#include "overlay.h"
#include "report.h"
#include "sys.h"
#include "text.h"

static const char *const op_names[OP_KINDS] = {
    [OP_ROOT_BIND] = "root-bind",
    [OP_ROOT_OVERLAY] = "root-overlay",
    [OP_BIND] = "bind",
    [OP_MOUNT] = "mount",
    [OP_MKDIR] = "mkdir",
    [OP_SYMLINK] = "symlink",
    [OP_MKNOD] = "mknod",
    [OP_BIND_DEVICE] = "bind-device",
    [OP_MASK] = "mask",
    [OP_READONLY] = "readonly",
    [OP_ROOT_READONLY] = "root-readonly",
    [OP_NONE] = "none",
    [OP_FILE] = "file",
    [OP_UNMOUNT] = "unmount",
    [OP_REMOUNT] = "remount",
    [OP_RECONFIGURE] = "reconfigure",
    [OP_EXPECT] = "expect",
    [OP_CHROOT] = "chroot",
    [OP_OVERLAY] = "overlay",
};

/* A gap in the numbers has no name. */
static const char *op_name(const struct root_op *op) { return op_names[op->kind] ? op_names[op->kind] : "root"; }

/* What a container's set-up believes to be /dev/null must be it: checked by descriptor, not by name. */
static bool is_device(int fd, char type, unsigned major, unsigned minor) {
  struct stat st;
  return fstat(fd, &st) == 0 && (type == 'c' ? S_ISCHR(st.st_mode) : S_ISBLK(st.st_mode)) &&
         DEV_MAJOR(st.st_rdev) == major && DEV_MINOR(st.st_rdev) == minor;
}

int device_open(const char *path, int flags, char type, unsigned major, unsigned minor) {
  int fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
  if (fd < 0 || is_device(fd, type, major, minor)) return fd;
  close(fd);
  return errno = ENODEV, -1;
}

/* Whose maps the mounts of op number `index` get: a descriptor of `sources`, or -1 with the fault set. */
static int idmap_of(const struct spec *spec, uint32_t index, struct root_sources *sources) {
  struct cursor records = spec_records(spec), payload;
  struct idmap_record map;
  while (spec_next(&records, REC_IDMAP, &payload) && decode_idmap(payload, &map)) {
    if (map.op != index) continue;
    if (sources->other >= 0) close(sources->other);
    return sources->other = idmap_namespace(map.uid_map, map.gid_map);
  }
  if (sources->userns >= 0) return sources->userns;
  /* The container's own is not made yet: its mounts must be right before anything can see them. */
  if (!*spec->uid_map) return fail_with(EINVAL, "idmap", "no user namespace");
  if (sources->own < 0) sources->own = idmap_namespace(spec->uid_map, spec->gid_map);
  return sources->own;
}

/* Unless told otherwise copies are private: the host's later mounts do not appear in them, theirs not on the host. */
static int set_up_copy(int copy, const struct root_op *op) {
  bool bind = op->kind == OP_BIND, recursive = op->flags & OPF_RECURSIVE;
  uint64_t propagation = bind && op->mode ? op->mode & ~(uint32_t)MS_REC : MS_PRIVATE;
  bool all = !bind || !op->mode || op->mode & MS_REC, top = bind && op->flags & OPF_TOP;
  uint64_t set = mount_attributes(top ? op->flags & ~(uint32_t)OPF_RO : op->flags);
  uint64_t clear = bind ? mount_attributes(op->type) : 0;
  if (mount_alter(copy, set, clear, all ? propagation : 0, recursive) < 0) return -1;
  return mount_change(copy, top ? mount_attributes(op->flags & OPF_RO) : 0, all ? 0 : propagation, false);
}

/* What is within a source may belong to a container that would lead us elsewhere by a link. */
static int clone_within(const struct root_op *op) {
  int dir = open(op->source, O_PATH | O_DIRECTORY | O_CLOEXEC), copy = -1;
  if (dir < 0) return -1;
  int fd = sys_openat2(dir, op->extra, O_PATH, 0, RESOLVE_BENEATH_ | RESOLVE_NO_SYMLINKS_ | RESOLVE_NO_MAGICLINKS_);
  if (fd >= 0) copy = mount_clone(fd, "", op->flags & OPF_RECURSIVE);
  int err = errno;
  close(dir);
  if (fd >= 0) close(fd);
  return errno = err, copy;
}

static int copy_source(const struct root_op *op, int userns) {
  bool recursive = op->flags & OPF_RECURSIVE, within = op->kind == OP_BIND && *op->extra;
  int fd = within ? clone_within(op) : mount_clone(AT_FDCWD, op->source, recursive);
  if (fd >= 0 && op->kind == OP_BIND_DEVICE && !is_device(fd, (char)op->type, op->major, op->minor)) {
    close(fd);
    return fail_with(ENODEV, op_name(op), op->source);
  }
  if (fd < 0) return fail(op_name(op), op->source);
  if (set_up_copy(fd, op) < 0) (void)fail(op_name(op), op->source);
  else if (userns >= 0 && mount_idmap(fd, userns, op->flags & OPF_IDMAP_RECURSIVE) < 0) (void)fail("idmap", op->source);
  else return fd;
  close(fd);
  return -1;
}

void root_release(struct root_sources *sources) {
  for (uint32_t i = 0; i < sources->n; i++)
    if (sources->fd[i] >= 0) close(sources->fd[i]);
  sources->n = 0;
  if (sources->own >= 0) close(sources->own);
  if (sources->other >= 0) close(sources->other);
  sources->own = sources->other = -1;
}

int root_prepare(const struct spec *spec, int userns, struct root_sources *sources) {
  struct cursor records = spec_records(spec), payload;
  struct root_op op;
  sources->n = 0;
  sources->userns = userns;
  sources->locked = false;
  sources->own = sources->other = -1;
  while (spec_next(&records, REC_ROOT_OP, &payload) && decode_root_op(payload, &op)) {
    int fd = -1, err = 0, map = -1;
    if (sources->n >= ROOT_OPS_MAX) err = fail_with(E2BIG, "root", "too many operations");
    else if (op.flags & (OPF_IDMAP | OPF_IDMAP_RECURSIVE)) err = (map = idmap_of(spec, sources->n, sources)) < 0 ? -1 : 0;
    if (err < 0) fd = -1;
    else if (op.kind == OP_ROOT_OVERLAY || op.kind == OP_OVERLAY) err = (fd = overlay_prepare(&op, map)) < 0 ? -1 : 0;
    else if (op.kind == OP_ROOT_BIND || op.kind == OP_BIND || op.kind == OP_BIND_DEVICE)
      err = (fd = copy_source(&op, map)) < 0 ? -1 : 0;
    if (err < 0) {
      root_release(sources);
      return -1;
    }
    sources->fd[sources->n++] = fd;
  }
  return 0;
}

/* Names below the working directory of root_lock: one per op. */
static const char *number(char *buf, size_t size, uint32_t n) {
  struct text t = text_into(buf, size);
  text_num(&t, n);
  return buf;
}

int root_lock(struct root_sources *sources) {
  char name[12];
  struct stat st;
  if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) return fail("lock", "/");
  int place = mount_new("tmpfs", (struct cursor){0}, 0, 0, NULL);
  /* Not over "/", or the kernel takes us for chrooted and makes no user namespace; the child looks nothing up there. */
  if (place < 0 || (mount_attach(place, AT_FDCWD, "/run") < 0 && mount_attach(place, AT_FDCWD, "/tmp") < 0) || fchdir(place) < 0)
    return fail("lock", "/run");
  close(place);
  for (uint32_t i = 0; i < sources->n; i++) {
    if (sources->fd[i] < 0) continue;
    number(name, sizeof name, i);
    if (fstat(sources->fd[i], &st) < 0) return fail("lock", name);
    int made = S_ISDIR(st.st_mode) ? mkdir(name, 0700) : mknodat(AT_FDCWD, name, S_IFREG | 0600, 0);
    if (made < 0 || mount_attach(sources->fd[i], AT_FDCWD, name) < 0) return fail("lock", name);
  }
  sources->locked = true;
  return 0;
}

/* The child's own copies in place of what its parent attached. */
static int take_locked(struct root_sources *sources) {
  char name[12];
  for (uint32_t i = 0; i < sources->n; i++) {
    if (sources->fd[i] < 0) continue;
    int fd = mount_clone(AT_FDCWD, number(name, sizeof name, i), true);
    if (fd < 0) return fail("lock", name);
    close(sources->fd[i]);
    sources->fd[i] = fd;
  }
  return 0;
}

static int in_root(int root, const char *path, uint64_t flags) {
  return sys_openat2(root, path, flags, 0, RESOLVE_IN_ROOT_ | RESOLVE_NO_MAGICLINKS_);
}

int root_open(int root, const char *path) { return in_root(root, path, O_PATH); }

/* Splits off the last component into `name`; the rest is opened, and made where `create` says so. */
static int open_parent(int root, const char *path, bool create, char *name, size_t size);

/* An O_PATH descriptor of the directory `path` in the root, made with its parents when it is missing. */
static int open_dir(int root, const char *path, bool create) {
  char name[256];
  int fd = in_root(root, path, O_PATH | O_DIRECTORY);
  if (fd >= 0 || errno != ENOENT || !create) return fd;
  int parent = open_parent(root, path, true, name, sizeof name);
  if (parent < 0) return -1;
  int made = mkdirat(parent, name, 0755);
  int err = errno;
  close(parent);
  /* EEXIST here is a link that leads nowhere: openat2 says again what is wrong with it. */
  if (made < 0 && err != EEXIST) return errno = err, -1;
  return in_root(root, path, O_PATH | O_DIRECTORY);
}

static int open_parent(int root, const char *path, bool create, char *name, size_t size) {
  char dir[4096];
  size_t end = strlen(path);
  while (end > 0 && path[end - 1] == '/') end--;
  size_t slash = end;
  while (slash > 0 && path[slash - 1] != '/') slash--;
  size_t n = end - slash;
  if (n == 0 || n >= size || slash + 2 > sizeof dir) return errno = ENAMETOOLONG, -1;
  struct text t = text_into(name, size);
  text_bytes(&t, path + slash, n);
  if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return errno = EINVAL, -1;
  t = text_into(dir, sizeof dir);
  text_str(&t, "/");
  while (slash > 1 && path[slash - 1] == '/') slash--;
  text_bytes(&t, path, slash);
  return open_dir(root, dir, create);
}

int root_open_parent(int root, const char *path, char *name, size_t size) { return open_parent(root, path, false, name, size); }

/* A view of the kernel under a link would be where whoever made the link wants it, and a decoy where it is looked for. */
static bool leads_away(int root, const struct root_op *op) {
  if (op->kind != OP_MOUNT || (strcmp(op->extra, "proc") != 0 && strcmp(op->extra, "sysfs") != 0)) return false;
  int fd = sys_openat2(root, op->target, O_PATH, 0, RESOLVE_IN_ROOT_ | RESOLVE_NO_SYMLINKS_);
  if (fd >= 0) close(fd);
  return fd < 0 && errno == ELOOP;
}

/* The target of a mount, made when missing and wanted. */
static int open_target(int root, const struct root_op *op) {
  char name[256];
  if (leads_away(root, op)) return -1;
  if (op->flags & OPF_CREATE_DIR) return open_dir(root, op->target, true);
  int fd = in_root(root, op->target, O_PATH);
  if (fd >= 0 || errno != ENOENT || !(op->flags & OPF_CREATE_FILE)) return fd;
  int parent = open_parent(root, op->target, true, name, sizeof name);
  if (parent < 0) return -1;
  int made = mknodat(parent, name, S_IFREG | 0644, 0);
  int err = errno;
  close(parent);
  if (made < 0 && err != EEXIST) return errno = err, -1;
  return in_root(root, op->target, O_PATH);
}

static int attach_at(int mount, int root, const struct root_op *op) {
  int target = open_target(root, op);
  if (target < 0) return -1;
  int result = op->flags & OPF_SWAP ? mount_swap(mount, root, target, op->target) : mount_attach(mount, target, "");
  int err = errno;
  close(target);
  return errno = err, result;
}

static int new_filesystem(const struct root_op *op) {
  const char *option;
  uint32_t flags = op->flags & OPF_COPY_UP ? op->flags & ~(uint32_t)OPF_RO : op->flags;
  int mount = mount_new(op->extra, op->list, op->nlist, mount_attributes(flags), &option);
  if (mount < 0 && *option) {
    char what[sizeof fault.path];
    int err = errno;
    struct text t = text_into(what, sizeof what);
    text_str(&t, op->target);
    text_str(&t, " option ");
    text_str(&t, option);
    return fail_with(err, "mount", what);
  }
  return mount < 0 ? fail("mount", op->target) : mount;
}

/* Into a file system that nobody sees yet; read-only only afterwards. */
static int copy_up(int root, const struct root_op *op, int mount) {
  int from = in_root(root, op->target, O_RDONLY | O_DIRECTORY);
  if (from < 0) return errno == ENOENT ? 0 : -1;
  int to = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int result = to < 0 ? -1 : copy_tree(from, to);
  if (result == 0 && op->flags & OPF_RO) result = mount_change(mount, MOUNT_ATTR_RDONLY, 0, false);
  int err = errno;
  close(from);
  if (to >= 0) close(to);
  return errno = err, result;
}

static int op_mount(int root, const struct root_op *op, int made) {
  int mount = made >= 0 ? made : new_filesystem(op);
  if (mount < 0) return -1;
  if (op->flags & OPF_COPY_UP && copy_up(root, op, mount) < 0) return fail("copy_up", op->target);
  if (attach_at(mount, root, op) < 0) return fail("mount", op->target);
  if (made < 0) close(mount);
  return 0;
}

static int op_mkdir(int root, const struct root_op *op) {
  char name[256];
  struct stat st;
  int parent = open_parent(root, op->target, true, name, sizeof name);
  if (parent < 0) return -1;
  int result = mkdirat(parent, name, op->mode);
  if (result < 0 && errno == EEXIST) {
    result = fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW);
    if (result == 0 && !S_ISDIR(st.st_mode)) errno = EEXIST, result = -1;
  }
  int err = errno;
  close(parent);
  return errno = err, result;
}

static int op_symlink(int root, const struct root_op *op) {
  char name[256], now[4096];
  int parent = open_parent(root, op->target, true, name, sizeof name);
  if (parent < 0) return -1;
  int result = symlinkat(op->source, parent, name);
  if (result < 0 && errno == EEXIST) {
    ssize_t n = readlinkat(parent, name, now, sizeof now);
    bool same = n >= 0 && (size_t)n == strlen(op->source) && memcmp(now, op->source, (size_t)n) == 0;
    if (same) result = 0;
    else errno = EEXIST;
  }
  int err = errno;
  close(parent);
  return errno = err, result;
}

static int op_mknod(int root, const struct root_op *op) {
  char name[256];
  int parent = open_parent(root, op->target, true, name, sizeof name);
  if (parent < 0) return -1;
  int result = mknodat(parent, name, (op->type == 'c' ? S_IFCHR : S_IFBLK) | (op->mode & 0777), DEV_MAKE(op->major, op->minor));
  if (result < 0 && errno == EEXIST) {
    int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && is_device(fd, (char)op->type, op->major, op->minor)) result = 0;
    else errno = EEXIST;
    if (fd >= 0) close(fd);
  }
  int err = errno;
  close(parent);
  return errno = err, result;
}

static int empty_directory(void) {
  return mount_new("tmpfs", (struct cursor){0}, 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, NULL);
}

/* The host's: what a container has under that name may be anything. */
static int null_cover(void) {
  int null = device_open("/dev/null", O_PATH, 'c', 1, 3);
  if (null < 0) return -1;
  int cover = mount_clone(null, "", false);
  /* What the host mounts on its own /dev/null later must not appear on what is masked. */
  bool failed = cover >= 0 && mount_change(cover, 0, MS_PRIVATE, false) < 0;
  int err = errno;
  close(null);
  if (failed) {
    close(cover);
    cover = -1;
  }
  return errno = err, cover;
}

/* A file is covered by the null device, a directory by an empty read-only tmpfs, one instance for all of them. */
static int op_mask(int root, const struct root_op *op, int made, int *empty) {
  struct stat st;
  int target = in_root(root, op->target, O_PATH), cover = -1, result = -1;
  if (target < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
  if (fstat(target, &st) == 0 && S_ISDIR(st.st_mode)) {
    if (*empty >= 0) cover = mount_clone(*empty, "", false);
    else cover = empty_directory();
  } else if (made >= 0) cover = made;
  else cover = null_cover();
  if (cover >= 0) result = mount_attach(cover, target, "");
  int err = errno;
  close(target);
  if (cover >= 0 && result == 0 && S_ISDIR(st.st_mode) && *empty < 0) *empty = cover;
  else if (cover >= 0 && cover != made) close(cover);
  return errno = err, result;
}

static int op_readonly(int root, const struct root_op *op) {
  int target = in_root(root, op->target, O_PATH), result = -1;
  if (target < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
  int copy = mount_clone(target, "", true);
  if (copy >= 0 && mount_change(copy, MOUNT_ATTR_RDONLY, 0, true) == 0) result = mount_attach(copy, target, "");
  int err = errno;
  close(target);
  if (copy >= 0) close(copy);
  return errno = err, result;
}

/*
 * The new root is attached over "/" of the private namespace, which always exists and is never written; pivot_root
 * then swaps the two, stacking the old root on top, where it is detached. man 2 pivot_root, "pivot_root(".", ".")".
 */
static int enter(int root) {
  int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (old < 0) return fail("pivot_root", "/");
  if (fchdir(root) < 0 || sys_pivot_root(".", ".") < 0) return fail("pivot_root", "/");
  if (fchdir(old) < 0 || umount2(".", MNT_DETACH) < 0) return fail("pivot_root", "old root");
  close(old);
  return chdir("/") < 0 ? fail("chdir", "/") : 0;
}

/*
 * For a root that cannot be pivoted. The old root stays mounted beneath: whoever has CAP_SYS_CHROOT or CAP_SYS_ADMIN
 * can get back to it. What is mounted on it is taken away first, as the description says; what a user namespace has
 * locked stays.
 */
static int enter_by_chroot(int root, uint32_t n, struct cursor mounts) {
  const char *target;
  while (n-- > 0 && cursor_str(&mounts, &target)) {
    while (umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) == 0) continue;
    if (errno != EINVAL && errno != ENOENT) return fail("chroot", target);
  }
  if (fchdir(root) < 0 || chroot(".") < 0) return fail("chroot", "/");
  return chdir("/") < 0 ? fail("chdir", "/") : 0;
}

int root_empty(void) {
  if (mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) return fail("mount", "/ rslave");
  int root = empty_directory();
  if (root < 0 || mount_attach(root, AT_FDCWD, "/") < 0) return fail("mount", "empty root");
  if (enter(root) == 0) return 0;
  /* An initramfs cannot be moved away from, and who asks for this has no right left to get back to it. */
  return fault.err == EINVAL ? enter_by_chroot(root, 0, (struct cursor){NULL, NULL}) : -1;
}

int root_enter(const struct root_sources *sources, int root) {
  if (root < 0) return 0;
  return sources->by_chroot ? enter_by_chroot(root, sources->ndetach, sources->detach) : enter(root);
}

static int run(int root, const struct root_op *op, int source, int *empty) {
  switch (op->kind) {
    case OP_BIND:
    case OP_OVERLAY:
    case OP_BIND_DEVICE: return attach_at(source, root, op);
    case OP_FILE: return attach_at(source, root, op);
    case OP_MOUNT: return op_mount(root, op, source);
    case OP_MKDIR: return op_mkdir(root, op);
    case OP_SYMLINK: return op_symlink(root, op);
    case OP_MKNOD: return op_mknod(root, op);
    case OP_MASK: return op_mask(root, op, source, empty);
    case OP_READONLY: return op_readonly(root, op);
    case OP_ROOT_READONLY: return mount_change(root, MOUNT_ATTR_RDONLY, 0, false);
    case OP_UNMOUNT: return edit_unmount(root, op);
    case OP_REMOUNT: return edit_remount(root, op);
    case OP_RECONFIGURE: return edit_reconfigure(root, op);
    case OP_EXPECT: return edit_expect(root, op);
    default: return errno = EINVAL, -1;
  }
}

int root_make(const struct spec *spec, struct root_sources *sources) {
  struct cursor records = spec_records(spec), payload;
  struct root_op op;
  for (uint32_t i = 0; spec_next(&records, REC_ROOT_OP, &payload) && decode_root_op(payload, &op); i++) {
    if (op.kind == OP_FILE && (sources->fd[i] = file_make(spec, &op)) < 0) return fail("file", op.target);
    if (op.kind == OP_MOUNT && (sources->fd[i] = new_filesystem(&op)) < 0) return -1;
    if (op.kind == OP_MASK && (sources->fd[i] = null_cover()) < 0) return fail("mask", "/dev/null");
  }
  return 0;
}

int root_edit(const struct spec *spec, const struct root_sources *sources, int root) {
  struct cursor records = spec_records(spec), payload;
  struct root_op op;
  int empty = -1;
  umask(0);
  for (uint32_t i = 0; spec_next(&records, REC_ROOT_OP, &payload) && decode_root_op(payload, &op); i++) {
    fault.err = 0;
    if (run(root, &op, sources->fd[i], &empty) < 0) return fault.err ? -1 : fail(op_name(&op), op.target);
  }
  return 0;
}

int root_build(const struct spec *spec, struct root_sources *sources, bool own_mounts, int *built) {
  struct cursor records = spec_records(spec), payload;
  struct root_op op;
  int root = -1, empty = -1;
  bool pivot = true;
  /* Before anything else: what is mounted from here on must not reach the host. */
  if (own_mounts && mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) return fail("mount", "/ rslave");
  if (sources->locked && take_locked(sources) < 0) return -1;
  mode_t mask = umask(0);
  for (uint32_t i = 0; spec_next(&records, REC_ROOT_OP, &payload) && decode_root_op(payload, &op); i++) {
    if (op.kind == OP_NONE) continue;
    /* Nothing may be mounted in a namespace that others see. */
    if (!own_mounts) return fail_with(EINVAL, "root", "mount namespace is not new");
    if (op.kind == OP_ROOT_BIND || op.kind == OP_ROOT_OVERLAY) {
      if (i > 0) return fail_with(EINVAL, "root", op_name(&op));
      root = sources->fd[i];
      if (mount_attach(root, AT_FDCWD, "/") < 0) return fail(op_name(&op), "/");
      continue;
    }
    if (root < 0) return fail_with(EINVAL, "root", "no root");
    if (op.kind == OP_CHROOT) {
      pivot = false;
      sources->ndetach = op.nlist;
      sources->detach = op.list;
      continue;
    }
    if (op.kind == OP_FILE && (sources->fd[i] = file_make(spec, &op)) < 0) return fail("file", op.target);
    fault.err = 0;
    if (run(root, &op, sources->fd[i], &empty) < 0)
      return fault.err ? -1 : fail(op_name(&op), op.target);
  }
  umask(mask);
  *built = root;
  sources->by_chroot = !pivot;
  return 0;
}
