#include "process.h"

#include <sys/mman.h>
#include <sys/prctl.h>

#include "caps.h"
#include "confine.h"
#include "landlock.h"
#include "report.h"
#include "sys.h"
#include "text.h"

void signals_default(void) {
  for (int n = 1; n <= 64; n++) sys_default(n, false);
}

void signals_block(void) { sys_sigmask(UINT64_MAX); }
void signals_unblock(void) { sys_sigmask(0); }

/* man 2 seccomp; struct sock_fprog. */
static int seccomp_install(const struct spec *spec) {
  struct {
    unsigned short len;
    const void *filter;
  } program = {(unsigned short)(spec->seccomp_size / 8), spec->seccomp};
  if (spec->seccomp_size == 0) return 0;
  if (syscall(SYS_seccomp, 1 /* SECCOMP_SET_MODE_FILTER */, spec->seccomp_flags, &program) < 0) return fail("seccomp", "");
  return 0;
}

/* A working directory reached through a leaked descriptor shows as "(unreachable)": CVE-2024-21626. */
static int enter_cwd(const char *cwd) {
  char now[4096];
  if (chdir(cwd) < 0) return fail("cwd", cwd);
  if (sys_getcwd(now, sizeof now) < 0) return fail("cwd", cwd);
  return now[0] == '/' ? 0 : fail_with(EXDEV, "cwd", cwd);
}

/* The records of one tag as an execve(2) vector. */
static char **vector(const struct spec *spec, uint32_t tag, uint32_t n) {
  char **v = mmap(NULL, (n + 1) * sizeof *v, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (v == MAP_FAILED) return NULL;
  struct cursor records = spec_records(spec);
  const char *s;
  for (uint32_t i = 0; i < n && (s = spec_next_str(&records, tag)); i++) v[i] = (char *)(uintptr_t)s;
  return v;
}

/* A name without a slash is tried in each directory of the PATH it will itself see. */
static int exec_in_path(char **argv, char **env) {
  const char *path = NULL;
  for (char **e = env; *e; e++)
    if (strncmp(*e, "PATH=", 5) == 0) path = *e + 5;
  int err = ENOENT;
  for (const char *p = path; p && *argv[0];) {
    char file[4096];
    const char *end = strchr(p, ':');
    size_t n = end ? (size_t)(end - p) : strlen(p);
    struct text t = text_into(file, sizeof file);
    text_bytes(&t, n ? p : ".", n ? n : 1);
    text_str(&t, "/");
    text_str(&t, argv[0]);
    if (t.at < t.end) execve(file, argv, env);
    /* A directory without the file is no news; a file that may not be run is, unless a later one may. */
    if (errno != ENOENT && errno != ENOTDIR) err = errno;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;
    p = end ? end + 1 : NULL;
  }
  return fail_with(err, "exec", argv[0]);
}

int process_search(char **argv, char **env) {
  if (!strchr(argv[0], '/')) return exec_in_path(argv, env);
  execve(argv[0], argv, env);
  return fail("exec", argv[0]);
}

int process_exec(const struct spec *spec, int channel, bool settle) {
  /*
   * A filter needs no_new_privs or CAP_SYS_ADMIN, and so does Landlock. They come last, so that they need not allow what
   * happens here; without either at the end they come before the capabilities go.
   */
  bool filter_last = spec->no_new_privs || spec->caps.effective >> CAP_SYS_ADMIN_ & 1;
  char **argv = spec->argv ? spec->argv : vector(spec, REC_ARG, spec->nargs), **env = spec->env ? spec->env : vector(spec, REC_ENV, spec->nenv);
  if (!argv || !env) return fail("exec", "vectors");
  if (!argv[0]) return fail_with(EINVAL, "exec", "no arguments");

  if (spec->umask >= 0) umask((mode_t)spec->umask);
  /* As root first: a directory its own user cannot reach is still a working directory. */
  int placed = enter_cwd(spec->cwd);
  if (placed < 0 && fault.err != EACCES) return -1;
  if (caps_bound(spec->caps.bounding) < 0) return -1;
  if (confine(spec) < 0) return -1;
  int ruleset = landlock_build(spec);
  if (ruleset == -1) return -1;
  if (spec->personality != PERSONALITY_KEPT && syscall(SYS_personality, spec->personality) < 0) return fail("personality", "");
  /* While we are who the parent is: the limits of another user's process take CAP_SYS_RESOURCE. man 2 prlimit */
  if (settle && (message_send(channel, MSG_SETTLE, 0) < 0 || message_expect(channel, MSG_SETTLED) < 0))
    return fail("settings", "parent");
  if (!filter_last && (landlock_enter(ruleset) < 0 || seccomp_install(spec) < 0)) return -1;
  if (caps_identity(spec->uid, spec->gid, spec->groups, spec->ngroups) < 0) return -1;
  if (prctl(PR_SET_DUMPABLE, 0) < 0) return fail("dumpable", "");
  if (caps_set(&spec->caps) < 0) return -1;
  if (placed < 0 && enter_cwd(spec->cwd) < 0) return -1;
  if (spec->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return fail("no_new_privs", "");
  if (filter_last && landlock_enter(ruleset) < 0) return -1;
  /* The channel too ends with the exec; the parent reads that as success. */
  if (sys_close_range(3, ~0U, CLOSE_RANGE_CLOEXEC_) < 0) return fail("close_range", "");
  /* Init goes on with the channel, to tell of a command that cannot be run. */
  if (spec->program >= 0 && (channel == 3 ? fcntl(3, F_SETFD, 0) : dup2(channel, 3)) < 0) return fail("exec", "channel");
  signals_unblock();
  if (message_send(channel, MSG_EXEC, 0) < 0) return fail("exec", "parent");
  if (filter_last && seccomp_install(spec) < 0) return -1;

  if (spec->program >= 0) {
    (void)syscall(SYS_execveat, spec->program, "", argv, env, AT_EMPTY_PATH);
    return fail("exec", "init");
  }
  return process_search(argv, env);
}
