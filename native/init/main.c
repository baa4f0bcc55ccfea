/*
 * tsbox-init: executes one description (fd 3) and reports on fd 4. See src/kernel/init-spec.ts for what can be said,
 * and namespaces.c for the order in which it is done. Nothing is decided here that a description could decide.
 */
#include <sys/prctl.h>

#include "edit.h"
#include "exec.h"
#include "pin.h"
#include "process.h"
#include "report.h"
#include "spec.h"
#include "supervise.h"
#include "sys.h"
#include "sysctl.h"
#include "update.h"
#include "uts.h"

/* What ps shows is the memory of the arguments and, past a lost final NUL, of the environment: man 5 proc, cmdline. */
static void set_title(char **argv, char **env, const char *title) {
  char *start = argv[0], *end = start;
  for (char **a = argv; *a; a++)
    if (*a == end) end = *a + strlen(*a) + 1;
  for (char **e = env; *e; e++)
    if (*e == end) end = *e + strlen(*e) + 1;
  if (!start || end <= start || !*title) return;
  size_t room = (size_t)(end - start), n = strlen(title);
  if (n >= room) n = room - 1;
  memset(start, 0, room);
  memcpy(start, title, n);
}

int main(int argc, char **argv, char **env) {
  struct spec spec;
  int code = -1;
  (void)argc;
  sys_close_range(REPORT_FD + 1, ~0U, 0);
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_NAME, "tsbox-init");
  /* A user namespace that denies setgroups would keep whatever groups we were started with. */
  syscall(SYS_setgroups, 0, NULL);
  signals_default();
  signals_block();
  fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC);
  if (spec_load(SPEC_FD, &spec) == 0) {
    set_title(argv, env, spec.title);
    switch (spec.mode) {
      case MODE_SUPERVISE: code = supervise_main(&spec); break;
      case MODE_EXEC: code = exec_main(&spec); break;
      case MODE_PIN: code = pin_main(&spec); break;
      case MODE_UTS_READ: code = uts_read_main(&spec); break;
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
