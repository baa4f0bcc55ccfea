#include "tty.h"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <termios.h>

#include "report.h"
#include "sys.h"

/* struct ktermios of TCGETS: the C library's is another. */
static struct kernel_termios {
  uint32_t input, output, control, local;
  uint8_t line, cc[19];
} saved;
static bool is_raw;

/* A container's /dev/pts may hold a trap: only a character device 5:2 on a devpts is a master. */
bool tty_is_master(int fd) {
  struct stat st;
  struct statfs fs;
  return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == DEV_MAKE(5, 2) && fstatfs(fd, &fs) == 0 &&
         fs.f_type == DEVPTS_MAGIC_;
}

/* Not /dev/ptmx, which may be any file that looks like one; the instance's own always lies on the devpts. */
int tty_open_master(void) {
  int zero = 0;
  int fd = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (fd < 0) return -1;
  if (tty_is_master(fd) && ioctl(fd, TIOCSPTLCK, &zero) == 0) return fd;
  close(fd);
  return errno = ENODEV, -1;
}

int tty_take(int master, unsigned uid, unsigned gid) {
  /* By descriptor, not by the slave's name, which another mount could cover. man 2 ioctl_tty */
  int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) return -1;
  (void)!fchown(slave, uid, gid);
  if (ioctl(slave, TIOCSCTTY, 0) < 0) return -1;
  for (int fd = 0; fd < 3; fd++)
    if (dup2(slave, fd) < 0) return -1;
  close(slave);
  return 0;
}

int tty_give(int channel, int other, unsigned uid, unsigned gid) {
  int master = tty_open_master();
  if (master < 0 && other < 0) return fail("tty", "/dev/pts/ptmx");
  int sent = master >= 0 ? message_send_fd(channel, MSG_TTY, master) : message_send(channel, MSG_TTY, 0);
  if (sent < 0) return fail("tty", "parent");
  return tty_take(master >= 0 ? master : other, uid, gid) < 0 ? fail("tty", "/dev/pts/ptmx") : 0;
}

void tty_copy_size(int master) {
  struct winsize size;
  if (ioctl(0, TIOCGWINSZ, &size) == 0) (void)ioctl(master, TIOCSWINSZ, &size);
}

bool tty_raw(void) {
  if (ioctl(0, TCGETS, &saved) < 0) return false;
  struct kernel_termios raw = saved;
  /* man 3 cfmakeraw */
  raw.input &= ~(uint32_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  raw.output &= ~(uint32_t)OPOST;
  raw.local &= ~(uint32_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  raw.control = (raw.control & ~(uint32_t)(CSIZE | PARENB)) | CS8;
  raw.cc[VMIN] = 1;
  raw.cc[VTIME] = 0;
  return is_raw = ioctl(0, TCSETS, &raw) == 0;
}

void tty_restore(void) {
  if (is_raw) (void)ioctl(0, TCSETS, &saved);
  is_raw = false;
}
