// Opening a path as a process whose root is another directory would: man 2 openat2
#include <linux/openat2.h>
#include <sys/syscall.h>

#include "util.h"

namespace tsbox {

namespace {

// openInRoot: links lead no further than the root, and none of /proc's is followed.
Napi::Value OpenInRoot(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int root = static_cast<int>(IntArg(info, 0, "root"));
  std::string path = PathArg(info, 1, "path");
  struct open_how how = {};
  how.flags = static_cast<uint64_t>(IntArg(info, 2, "flags")) | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  // EAGAIN: something was renamed meanwhile, and the kernel cannot tell whether ".." stayed inside.
  for (int attempt = 0;; attempt++) {
    long fd = syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
    if (fd >= 0) return Int(env, fd);
    if ((errno != EAGAIN && errno != EINTR) || attempt == 100) return NegativeErrno(env);
  }
}

}  // namespace

void InitOpenat2(Napi::Env env, Napi::Object exports) {
  Export<OpenInRoot>(env, exports, "openInRoot");
}

}  // namespace tsbox
