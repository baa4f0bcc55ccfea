/*
 * `init: true`. Executed afresh as "init" with the container's own command behind it, after every privilege has been
 * given up: nothing of the supervisor's memory or descriptors is in it but the channel (fd 3), on which a command that
 * cannot be run is told to the supervisor as any other is.
 */
#include "reaper.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>

#include "process.h"
#include "report.h"
#include "sys.h"

#define CHANNEL 3

int reaper_main(char **argv, char **env) {
  struct signalfd_siginfo info;
  int status;
  pid_t pid;
  signals_block();
  int signals = sys_signalfd(UINT64_MAX);
  (void)prctl(PR_SET_NAME, "tsbox-init");
  /* Where it is not the first of a pid namespace orphans would go elsewhere. */
  (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  (void)fcntl(CHANNEL, F_SETFD, FD_CLOEXEC);
  /* clone, not clone3: common filters let it pass. */
  pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child < 0 || signals < 0) {
    (void)fail("init", "clone");
    message_send_fault(CHANNEL);
    return 127;
  }
  if (child == 0) {
    /* A group in front of the terminal, so that ^C reaches the command and not us. */
    (void)syscall(SYS_setpgid, 0, 0);
    sys_default(SIGTTOU, true);
    pid_t group = sys_getpid();
    (void)ioctl(0, TIOCSPGRP, &group);
    sys_default(SIGTTOU, false);
    close(signals);
    signals_unblock();
    (void)process_search(argv, env);
    message_send_fault(CHANNEL);
    _exit(127);
  }
  close(CHANNEL);
  for (;;) {
    struct pollfd p = {.fd = signals, .events = POLLIN};
    (void)poll(&p, 1, -1);
    while (read(signals, &info, sizeof info) == (ssize_t)sizeof info)
      if (info.ssi_signo != SIGCHLD) (void)kill(child, (int)info.ssi_signo);
    while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0)
      if (pid == child) return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
}
