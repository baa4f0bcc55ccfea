#include "label.h"

#include <sys/xattr.h>

#include "proc.h"
#include "report.h"
#include "sys.h"
#include "text.h"

int label_open(const struct spec *spec) {
  if (!*spec->label_dir) return -1;
  int fd = open(spec->label_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return fd < 0 ? fail("label", spec->label_dir) : fd;
}

static void field(struct text *t, const char *name, int64_t value) {
  text_str(t, name);
  text_num(t, value);
}

int label_write(int dir, const struct spec *spec, const struct run_state *s) {
  char buf[400], own[24];
  if (dir < 0) return 0;
  (void)proc_start_time(sys_getpid(), own, sizeof own);
  struct text t = text_into(buf, sizeof buf);
  text_str(&t, "state=");
  text_str(&t, s->state);
  field(&t, " pid=", s->pid);
  text_str(&t, " start=");
  text_str(&t, s->start);
  field(&t, " supervisor=", sys_getpid());
  text_str(&t, " sstart=");
  text_str(&t, own);
  field(&t, " exit=", s->exit);
  field(&t, " signal=", s->signal);
  field(&t, " restarts=", s->restarts);
  field(&t, " since=", s->since);
  if (s->health) {
    text_str(&t, " health=");
    text_str(&t, s->health);
    field(&t, " failing=", s->failing);
  }
  if (s->keeper) {
    field(&t, " keeper=", s->keeper);
    text_str(&t, " kstart=");
    text_str(&t, s->keeper_start);
  }
  if (fsetxattr(dir, spec->run_xattr, buf, text_len(&t), 0) < 0) return fail("label", spec->label_dir);
  return 0;
}

/* One 'key=value' of policyText in init-spec.ts; a value out of range leaves what was there. */
static void apply(struct restart_policy *p, const char *key, size_t nkey, const char *value) {
  static const char *const kinds[] = {"no", "always", "on-failure", "unless-stopped"};
  uint64_t n;
  if (nkey == 7 && memcmp(key, "restart", 7) == 0)
    for (uint32_t i = 0; i < 4; i++) {
      size_t len = strlen(kinds[i]);
      if (strncmp(value, kinds[i], len) == 0 && (value[len] == ' ' || value[len] == '\0')) p->kind = i;
    }
  const char *end = parse_num(value, INT64_MAX / 2, &n);
  if (!end || (*end != ' ' && *end != '\0')) return;
  if (nkey == 3 && memcmp(key, "max", 3) == 0 && n <= UINT32_MAX) p->max = (uint32_t)n;
  if (nkey == 7 && memcmp(key, "backoff", 7) == 0) p->backoff_ms = n;
  if (nkey == 11 && memcmp(key, "backoff_max", 11) == 0) p->backoff_max_ms = n;
  if (nkey == 6 && memcmp(key, "signal", 6) == 0 && n >= 1 && n <= 64) p->stop_signal = (uint32_t)n;
  if (nkey == 5 && memcmp(key, "grace", 5) == 0) p->grace_ms = n;
}

struct restart_policy label_policy(int dir, const struct spec *spec) {
  char buf[256];
  struct restart_policy p = spec->policy;
  ssize_t n = dir < 0 ? -1 : fgetxattr(dir, spec->policy_xattr, buf, sizeof buf - 1);
  if (n <= 0) return p;
  buf[n] = '\0';
  for (const char *at = buf; *at;) {
    const char *equals = strchr(at, '=');
    if (!equals) break;
    apply(&p, at, (size_t)(equals - at), equals + 1);
    at = strchr(equals, ' ');
    if (!at) break;
    at++;
  }
  return p;
}
