// What a socket's tags are and what arrives, told by the kernel's answers alone.
//
//   net-probe tag            prints the mark and priority of a new socket, and the mark that its datagram arrives with
//   net-probe flow SECONDS   sends over TCP as fast as it goes, prints the bytes that arrive in a second, after one more
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef SO_RCVMARK
#define SO_RCVMARK 75
#endif

static int fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return 1;
}

static int listening(int type, struct sockaddr_in *address) {
  int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  socklen_t length = sizeof *address;
  memset(address, 0, sizeof *address);
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || bind(fd, (struct sockaddr *)address, sizeof *address) != 0) return -1;
  if (getsockname(fd, (struct sockaddr *)address, &length) != 0) return -1;
  return fd;
}

static int tag(void) {
  struct sockaddr_in address;
  int receiver = listening(SOCK_DGRAM, &address);
  int on = 1;
  if (receiver < 0) return fail("receiver");
  if (setsockopt(receiver, SOL_SOCKET, SO_RCVMARK, &on, sizeof on) != 0) return fail("SO_RCVMARK");
  int sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  uint32_t mark = 0, priority = 0;
  socklen_t length = sizeof mark;
  if (getsockopt(sender, SOL_SOCKET, SO_MARK, &mark, &length) != 0) return fail("SO_MARK");
  length = sizeof priority;
  if (getsockopt(sender, SOL_SOCKET, SO_PRIORITY, &priority, &length) != 0) return fail("SO_PRIORITY");
  if (sendto(sender, "x", 1, 0, (struct sockaddr *)&address, sizeof address) != 1) return fail("sendto");
  char byte, control[256];
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg(receiver, &message, 0) != 1) return fail("recvmsg");
  long arrived = -1;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_MARK) {
      uint32_t value;
      memcpy(&value, CMSG_DATA(c), sizeof value);
      arrived = value;
    }
  }
  printf("socket mark %u priority %u, arrived mark %ld\n", mark, priority, arrived);
  return 0;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int flow(double seconds) {
  static char buffer[65536];
  struct sockaddr_in address;
  int listener = listening(SOCK_STREAM, &address);
  if (listener < 0 || listen(listener, 1) != 0) return fail("listen");
  pid_t child = fork();
  if (child < 0) return fail("fork");
  if (child == 0) {
    int out = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(out, (struct sockaddr *)&address, sizeof address) != 0) _exit(fail("connect"));
    for (;;) {
      if (send(out, buffer, sizeof buffer, MSG_NOSIGNAL) < 0) _exit(0);
    }
  }
  int in = accept(listener, NULL, NULL);
  if (in < 0) return fail("accept");
  double from = now() + 1;
  double bytes = 0;
  for (double t = now(); t < from + seconds; t = now()) {
    ssize_t n = read(in, buffer, sizeof buffer);
    if (n <= 0) return fail("read");
    if (t >= from) bytes += (double)n;
  }
  kill(child, SIGKILL);
  printf("%.0f bytes per second\n", bytes / seconds);
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "tag") == 0) return tag();
  if (argc == 3 && strcmp(argv[1], "flow") == 0) return flow(atof(argv[2]));
  return 2;
}
