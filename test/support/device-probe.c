// What a process may really do with devices, told by the kernel's answers alone.
//
//   device-probe hammer DENIED ALLOWED COUNTS   opens both in turn for ever; COUNTS is a mapped file of five u64:
//       opens of DENIED, of those not refused with EPERM, opens of ALLOWED, of those failed, last unexpected errno
//   device-probe ask DIRECTORY CGROUP.PROCS     makes the nodes named on stdin ('c 60 1'; '.' ends them), enters the
//       cgroup, and for every further line prints a word per node: letters of the accesses of 'r w rw m' allowed
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int hammer(char **argv) {
  int fd = open(argv[4], O_RDWR | O_CREAT, 0644);
  if (fd < 0 || ftruncate(fd, 40) != 0) return 2;
  volatile uint64_t *n = mmap(NULL, 40, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (n == MAP_FAILED) return 3;
  for (;;) {
    int device = open(argv[2], O_RDONLY);
    if (device >= 0 || errno != EPERM) {
      n[1]++;
      n[4] = device >= 0 ? 0 : (uint64_t)errno;
    }
    if (device >= 0) close(device);
    n[0]++;
    device = open(argv[3], O_RDWR);
    if (device < 0) {
      n[3]++;
      n[4] = (uint64_t)errno;
    } else {
      close(device);
    }
    n[2]++;
  }
}

struct node {
  mode_t mode;
  dev_t device;
  char path[256];
};

// ENXIO and ENODEV mean that the filter let it pass: nothing stands behind these numbers.
static int allowed(int result) {
  if (result >= 0) return close(result) == 0;
  if (errno == EPERM) return 0;
  if (errno == ENXIO || errno == ENODEV) return 1;
  perror("open");
  exit(4);
}

static int may_make(const char *directory, const struct node *node) {
  char path[256];
  snprintf(path, sizeof path, "%s/made", directory);
  int result = mknod(path, node->mode, node->device);
  if (result == 0) return unlink(path) == 0;
  if (errno == EPERM) return 0;
  perror("mknod");
  exit(5);
}

static int ask(char **argv) {
  static struct node nodes[256];
  char line[128];
  int count = 0;
  while (fgets(line, sizeof line, stdin) && line[0] != '.' && count < 256) {
    char type;
    unsigned major, minor;
    if (sscanf(line, "%c %u %u", &type, &major, &minor) != 3) return 6;
    struct node *node = &nodes[count];
    node->mode = (type == 'b' ? S_IFBLK : S_IFCHR) | 0666;
    node->device = makedev(major, minor);
    snprintf(node->path, sizeof node->path, "%s/%d", argv[2], count++);
    if (mknod(node->path, node->mode, node->device) != 0) return 7;
  }
  int procs = open(argv[3], O_WRONLY);
  if (procs < 0 || write(procs, "0", 1) != 1) return 8;
  while (fgets(line, sizeof line, stdin)) {
    for (int i = 0; i < count; i++) {
      const char *path = nodes[i].path;
      int r = allowed(open(path, O_RDONLY | O_NONBLOCK));
      int w = allowed(open(path, O_WRONLY | O_NONBLOCK));
      int rw = allowed(open(path, O_RDWR | O_NONBLOCK));
      int m = may_make(argv[2], &nodes[i]);
      printf("%s%d%d%d%d", i == 0 ? "" : " ", r, w, rw, m);
    }
    printf("\n");
    fflush(stdout);
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 5 && strcmp(argv[1], "hammer") == 0) return hammer(argv);
  if (argc == 4 && strcmp(argv[1], "ask") == 0) return ask(argv);
  return 1;
}
