#include "copy.h"

#include "sys.h"

#define LEVELS 64

/* man 2 getdents64 */
struct entry {
  uint64_t inode;
  int64_t next;
  uint16_t size;
  uint8_t type;
  char name[];
};

static int level(int from, int to, int depth);

static int owned(int to, const struct stat *st) {
  /* The owner first: a change of it takes the set-user-ID bit off. */
  if (fchown(to, st->st_uid, st->st_gid) < 0) return -1;
  return (int)syscall(SYS_fchmod, to, st->st_mode & 07777);
}

static int copy_file(int from, int to) {
  for (;;) {
    long n = syscall(SYS_sendfile, to, from, NULL, 1 << 20);
    if (n <= 0) return (int)n;
  }
}

static int copy_link(int from, int to, const char *name, const struct stat *st) {
  char text[4096];
  ssize_t n = readlinkat(from, name, text, sizeof text - 1);
  if (n < 0) return -1;
  text[n] = '\0';
  if (symlinkat(text, to, name) < 0) return -1;
  return (int)syscall(SYS_fchownat, to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW);
}

static int copy_entry(int from, int to, const char *name, int depth) {
  struct stat st;
  if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0) return -1;
  if (S_ISLNK(st.st_mode)) return copy_link(from, to, name, &st);
  bool directory = S_ISDIR(st.st_mode);
  if (!directory && !S_ISREG(st.st_mode)) return 0;
  int kind = directory ? O_DIRECTORY : 0, result = -1;
  int source = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | kind);
  if (source < 0) return -1;
  int made = directory ? mkdirat(to, name, 0700) : 0;
  int target = made < 0 ? -1 : openat(to, name, (directory ? O_RDONLY : O_WRONLY | O_CREAT | O_EXCL) | O_NOFOLLOW | O_CLOEXEC | kind, 0600);
  if (target >= 0) result = directory ? level(source, target, depth + 1) : copy_file(source, target);
  if (result == 0) result = owned(target, &st);
  int err = errno;
  close(source);
  if (target >= 0) close(target);
  return errno = err, result;
}

static int level(int from, int to, int depth) {
  char buf[2048] __attribute__((aligned(8)));
  if (depth > LEVELS) return errno = ELOOP, -1;
  for (;;) {
    long n = syscall(SYS_getdents64, from, buf, sizeof buf);
    if (n <= 0) return (int)n;
    for (long at = 0; at < n;) {
      const struct entry *e = (const struct entry *)(const void *)(buf + at);
      at += e->size;
      if (strcmp(e->name, ".") != 0 && strcmp(e->name, "..") != 0 && copy_entry(from, to, e->name, depth) < 0) return -1;
    }
  }
}

int copy_tree(int from, int to) { return level(from, to, 0); }
