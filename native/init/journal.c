#include "journal.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "report.h"
#include "sys.h"

/* How long a journal that is behind is waited for, ms: it must not hold up the supervisor. */
#define PATIENCE_MS 200

static int journal_fd = -1;

static int reach(const char *path) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  size_t n = strlen(path);
  if (n >= sizeof a.sun_path) return errno = ENAMETOOLONG, -1;
  memcpy(a.sun_path, path, n + 1);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
    int err = errno;
    close(fd);
    return errno = err, -1;
  }
  return fd;
}

int journal_open(const struct spec *spec) {
  journal_fd = reach(spec->journal);
  return journal_fd < 0 ? fail("journal", spec->journal) : 0;
}

static struct iovec part(const char *text, size_t n) { return (struct iovec){(void *)(uintptr_t)text, n}; }

void journal_line(const struct spec *spec, bool error, const char *text, size_t n, bool full) {
  /* <syslog.h>: LOG_ERR and LOG_INFO. A line has no newline in it, so its field needs no length. */
  const char *more = error ? "\nPRIORITY=3\n" : "\nPRIORITY=6\n", *partial = full ? "" : "CONTAINER_PARTIAL_MESSAGE=true\n";
  struct iovec iov[] = {part("MESSAGE=", 8), part(text, n), part(more, strlen(more)), part(partial, strlen(partial)),
                        part(spec->journal_fields, strlen(spec->journal_fields))};
  struct msghdr h = {.msg_iov = iov, .msg_iovlen = sizeof iov / sizeof iov[0]};
  for (int attempt = 0; attempt < 3; attempt++) {
    if (journal_fd < 0 && (journal_fd = reach(spec->journal)) < 0) return;
    if (sendmsg(journal_fd, &h, MSG_NOSIGNAL) >= 0) return;
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      struct pollfd p = {.fd = journal_fd, .events = POLLOUT};
      if (poll(&p, 1, PATIENCE_MS) <= 0) return;
      continue;
    }
    /* It was started again: its socket is another. */
    close(journal_fd);
    journal_fd = -1;
  }
}
