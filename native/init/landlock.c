#include "landlock.h"

#include "report.h"
#include "sys.h"

/* linux/landlock.h: the numbers of the unified table, and the access to a file that is no directory. */
#define SYS_LANDLOCK_CREATE 444
#define SYS_LANDLOCK_ADD 445
#define SYS_LANDLOCK_RESTRICT 446
#define RULE_PATH 1
#define RULE_PORT 2
#define ACCESS_FILE (1u << 0 | 1u << 1 | 1u << 2 | 1u << 14 | 1u << 15)

/* A kernel that knows fewer fields takes the rest while it is zero. */
struct ruleset {
  uint64_t files, net, scoped;
};
struct path_rule {
  uint64_t access;
  int32_t parent;
} __attribute__((packed));
struct port_rule {
  uint64_t access, port;
};

bool decode_landlock(struct cursor p) {
  uint64_t n;
  return cursor_u64(&p, &n) && cursor_u64(&p, &n) && cursor_u64(&p, &n) && p.at == p.end;
}

bool decode_landlock_rule(struct cursor p, uint32_t tag) {
  uint64_t n;
  const char *path;
  if (!cursor_u64(&p, &n)) return false;
  return (tag == REC_LANDLOCK_PATH ? cursor_str(&p, &path) : cursor_u64(&p, &n)) && p.at == p.end;
}

static int add_path(int ruleset, struct cursor p) {
  uint64_t access = 0;
  struct path_rule rule;
  struct stat st;
  const char *path = "";
  (void)cursor_u64(&p, &access);
  (void)cursor_str(&p, &path);
  rule.parent = sys_openat2(AT_FDCWD, path, O_PATH | O_CLOEXEC, 0, RESOLVE_NO_MAGICLINKS_);
  if (rule.parent < 0) return fail("landlock", path);
  int result = fstat(rule.parent, &st);
  if (result == 0 && !S_ISDIR(st.st_mode)) access &= ACCESS_FILE;
  rule.access = access;
  /* The kernel refuses a rule that allows nothing; to it that is the same as no rule. */
  if (result == 0 && access != 0) result = (int)syscall(SYS_LANDLOCK_ADD, ruleset, RULE_PATH, &rule, 0);
  int err = errno;
  close(rule.parent);
  return result < 0 ? fail_with(err, "landlock", path) : 0;
}

static int add_port(int ruleset, struct cursor p) {
  struct port_rule rule;
  (void)cursor_u64(&p, &rule.access);
  (void)cursor_u64(&p, &rule.port);
  return syscall(SYS_LANDLOCK_ADD, ruleset, RULE_PORT, &rule, 0) < 0 ? fail("landlock", "port") : 0;
}

int landlock_build(const struct spec *spec) {
  struct cursor records = spec_records(spec), p;
  struct ruleset attr;
  if (!spec_next(&records, REC_LANDLOCK, &p)) return LANDLOCK_NONE;
  (void)cursor_u64(&p, &attr.files);
  (void)cursor_u64(&p, &attr.net);
  (void)cursor_u64(&p, &attr.scoped);
  int ruleset = (int)syscall(SYS_LANDLOCK_CREATE, &attr, sizeof attr, 0);
  if (ruleset < 0) return fail("landlock", "ruleset");
  int result = 0;
  records = spec_records(spec);
  while (result == 0 && spec_next(&records, REC_LANDLOCK_PATH, &p)) result = add_path(ruleset, p);
  records = spec_records(spec);
  while (result == 0 && spec_next(&records, REC_LANDLOCK_PORT, &p)) result = add_port(ruleset, p);
  if (result == 0) return ruleset;
  close(ruleset);
  return -1;
}

int landlock_enter(int ruleset) {
  if (ruleset == LANDLOCK_NONE) return 0;
  int result = (int)syscall(SYS_LANDLOCK_RESTRICT, ruleset, 0);
  int err = errno;
  close(ruleset);
  return result < 0 ? fail_with(err, "landlock", "restrict_self") : 0;
}
