// Waiting for a kernel file to say something, e.g. cgroup.events.
#include <poll.h>

#include <vector>

#include "util.h"

namespace tsbox {

namespace {

// The longest time between two looks: files that send no event (cgroup v1's) are simply read again.
constexpr int64_t kPeriodMs = 50;

// The whole text from the start, or false when the file is gone: ENODEV is what a removed cgroup's open file says.
bool ReadFromStart(int fd, std::vector<char>& text, const std::string& path) {
  text.resize(4096);
  size_t used = 0;
  for (;;) {
    ssize_t n = Retry([&] { return pread(fd, text.data() + used, text.size() - used, static_cast<off_t>(used)); });
    if (n < 0) {
      if (errno == ENODEV || errno == ENOENT) return false;
      throw SysError(errno, "pread", path);
    }
    if (n == 0) break;
    used += static_cast<size_t>(n);
    if (used == text.size()) text.resize(text.size() * 2);
  }
  text.resize(used);
  return true;
}

bool Wait(const std::string& path, const std::string& needle, const Deadline& deadline) {
  Fd fd(Retry([&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); }));
  if (!fd) {
    if (errno == ENODEV || errno == ENOENT) return false;
    throw SysError(errno, "open", path);
  }
  std::vector<char> text;
  for (;;) {
    if (!ReadFromStart(fd.get(), text, path)) return false;
    if (std::string_view(text.data(), text.size()).find(needle) != std::string_view::npos) return true;
    int64_t left = deadline.Remaining();
    if (left == 0) return false;
    // The kernel counts events since the last read, so none between that read and this poll is lost.
    struct pollfd p = {fd.get(), POLLPRI, 0};
    if (poll(&p, 1, static_cast<int>(std::min(left, kPeriodMs))) < 0 && errno != EINTR) {
      throw SysError(errno, "poll", path);
    }
  }
}

// waitFile: man 2 poll, man 7 cgroups (cgroup.events)
Napi::Value WaitFile(const Napi::CallbackInfo& info) {
  auto work = [path = PathArg(info, 0, "path"), needle = TextArg(info, 1, "needle"),
               deadline = Deadline(IntArg(info, 2, "timeoutMs"))] { return Wait(path, needle, deadline); };
  auto done = [](Napi::Env env, const bool& found) -> Napi::Value { return Napi::Boolean::New(env, found); };
  return Task<bool>::Start(info.Env(), std::move(work), std::move(done));
}

}  // namespace

void InitWaitFile(Napi::Env env, Napi::Object exports) { Export<WaitFile>(env, exports, "waitFile"); }

}  // namespace tsbox
