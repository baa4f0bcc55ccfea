#include "spec.h"

#include <sys/mman.h>

#include "confine.h"
#include "landlock.h"
#include "report.h"
#include "sys.h"

#define SPEC_MAGIC 0x58425354u /* "TSBX" */
#define SPEC_VERSION 1u
#define SPEC_MAX (16u << 20)
/* magic, version, mode, size */
#define SPEC_HEADER 16

static size_t left(const struct cursor *c) { return (size_t)(c->end - c->at); }

bool cursor_u32(struct cursor *c, uint32_t *out) {
  if (left(c) < sizeof *out) return false;
  memcpy(out, c->at, sizeof *out);
  c->at += sizeof *out;
  return true;
}

bool cursor_u64(struct cursor *c, uint64_t *out) {
  if (left(c) < sizeof *out) return false;
  memcpy(out, c->at, sizeof *out);
  c->at += sizeof *out;
  return true;
}

/* u32 length, the bytes, a NUL that must be the only one: what the kernel reads is what was declared. */
bool cursor_str(struct cursor *c, const char **out) {
  uint32_t n;
  if (!cursor_u32(c, &n) || left(c) <= n) return false;
  if (memchr(c->at, 0, (size_t)n + 1) != c->at + n) return false;
  *out = (const char *)c->at;
  c->at += (size_t)n + 1;
  return true;
}

static bool cursor_bool(struct cursor *c, bool *out) {
  uint32_t n;
  if (!cursor_u32(c, &n) || n > 1) return false;
  *out = n == 1;
  return true;
}

static bool next_record(struct cursor *records, uint32_t *tag, struct cursor *payload) {
  uint32_t n;
  if (!cursor_u32(records, tag) || !cursor_u32(records, &n)) return false;
  size_t padded = ((size_t)n + 3) & ~(size_t)3;
  if (left(records) < padded) return false;
  *payload = (struct cursor){records->at, records->at + n};
  records->at += padded;
  return true;
}

struct cursor spec_records(const struct spec *spec) { return (struct cursor){spec->data, spec->end}; }

bool spec_next(struct cursor *records, uint32_t tag, struct cursor *payload) {
  uint32_t found;
  while (next_record(records, &found, payload))
    if (found == tag) return true;
  return false;
}

const char *spec_next_str(struct cursor *records, uint32_t tag) {
  struct cursor payload;
  const char *s;
  return spec_next(records, tag, &payload) && cursor_str(&payload, &s) ? s : NULL;
}

bool spec_blob(const struct spec *spec, uint32_t n, struct cursor *content) {
  struct cursor records = spec_records(spec);
  while (spec_next(&records, REC_BLOB, content))
    if (n-- == 0) return true;
  return false;
}

bool decode_root_op(struct cursor p, struct root_op *op) {
  if (!cursor_u32(&p, &op->kind) || op->kind == 0 || op->kind >= OP_KINDS) return false;
  if (!cursor_u32(&p, &op->flags) || op->flags >= OPF_END) return false;
  if (!cursor_u32(&p, &op->mode) || !cursor_u32(&p, &op->type)) return false;
  if (!cursor_u32(&p, &op->major) || !cursor_u32(&p, &op->minor)) return false;
  if (!cursor_str(&p, &op->source) || !cursor_str(&p, &op->target) || !cursor_str(&p, &op->extra)) return false;
  if (!cursor_u32(&p, &op->nlist)) return false;
  op->list = p;
  const char *item;
  for (uint32_t i = 0; i < op->nlist; i++)
    if (!cursor_str(&p, &item)) return false;
  return p.at == p.end;
}

bool decode_join(struct cursor p, struct join_record *join) {
  return cursor_u32(&p, &join->type) && join->type < NS_TYPES && cursor_str(&p, &join->path) &&
         cursor_str(&p, &join->start) && p.at == p.end;
}

bool decode_idmap(struct cursor p, struct idmap_record *map) {
  return cursor_u32(&p, &map->op) && cursor_str(&p, &map->uid_map) && cursor_str(&p, &map->gid_map) && p.at == p.end;
}

bool decode_sysctl(struct cursor p, struct sysctl_record *r) {
  return cursor_u32(&p, &r->type) && r->type < NS_TYPES && cursor_str(&p, &r->key) && cursor_str(&p, &r->value) &&
         p.at == p.end;
}

bool decode_sysctl_group(struct cursor p, struct sysctl_group *g) {
  const char *item;
  if (!cursor_u32(&p, &g->type) || g->type >= NS_TYPES || !cursor_str(&p, &g->path) || !cursor_str(&p, &g->start) ||
      !cursor_u32(&p, &g->n) || g->n > 65536)
    return false;
  g->list = p;
  for (uint32_t i = 0; i < 2 * g->n; i++)
    if (!cursor_str(&p, &item)) return false;
  return p.at == p.end;
}

