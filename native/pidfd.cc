// Processes by descriptor: no signal ever reaches a reused pid.
#include <poll.h>
#include <sys/syscall.h>

#include <memory>

#include "util.h"

namespace tsbox {

namespace {

// pidfdOpen: man 2 pidfd_open
Napi::Value PidfdOpen(const Napi::CallbackInfo& info) {
  auto pid = static_cast<pid_t>(IntArg(info, 0, "pid"));
  long fd = syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) throw SysError(errno, "pidfd_open", "", "pid " + std::to_string(pid));
  return Int(info.Env(), fd);
}

// pidfdSignal: man 2 pidfd_send_signal
Napi::Value PidfdSignal(const Napi::CallbackInfo& info) {
  auto fd = static_cast<int>(IntArg(info, 0, "fd"));
  auto signal = static_cast<int>(IntArg(info, 1, "signal"));
  if (syscall(SYS_pidfd_send_signal, fd, signal, nullptr, 0) != 0) throw SysError(errno, "pidfd_send_signal");
  return info.Env().Undefined();
}

// pidfdWait: man 2 pidfd_open, poll
Napi::Value PidfdWait(const Napi::CallbackInfo& info) {
  int64_t timeout = IntArg(info, 1, "timeoutMs");
  // A duplicate: the caller may close its own while the pool still polls, and the number be given to another file.
  int copy = fcntl(static_cast<int>(IntArg(info, 0, "fd")), F_DUPFD_CLOEXEC, 3);
  if (copy < 0) throw SysError(errno, "fcntl");
  auto fd = std::make_shared<Fd>(copy);
  auto work = [fd, deadline = Deadline(timeout)]() -> bool {
    for (;;) {
      struct pollfd p = {fd->get(), POLLIN, 0};
      int64_t left = deadline.Remaining();
      int n = poll(&p, 1, static_cast<int>(std::min<int64_t>(left, 3'600'000)));
      if (n > 0) {
        if ((p.revents & POLLNVAL) != 0) throw SysError(EBADF, "poll");
        return true;
      }
      if (n < 0 && errno != EINTR) throw SysError(errno, "poll");
      if (left == 0) return false;
    }
  };
  auto done = [](Napi::Env env, const bool& ended) -> Napi::Value { return Napi::Boolean::New(env, ended); };
  return Task<bool>::Start(info.Env(), std::move(work), std::move(done));
}

}  // namespace

void InitPidfd(Napi::Env env, Napi::Object exports) {
  Export<PidfdOpen>(env, exports, "pidfdOpen");
  Export<PidfdSignal>(env, exports, "pidfdSignal");
  Export<PidfdWait>(env, exports, "pidfdWait");
}

}  // namespace tsbox
