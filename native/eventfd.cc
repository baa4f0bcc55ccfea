// Notifications of cgroup v1 over eventfd, and waiting for several of them at once.
#include <poll.h>
#include <sys/eventfd.h>

#include <memory>
#include <vector>

#include "util.h"

namespace tsbox {

namespace {

// eventfd: man 2 eventfd
Napi::Value EventFd(const Napi::CallbackInfo& info) {
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) throw SysError(errno, "eventfd");
  return Int(info.Env(), fd);
}

// eventfdSignal: man 2 eventfd, write
Napi::Value EventFdSignal(const Napi::CallbackInfo& info) {
  const uint64_t one = 1;
  // A counter that is full is readable already.
  if (write(static_cast<int>(IntArg(info, 0, "fd")), &one, sizeof one) < 0 && errno != EAGAIN) {
    throw SysError(errno, "write");
  }
  return info.Env().Undefined();
}

// cgroupNotify: Documentation/admin-guide/cgroup-v1/cgroups.rst, "Notification API"
Napi::Value CgroupNotify(const Napi::CallbackInfo& info) {
  std::string directory = PathArg(info, 0, "directory");
  std::string file = directory + "/" + PathArg(info, 1, "file");
  std::string control = directory + "/cgroup.event_control";
  Fd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) throw SysError(errno, "eventfd");
  Fd target(Retry([&] { return open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY); }));
  if (!target) throw SysError(errno, "open", file);
  Fd order(Retry([&] { return open(control.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY); }));
  if (!order) throw SysError(errno, "open", control);
  std::string text = std::to_string(event.get()) + " " + std::to_string(target.get());
  // The kernel keeps references of its own: only the eventfd has to stay open.
  if (Retry([&] { return write(order.get(), text.data(), text.size()); }) < 0) {
    throw SysError(errno, "write", control);
  }
  return Int(info.Env(), event.release());
}

// Empties the eventfds that are readable; their indexes. Nothing when the time is over.
std::vector<uint32_t> Readable(const std::vector<std::shared_ptr<Fd>>& fds, const Deadline& deadline) {
  std::vector<struct pollfd> set;
  for (const auto& fd : fds) set.push_back({fd->get(), POLLIN, 0});
  std::vector<uint32_t> ready;
  while (ready.empty()) {
    int64_t left = deadline.Remaining();
    int n = poll(set.data(), set.size(), static_cast<int>(std::min<int64_t>(left, 3'600'000)));
    if (n < 0 && errno != EINTR) throw SysError(errno, "poll");
    for (uint32_t i = 0; n > 0 && i < set.size(); i++) {
      uint64_t count = 0;
      if (set[i].revents == 0) continue;
      if (read(set[i].fd, &count, sizeof count) < 0 && errno != EAGAIN) throw SysError(errno, "read");
      ready.push_back(i);
    }
    if (left == 0) break;
  }
  return ready;
}

// eventfdWait: man 2 poll, eventfd
Napi::Value EventFdWait(const Napi::CallbackInfo& info) {
  Napi::Array list = ArrayArg(info, 0, "fds");
  std::vector<std::shared_ptr<Fd>> fds;
  for (uint32_t i = 0; i < list.Length(); i++) {
    // Duplicates: the caller may close its own while the pool still polls.
    int copy = fcntl(static_cast<int>(IntArg(list.Get(i), "fd")), F_DUPFD_CLOEXEC, 3);
    if (copy < 0) throw SysError(errno, "fcntl");
    fds.push_back(std::make_shared<Fd>(copy));
  }
  auto work = [fds = std::move(fds), deadline = Deadline(IntArg(info, 1, "timeoutMs"))] {
    return Readable(fds, deadline);
  };
  auto done = [](Napi::Env env, const std::vector<uint32_t>& ready) -> Napi::Value {
    Napi::Array result = Napi::Array::New(env, ready.size());
    for (uint32_t i = 0; i < ready.size(); i++) result.Set(i, Int(env, ready[i]));
    return result;
  };
  return Task<std::vector<uint32_t>>::Start(info.Env(), std::move(work), std::move(done));
}

}  // namespace

void InitEventFd(Napi::Env env, Napi::Object exports) {
  Export<EventFd>(env, exports, "eventfd");
  Export<EventFdSignal>(env, exports, "eventfdSignal");
  Export<EventFdWait>(env, exports, "eventfdWait");
  Export<CgroupNotify>(env, exports, "cgroupNotify");
}

}  // namespace tsbox