static bool decode_process(struct cursor *p, struct spec *s) {
  struct capability_sets *c = &s->caps;
  return cursor_str(p, &s->cwd) && cursor_u32(p, &s->uid) && cursor_u32(p, &s->gid) &&
         cursor_u32(p, (uint32_t *)&s->umask) && cursor_bool(p, &s->no_new_privs) && cursor_u64(p, &c->bounding) &&
         cursor_u64(p, &c->permitted) && cursor_u64(p, &c->effective) && cursor_u64(p, &c->inheritable) &&
         cursor_u64(p, &c->ambient);
}

static bool decode_policy(struct cursor *p, struct restart_policy *r) {
  return cursor_u32(p, &r->kind) && r->kind <= RESTART_UNLESS_STOPPED && cursor_u32(p, &r->max) &&
         cursor_u32(p, &r->stop_signal) && r->stop_signal >= 1 && r->stop_signal <= 64 &&
         cursor_u64(p, &r->backoff_ms) && cursor_u64(p, &r->backoff_max_ms) && cursor_u64(p, &r->grace_ms);
}

/* One record into the struct; records that form lists are only checked and counted. */
static bool decode(struct spec *s, uint32_t tag, struct cursor p) {
  struct root_op op;
  struct join_record join;
  struct idmap_record map;
  struct sysctl_record parameter;
  struct sysctl_group group;
  const char *ignored;
  switch (tag) {
    case REC_TITLE: return cursor_str(&p, &s->title) && p.at == p.end;
    case REC_LABEL:
      return cursor_str(&p, &s->label_dir) && cursor_str(&p, &s->run_xattr) && cursor_str(&p, &s->policy_xattr) && p.at == p.end;
    case REC_CGROUP: return cursor_str(&p, &s->cgroup) && p.at == p.end;
    case REC_SUPERVISOR_PROCS:
    case REC_CGROUP_PROCS:
    case REC_PATH: return cursor_str(&p, &ignored) && p.at == p.end;
    case REC_NS_CREATE: return cursor_u32(&p, &s->create) && s->create < 1u << NS_TYPES && p.at == p.end;
    case REC_NS_JOIN: return decode_join(p, &join);
    case REC_NS_MAPS:
      return cursor_str(&p, &s->uid_map) && cursor_str(&p, &s->gid_map) && cursor_bool(&p, &s->deny_setgroups) && p.at == p.end;
    case REC_NS_TIME: return cursor_str(&p, &s->time_offsets) && p.at == p.end;
    case REC_NS_UTS: return cursor_str(&p, &s->hostname) && cursor_str(&p, &s->domainname) && p.at == p.end;
    case REC_NS_LOOPBACK: return cursor_bool(&p, &s->loopback) && p.at == p.end;
    case REC_SYSCTL: return decode_sysctl(p, &parameter);
    case REC_SYSCTL_GROUP: return decode_sysctl_group(p, &group);
    case REC_ROOT_OP: return s->nops++, decode_root_op(p, &op);
    case REC_ARG: return s->nargs++, cursor_str(&p, &ignored) && p.at == p.end;
    case REC_ENV: return s->nenv++, cursor_str(&p, &ignored) && p.at == p.end;
    case REC_PROCESS: return decode_process(&p, s) && p.at == p.end;
    case REC_GROUPS:
      /* Records start on multiples of four, so the payload can be used in place. */
      s->groups = (const uint32_t *)(const void *)p.at;
      s->ngroups = (uint32_t)(left(&p) / 4);
      return left(&p) % 4 == 0 && s->ngroups <= 65536;
    case REC_SECCOMP:
      s->seccomp = p.at;
      s->seccomp_size = left(&p);
      return s->seccomp_size % 8 == 0 && s->seccomp_size / 8 <= 4096;
    case REC_SECCOMP_FLAGS: return cursor_u32(&p, &s->seccomp_flags) && p.at == p.end;
    case REC_LOG:
      return cursor_str(&p, &s->log_path) && cursor_u64(&p, &s->log_max) && cursor_u32(&p, &s->log_files) && p.at == p.end;
    case REC_POLICY: return decode_policy(&p, &s->policy) && p.at == p.end;
    case REC_ADOPT:
      return cursor_u32(&p, &s->adopt_pid) && s->adopt_pid > 0 && cursor_str(&p, &s->adopt_start) &&
             cursor_u32(&p, &s->adopt_restarts) && p.at == p.end;
    case REC_RESTORE: return cursor_str(&p, &s->restore_pid_file) && p.at == p.end;
    case REC_RESTORE_ARG: return s->nrestore++, cursor_str(&p, &ignored) && p.at == p.end;
    case REC_TTY: return cursor_bool(&p, &s->tty) && p.at == p.end;
    case REC_PIN: return cursor_u32(&p, &s->pin_type) && s->pin_type < NS_TYPES && cursor_str(&p, &s->pin_target) && p.at == p.end;
    case REC_START: return cursor_u32(&p, &s->personality) && cursor_bool(&p, &s->own_keyring) && p.at == p.end;
    case REC_SETTINGS: return cursor_str(&p, &s->settings_xattr) && cursor_str(&p, &s->settings) && p.at == p.end;
    case REC_HOSTNAME: return s->set_hostname = true, cursor_str(&p, &s->hostname) && p.at == p.end;
    case REC_DOMAINNAME: return s->set_domainname = true, cursor_str(&p, &s->domainname) && p.at == p.end;
    case REC_IDMAP: return decode_idmap(p, &map);
    case REC_MAILBOX: return cursor_str(&p, &s->mailbox) && p.at == p.end;
    case REC_XATTRS:
      return cursor_str(&p, &s->health_xattr) && cursor_str(&p, &s->probe_xattr) && cursor_str(&p, &s->history_xattr) &&
             p.at == p.end;
    case REC_LANDLOCK: return decode_landlock(p);
    case REC_LANDLOCK_PATH:
    case REC_LANDLOCK_PORT: return decode_landlock_rule(p, tag);
    case REC_LSM_LABEL: return decode_label(p);
    case REC_MEMORY_POLICY: return decode_memory_policy(p);
    case REC_CORE_GROUP: return cursor_u32(&p, &s->core_group) && p.at == p.end;
    case REC_DETACH_KEYS: return s->detach_keys = p.at, (s->detach_n = left(&p)) <= DETACH_MOST;
    case REC_BACKGROUND: return cursor_bool(&p, &s->background) && p.at == p.end;
    case REC_BLOB: return true;
    case REC_MOUNTS_ROOT: return cursor_str(&p, &s->mounts_root) && cursor_str(&p, &s->mounts_start) && p.at == p.end;
    case REC_TERMINAL:
      return cursor_u32(&p, &s->terminal_flags) && s->terminal_flags < 8 && cursor_str(&p, &s->attach_path) && p.at == p.end;
    case REC_OUTPUT:
      return s->keep_output = true, cursor_str(&p, &s->journal) && cursor_str(&p, &s->journal_fields) && p.at == p.end;
    case REC_ATTACH: return cursor_str(&p, &s->attach_path) && p.at == p.end;
    case REC_HOOK: return s->nhooks++, decode_hook(p);
    case REC_HOOK_STATE: return cursor_str(&p, &s->hook_state) && strlen(s->hook_state) < 60000 && p.at == p.end;
    default: return false;
  }
}

