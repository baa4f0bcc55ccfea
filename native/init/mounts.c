#include "mounts.h"

#include "sys.h"
#include "text.h"

uint64_t mount_attributes(uint32_t f) {
  return (f & OPF_RO ? MOUNT_ATTR_RDONLY : 0) | (f & OPF_NOSUID ? MOUNT_ATTR_NOSUID : 0) |
         (f & OPF_NODEV ? MOUNT_ATTR_NODEV : 0) | (f & OPF_NOEXEC ? MOUNT_ATTR_NOEXEC : 0);
}

int mount_clone(int dir, const char *path, bool recursive) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (*path ? 0 : AT_EMPTY_PATH) | (recursive ? AT_RECURSIVE : 0);
  return (int)syscall(SYS_open_tree, dir, path, flags);
}

int mount_change(int mount, uint64_t attributes, uint64_t propagation, bool recursive) {
  return mount_alter(mount, attributes, 0, propagation, recursive);
}

int mount_alter(int mount, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive) {
  struct mount_attr attr = {.attr_set = set, .attr_clr = clear & ~set, .propagation = propagation};
  if (!attr.attr_set && !attr.attr_clr && !propagation) return 0;
  return (int)syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr, sizeof attr);
}

int mount_idmap(int mount, int userns, bool recursive) {
  struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns};
  return (int)syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr, sizeof attr);
}

int mount_attach(int mount, int target, const char *path) {
  unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | (*path ? 0 : MOVE_MOUNT_T_EMPTY_PATH);
  return (int)syscall(SYS_move_mount, mount, "", target, path, flags);
}

int mount_attach_beneath(int mount, int target) {
  unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH | MOVE_MOUNT_BENEATH_;
  return (int)syscall(SYS_move_mount, mount, "", target, "", flags);
}

uint32_t mount_id(int fd) {
  struct statx st;
  if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_MNT_ID_, &st) < 0) return 0;
  return (uint32_t)st.stx_mnt_id;
}

/* 'key=value' as a string, 'key' as a flag. */
static int set_option(int fs, const char *option) {
  char key[64];
  const char *equals = strchr(option, '=');
  if (!equals) return (int)syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, option, NULL, 0);
  if ((size_t)(equals - option) >= sizeof key) return errno = EINVAL, -1;
  struct text t = text_into(key, sizeof key);
  text_bytes(&t, option, (size_t)(equals - option));
  return (int)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, equals + 1, 0);
}

int mount_new(const char *fstype, struct cursor options, uint32_t noptions, uint64_t attributes, const char **option) {
  const char *current = "";
  int mount = -1;
  int fs = (int)syscall(SYS_fsopen, fstype, FSOPEN_CLOEXEC);
  bool good = fs >= 0;
  for (uint32_t i = 0; good && i < noptions; i++) good = cursor_str(&options, &current) && set_option(fs, current) == 0;
  if (good) {
    current = "";
    if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
      mount = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, (unsigned)attributes);
  }
  int err = errno;
  if (fs >= 0) close(fs);
  if (option) *option = current;
  errno = err;
  return mount;
}

int mount_reconfigure(int target, struct cursor options, uint32_t noptions) {
  const char *option;
  int fs = (int)syscall(SYS_fspick, target, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
  bool good = fs >= 0;
  for (uint32_t i = 0; good && i < noptions; i++) good = cursor_str(&options, &option) && set_option(fs, option) == 0;
  if (good) good = syscall(SYS_fsconfig, fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) == 0;
  int err = errno;
  if (fs >= 0) close(fs);
  errno = err;
  return good ? 0 : -1;
}
