/*
 * The floor: what the kernel itself takes to start a container, with no policy, no supervisor and no checks.
 *
 *   container N INFLIGHT ROOT
 *
 * For each of N: a directory in every cgroup hierarchy below ROOT, a process with all eight namespaces new in them, a
 * read-only clone of the host's root with proc, sysfs, cgroup2, dev (six nodes bound), pts, shm, mqueue, tmp and run,
 * pivot_root, no capabilities, no_new_privs, exec of sleep. Prints the wall time in ms, then removes everything.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char mounts[32][256];
static int versions[32], count;
static const char *root;

static void die(const char *what) {
  fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
  _exit(1);
}

static void find_hierarchies(void) {
  FILE *f = fopen("/proc/self/mountinfo", "r");
  char line[1024];
  while (f && fgets(line, sizeof line, f) && count < 32) {
    char *dash = strstr(line, " - ");
    if (!dash) continue;
    int v2 = strncmp(dash + 3, "cgroup2 ", 8) == 0, v1 = strncmp(dash + 3, "cgroup ", 7) == 0;
    if ((!v1 && !v2) || (v1 && strstr(dash, "name="))) continue;
    sscanf(line, "%*d %*d %*s %*s %255s", mounts[count]);
    versions[count++] = v2 ? 2 : 1;
  }
  if (f) fclose(f);
}

static void put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) die(path);
  close(fd);
}

static void fill(const char *fs, const char *target, const char *key, const char *value, unsigned attributes) {
  int fd = syscall(SYS_fsopen, fs, FSOPEN_CLOEXEC);
  if (fd < 0) die(fs);
  if (key && syscall(SYS_fsconfig, fd, FSCONFIG_SET_STRING, key, value, 0)) die(key);
  if (syscall(SYS_fsconfig, fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0)) die(fs);
  int mnt = syscall(SYS_fsmount, fd, FSMOUNT_CLOEXEC, attributes);
  if (mnt < 0 || syscall(SYS_move_mount, mnt, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH)) die(target);
  close(mnt);
  close(fd);
}

static void child(int go) {
  char byte;
  if (read(go, &byte, 1) != 1) _exit(1);
  if (setresgid(0, 0, 0) || setresuid(0, 0, 0)) die("ids");
  if (unshare(CLONE_NEWCGROUP)) die("cgroup namespace");
  if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL)) die("slave");
  int nodes[6];
  static const char *names[] = {"null", "zero", "full", "random", "urandom", "tty"};
  char path[64];
  for (int i = 0; i < 6; i++) {
    snprintf(path, sizeof path, "/dev/%s", names[i]);
    nodes[i] = syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (nodes[i] < 0) die(path);
  }
  /* Recursive: in a user namespace the mounts below are locked to it and cannot be left out. */
  int tree = syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  if (tree < 0 || syscall(SYS_move_mount, tree, "", AT_FDCWD, "/tmp", MOVE_MOUNT_F_EMPTY_PATH)) die("root");
  if (fchdir(tree)) die("fchdir");
  const unsigned safe = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, sealed = safe | MOUNT_ATTR_NOEXEC;
  fill("proc", "proc", NULL, NULL, sealed);
  fill("sysfs", "sys", NULL, NULL, sealed | MOUNT_ATTR_RDONLY);
  fill("cgroup2", "sys/fs/cgroup", NULL, NULL, sealed | MOUNT_ATTR_RDONLY);
  fill("tmpfs", "dev", "mode", "0755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  for (int i = 0; i < 6; i++) {
    snprintf(path, sizeof path, "dev/%s", names[i]);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
    if (syscall(SYS_move_mount, nodes[i], "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH)) die(path);
  }
  mkdir("dev/pts", 0755), mkdir("dev/shm", 01777), mkdir("dev/mqueue", 01777);
  fill("devpts", "dev/pts", "ptmxmode", "0666", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  fill("tmpfs", "dev/shm", "mode", "1777", sealed);
  fill("mqueue", "dev/mqueue", NULL, NULL, sealed);
  fill("tmpfs", "tmp", "mode", "1777", safe);
  fill("tmpfs", "run", "mode", "0755", safe);
  struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY | safe};
  if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &ro, sizeof ro)) die("read-only");
  if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/")) die("pivot_root");
  sethostname("floor", 5);
  for (int cap = 0; cap <= 40; cap++) prctl(PR_CAPBSET_DROP, cap);
  struct { uint32_t version; int pid; } header = {0x20080522, 0};
  uint32_t data[6] = {0};
  syscall(SYS_capset, &header, data);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  execl("/usr/bin/sleep", "sleep", "infinity", NULL);
  die("exec");
}

