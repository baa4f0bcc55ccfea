#include "net.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "report.h"
#include "sys.h"

int net_loopback_up(void) {
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail("loopback", "lo");
  int result = ioctl(fd, SIOCSIFFLAGS, &request);
  int err = errno;
  close(fd);
  return result < 0 ? fail_with(err, "loopback", "lo") : 0;
}