int spec_load(int fd, struct spec *s) {
  struct stat st;
  uint32_t magic, version, size, tag;
  memset(s, 0, sizeof *s);
  s->title = s->label_dir = s->run_xattr = s->policy_xattr = s->cgroup = "";
  s->uid_map = s->gid_map = s->time_offsets = s->hostname = s->domainname = "";
  s->cwd = s->log_path = s->adopt_start = s->pin_target = s->mounts_root = s->mounts_start = s->restore_pid_file = "";
  s->mailbox = s->health_xattr = s->probe_xattr = s->history_xattr = "";
  s->cwd = s->log_path = s->adopt_start = s->pin_target = "";
  s->settings_xattr = s->settings = s->journal = s->journal_fields = "";
  s->mailbox = s->health_xattr = s->probe_xattr = s->history_xattr = s->hook_state = s->attach_path = "";
  s->program = -1;
  s->umask = -1;
  s->personality = PERSONALITY_KEPT;
  s->policy.stop_signal = 15;

  if (fstat(fd, &st) < 0) return fail("spec", "fd 3");
  if (st.st_size < SPEC_HEADER || st.st_size > SPEC_MAX) return fail_with(EINVAL, "spec", "size");
  const uint8_t *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (map == MAP_FAILED) return fail("spec", "mmap");
  close(fd);

  struct cursor c = {map, map + st.st_size}, payload;
  if (!cursor_u32(&c, &magic) || !cursor_u32(&c, &version) || !cursor_u32(&c, &s->mode) || !cursor_u32(&c, &size) ||
      magic != SPEC_MAGIC || version != SPEC_VERSION || size != (uint64_t)st.st_size || s->mode < MODE_SUPERVISE ||
      s->mode >= MODES)
    return fail_with(EINVAL, "spec", "header");
  s->data = map + SPEC_HEADER;
  s->end = c.end;
  while (c.at < c.end)
    if (!next_record(&c, &tag, &payload) || !decode(s, tag, payload)) return fail_with(EINVAL, "spec", "record");
  return 0;
}

void spec_unload(struct spec *s) {
  const uint8_t *map = s->data - SPEC_HEADER;
  (void)munmap((void *)(uintptr_t)map, (size_t)(s->end - map));
}
