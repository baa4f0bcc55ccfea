/*
 * tsbox-init: executes one description (fd 3) and reports on fd 4. See src/kernel/init-spec.ts for what can be said,
 * and namespaces.c for the order in which it is done. Nothing is decided here that a description could decide.
 */
#include <sys/prctl.h>

#include "edit.h"
#include "attach.h"
#include "exec.h"
#include "pin.h"
#include "process.h"
#include "reaper.h"
#include "report.h"
#include "spec.h"
#include "supervise.h"
#include "sys.h"
#include "sysctl.h"
#include "update.h"
#include "text.h"
#include "uts.h"

static struct {
  char *at;
  size_t room;
} title;

/* What ps shows is the memory of the arguments and, past a lost final NUL, of the environment: man 5 proc, cmdline. */
static void find_title(char **argv, char **env) {
  char *end = argv[0];
  for (char **a = argv; *a; a++)
    if (*a == end) end = *a + strlen(*a) + 1;
  for (char **e = env; *e; e++)
    if (*e == end) end = *e + strlen(*e) + 1;
  title.at = argv[0];
  title.room = argv[0] ? (size_t)(end - argv[0]) : 0;
}

void set_title(const char *text, const char *more) {
  if (title.room == 0 || !*text) return;
  memset(title.at, 0, title.room);
  struct text t = text_into(title.at, title.room);
  text_str(&t, text);
  text_str(&t, more);
}

int main(int argc, char **argv, char **env) {
  struct spec spec;
  int code = -1;
  if (argc > 1 && strcmp(argv[0], REAPER_NAME) == 0) return reaper_main(argv + 1, env);
  sys_close_range(REPORT_FD + 1, ~0U, 0);
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_NAME, "tsbox-init");
  /* A user namespace that denies setgroups would keep whatever groups we were started with. */
  syscall(SYS_setgroups, 0, NULL);
  signals_default();
  signals_block();
  fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC);
  if (spec_load(SPEC_FD, &spec) == 0) {
    find_title(argv, env);
    set_title(spec.title, "");
    switch (spec.mode) {
      case MODE_SUPERVISE: code = supervise_main(&spec); break;
      case MODE_EXEC:
      case MODE_RUN: code = exec_main(&spec); break;
      case MODE_PIN: code = pin_main(&spec); break;
      case MODE_UTS_READ: code = uts_read_main(&spec); break;
      case MODE_ATTACH: code = attach_main(&spec); break;
      case MODE_UTS_WRITE: code = uts_write_main(&spec); break;
      case MODE_SYSCTL_READ: code = sysctl_read_main(&spec); break;
      case MODE_SYSCTL_WRITE: code = sysctl_write_main(&spec); break;
      case MODE_MOUNTS: code = mounts_main(&spec); break;
    }
  }
  if (code >= 0) return code;
  report_fault();
  return 125;
}
