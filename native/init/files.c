#include "files.h"

#include "mounts.h"
#include "sys.h"

/* A directory that every host has, covered for the moment: before Linux 6.15 only what is attached can be cloned. */
#define SCRATCH "/proc"
#define NAME "content"

static int small_filesystem(void) {
  int mount = -1, fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
  if (fs < 0) return -1;
  /* Linux 6.4, and not in a user namespace: elsewhere swap may hold the content like any other memory. */
  (void)syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "noswap", NULL, 0);
  if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
    mount = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, (unsigned)(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  int err = errno;
  close(fs);
  return errno = err, mount;
}

static int fill(int mount, const struct root_op *op, struct cursor content) {
  int fd = (int)syscall(SYS_openat, mount, NAME, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  int result = 0;
  while (result == 0 && content.at < content.end) {
    ssize_t n = write(fd, content.at, (size_t)(content.end - content.at));
    if (n <= 0) result = -1;
    else content.at += n;
  }
  if (result == 0) result = fchown(fd, op->major, op->minor);
  if (result == 0) result = (int)syscall(SYS_fchmod, fd, op->mode & 07777);
  int err = errno;
  close(fd);
  return errno = err, result;
}

int file_make(const struct spec *spec, const struct root_op *op) {
  struct cursor content;
  int copy = -1;
  if (!spec_blob(spec, op->type, &content)) return errno = EINVAL, -1;
  int mount = small_filesystem();
  if (mount < 0) return -1;
  if (fill(mount, op, content) == 0 && mount_attach(mount, AT_FDCWD, SCRATCH) == 0) {
    copy = mount_clone(mount, NAME, false);
    if (copy >= 0 && mount_change(copy, mount_attributes(op->flags), MS_PRIVATE, false) < 0) {
      int err = errno;
      close(copy);
      errno = err;
      copy = -1;
    }
    int err = errno;
    if (umount2(SCRATCH, MNT_DETACH) < 0 && copy >= 0) {
      err = errno;
      close(copy);
      copy = -1;
    }
    errno = err;
  }
  int err = errno;
  close(mount);
  return errno = err, copy;
}
