#include "caps.h"

#include <sys/prctl.h>

#include "report.h"
#include "sys.h"
#include "text.h"

/* linux/capability.h, version 3: two 32-bit halves. */
struct cap_header {
  uint32_t version;
  int pid;
};
struct cap_data {
  uint32_t effective, permitted, inheritable;
};
#define CAP_VERSION_3 0x20080522

static int fail_cap(const char *step, unsigned cap) {
  char name[16];
  int err = errno;
  struct text t = text_into(name, sizeof name);
  text_str(&t, "cap ");
  text_num(&t, cap);
  return fail_with(err, step, name);
}

/* The kernel's last capability is the last one that prctl knows. */
int caps_bound(uint64_t bounding) {
  for (unsigned cap = 0; cap < 64; cap++) {
    if (bounding >> cap & 1) continue;
    if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0) continue;
    if (errno == EINVAL) break;
    return fail_cap("bounding", cap);
  }
  return 0;
}

int caps_set(const struct capability_sets *s) {
  struct cap_header header = {CAP_VERSION_3, 0};
  struct cap_data data[2];
  for (int half = 0; half < 2; half++)
    data[half] = (struct cap_data){(uint32_t)(s->effective >> 32 * half), (uint32_t)(s->permitted >> 32 * half),
                                   (uint32_t)(s->inheritable >> 32 * half)};
  /* Ambient first becomes empty: it may not hold what permitted or inheritable lose. */
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) return fail("ambient", "clear");
  if (syscall(SYS_capset, &header, data) < 0) return fail("capset", "");
  for (unsigned cap = 0; cap < 64; cap++)
    if (s->ambient >> cap & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0) return fail_cap("ambient", cap);
  return 0;
}

/* Raw calls: the library's keep all threads of a process in step, of which there is one here. */
int caps_identity(uint32_t uid, uint32_t gid, const uint32_t *groups, uint32_t ngroups) {
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) return fail("keepcaps", "");
  /* In a user namespace that denies setgroups there are no groups left to drop. */
  if (syscall(SYS_setgroups, ngroups, groups) < 0 && (ngroups > 0 || errno != EPERM)) return fail("setgroups", "");
  char id[24];
  struct text t = text_into(id, sizeof id);
  text_num(&t, gid);
  if (syscall(SYS_setresgid, gid, gid, gid) < 0) return fail("setresgid", id);
  t = text_into(id, sizeof id);
  text_num(&t, uid);
  if (syscall(SYS_setresuid, uid, uid, uid) < 0) return fail("setresuid", id);
  return 0;
}