static pid_t start(int n) {
  char path[512], text[32];
  int v2 = -1;
  for (int i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%s%s/%d", mounts[i], root, n);
    if (mkdir(path, 0755) && errno != EEXIST) die(path);
    if (versions[i] == 2) v2 = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (strstr(path, "/cpuset/")) {
      for (int k = 0; k < 2; k++) {
        const char *name = k ? "mems" : "cpus";
        char from[512], value[256] = "";
        snprintf(from, sizeof from, "%s%s/cpuset.%s", mounts[i], root, name);
        int fd = open(from, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && read(fd, value, sizeof value - 1) > 0) {
          snprintf(from, sizeof from, "%s/cpuset.%s", path, name);
          put(from, value);
        }
        close(fd);
      }
    }
  }
  int go[2];
  if (pipe2(go, O_CLOEXEC)) die("pipe");
  struct clone_args args = {
      .flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | (v2 >= 0 ? CLONE_INTO_CGROUP : 0),
      .exit_signal = SIGCHLD,
      .cgroup = v2 >= 0 ? (uint64_t)v2 : 0,
  };
  static int own_time = -1;
  if (own_time < 0) own_time = open("/proc/self/ns/time", O_RDONLY | O_CLOEXEC);
  if (unshare(CLONE_NEWTIME)) die("time namespace");
  put("/proc/self/timens_offsets", "monotonic 1 0\n");
  pid_t pid = syscall(SYS_clone3, &args, sizeof args);
  if (pid < 0) die("clone3");
  if (pid == 0) child(go[0]);
  if (setns(own_time, CLONE_NEWTIME)) die("setns");
  snprintf(text, sizeof text, "%d", pid);
  for (int i = 0; i < count; i++) {
    if (versions[i] == 2) continue;
    snprintf(path, sizeof path, "%s%s/%d/cgroup.procs", mounts[i], root, n);
    put(path, text);
  }
  snprintf(path, sizeof path, "/proc/%d/uid_map", pid);
  put(path, "0 100000 65536\n");
  snprintf(path, sizeof path, "/proc/%d/gid_map", pid);
  put(path, "0 100000 65536\n");
  if (write(go[1], "x", 1) != 1) die("go");
  close(go[0]), close(go[1]);
  if (v2 >= 0) close(v2);
  return pid;
}

/* The exec is done when the process no longer runs this program. */
static void await(pid_t pid) {
  char path[64], exe[256];
  snprintf(path, sizeof path, "/proc/%d/exe", pid);
  for (int i = 0; i < 20000; i++) {
    ssize_t n = readlink(path, exe, sizeof exe - 1);
    if (n > 0 && (exe[n] = 0, strstr(exe, "sleep"))) return;
    struct timespec nap = {0, 20000};
    nanosleep(&nap, NULL);
  }
  fprintf(stderr, "floor: %d did not start\n", pid);
}

int main(int argc, char **argv) {
  if (argc != 4) return fprintf(stderr, "usage: container N INFLIGHT ROOT\n"), 2;
  int n = atoi(argv[1]), inflight = atoi(argv[2]);
  root = argv[3];
  pid_t *pids = calloc((size_t)n, sizeof *pids);
  char path[512];
  find_hierarchies();
  struct timespec a, b;
  clock_gettime(CLOCK_MONOTONIC, &a);
  for (int i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%s%s", mounts[i], root);
    mkdir(path, 0755);
    if (strstr(path, "/cpuset/")) {
      char command[1200];
      snprintf(command, sizeof command, "cat %s/cpuset.cpus > %s/cpuset.cpus; cat %s/cpuset.mems > %s/cpuset.mems", mounts[i], path, mounts[i], path);
      if (system(command)) die("cpuset");
    }
  }
  for (int i = 0; i < n; i++) {
    pids[i] = start(i);
    if (i >= inflight - 1) await(pids[i - inflight + 1]);
  }
  for (int i = n - inflight + 1; i < n; i++) if (i >= 0) await(pids[i]);
  clock_gettime(CLOCK_MONOTONIC, &b);
  printf("%.2f\n", (b.tv_sec - a.tv_sec) * 1e3 + (b.tv_nsec - a.tv_nsec) / 1e6);
  for (int i = 0; i < n; i++) kill(pids[i], SIGKILL);
  while (wait(NULL) > 0) continue;
  for (int i = 0; i < count; i++) {
    for (int k = 0; k <= n; k++) {
      if (k < n) snprintf(path, sizeof path, "%s%s/%d", mounts[i], root, k);
      else snprintf(path, sizeof path, "%s%s", mounts[i], root);
      for (int tries = 0; rmdir(path) && errno == EBUSY && tries < 1000; tries++) usleep(1000);
    }
  }
  return 0;
}
