// The floor under reading and writing cgroups: nothing but the system calls, in the order of a list on stdin.
//
//   cgroups read    a path a line: open, read to the end, close
//   cgroups make    'd PATH' makes a directory, 'w PATH VALUE' writes a file
//   cgroups remove  a path a line: rmdir
//
// Prints the microseconds that took, without the reading of the list.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int complain(const char *line) {
  fprintf(stderr, "%s: %s\n", line, strerror(errno));
  return 1;
}

static int make(char *line) {
  if (line[0] == 'd') return mkdir(line + 2, 0755) != 0 && errno != EEXIST ? complain(line) : 0;
  char *value = strchr(line + 2, ' ');
  *value++ = 0;
  int fd = open(line + 2, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, value, strlen(value)) < 0) return complain(line + 2);
  close(fd);
  return 0;
}

static int slurp(const char *path) {
  static char buffer[65536];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  // What a kernel lacks is asked for all the same.
  if (fd < 0) return errno == ENOENT ? 0 : complain(path);
  while (read(fd, buffer, sizeof buffer) > 0) {
  }
  close(fd);
  return 0;
}

int main(int argc, char **argv) {
  size_t count = 0, room = 1024, length = 0;
  char **lines = malloc(room * sizeof *lines), *line = NULL;
  if (argc != 2) return 2;
  for (ssize_t n; (n = getline(&line, &length, stdin)) > 0;) {
    if (line[n - 1] == '\n') line[n - 1] = 0;
    if (count == room) lines = realloc(lines, (room *= 2) * sizeof *lines);
    lines[count++] = strdup(line);
  }
  double began = now();
  for (size_t i = 0; i < count; i++) {
    int failed = argv[1][0] == 'r' && argv[1][2] == 'a' ? slurp(lines[i])
                 : argv[1][0] == 'r'                    ? (rmdir(lines[i]) != 0 ? complain(lines[i]) : 0)
                                                        : make(lines[i]);
    if (failed) return 1;
  }
  printf("%.0f\n", now() - began);
  return 0;
}
