#include "settings.h"

#include <sys/xattr.h>

#include "proc.h"
#include "report.h"
#include "sys.h"
#include "text.h"

/* sched_setattr(2), as of Linux 3.14. */
struct sched_attributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

#define FIELDS 7
/* As many processors as the kernel can be built for. */
#define CPUS_MAX 8192

void settings_read(int label, const struct spec *spec, char out[SETTINGS_MAX]) {
  ssize_t n = label < 0 || !*spec->settings_xattr ? -1 : fgetxattr(label, spec->settings_xattr, out, SETTINGS_MAX - 1);
  if (n >= 0) {
    out[n] = '\0';
    return;
  }
  struct text t = text_into(out, SETTINGS_MAX);
  text_str(&t, spec->settings);
}

/* 'A:B:C' as numbers; how many there were, 0 for anything else. */
static int numbers(const char *s, uint64_t *out) {
  for (int n = 0; n < FIELDS; n++) {
    s = parse_num(s, UINT64_MAX, &out[n]);
    if (!s) return 0;
    if (*s == ' ' || *s == '\0') return n + 1;
    if (*s++ != ':') return 0;
  }
  return 0;
}

/* '0-3,7' as bits. */
static int affinity(pid_t pid, const char *s) {
  uint8_t mask[CPUS_MAX / 8];
  memset(mask, 0, sizeof mask);
  for (;;) {
    uint64_t from, to;
    if (!(s = parse_num(s, CPUS_MAX - 1, &from))) return errno = EINVAL, -1;
    to = from;
    if (*s == '-' && !(s = parse_num(s + 1, CPUS_MAX - 1, &to))) return errno = EINVAL, -1;
    for (; from <= to; from++) mask[from / 8] |= (uint8_t)(1u << from % 8);
    if (*s++ != ',') break;
  }
  return (int)syscall(SYS_sched_setaffinity, pid, sizeof mask, mask);
}

static int scheduler(pid_t pid, const uint64_t *n) {
  struct sched_attributes a = {sizeof a, (uint32_t)n[0], n[1], (int32_t)n[2] - 20, (uint32_t)n[3], n[4], n[5], n[6]};
  return (int)syscall(SYS_sched_setattr, pid, &a, 0);
}

static bool is(const char *word, const char *key) { return strncmp(word, key, strlen(key)) == 0; }

static int apply(pid_t pid, const char *word, const char *value, size_t length) {
  uint64_t n[FIELDS];
  if (is(word, "cpus=")) return affinity(pid, value);
  if (is(word, "oom=")) {
    char score[8];
    struct text t = text_into(score, sizeof score);
    text_bytes(&t, value, length);
    return proc_write(pid, "oom_score_adj", score, "oom_score_adj") < 0 ? (errno = fault.err, -1) : 0;
  }
  int count = numbers(value, n);
  if (is(word, "rlimit.") && count == 3) return (int)syscall(SYS_prlimit64, pid, n[0], &n[1], NULL);
  if (is(word, "sched=") && count == 7) return scheduler(pid, n);
  if (is(word, "ioprio=") && count == 1) return (int)syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, pid, n[0]);
  return errno = EINVAL, -1;
}

int settings_apply(pid_t pid, const char *text, int channel) {
  for (const char *word = text; *word;) {
    const char *end = strchr(word, ' '), *equals = strchr(word, '=');
    size_t length = end ? (size_t)(end - word) : strlen(word);
    if (!equals || equals >= word + length) return fail_with(EINVAL, "settings", word);
    const char *value = equals + 1;
    if (apply(pid, word, value, length - (size_t)(value - word)) < 0) {
      char name[24];
      int err = errno;
      struct text t = text_into(name, sizeof name);
      text_bytes(&t, word, (size_t)(equals - word));
      return fail_with(err, "settings", name);
    }
    word += length;
    while (*word == ' ') word++;
  }
  return message_send(channel, MSG_SETTLED, 0) < 0 ? fail("settings", "channel") : 0;
}
