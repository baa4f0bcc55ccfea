// Mounting and unmounting.
#include <sys/mount.h>

#include "util.h"

namespace tsbox {

namespace {

const char* OrNull(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

// mount: man 2 mount. Empty strings are null pointers, which the flags that ignore an argument expect.
Napi::Value Mount(const Napi::CallbackInfo& info) {
  std::string source = PathArg(info, 0, "source");
  std::string target = PathArg(info, 1, "target");
  std::string type = PathArg(info, 2, "fstype");
  auto flags = static_cast<unsigned long>(IntArg(info, 3, "flags"));
  std::string data = PathArg(info, 4, "data");
  if (mount(OrNull(source), target.c_str(), OrNull(type), flags, OrNull(data)) != 0) {
    throw SysError(errno, "mount", target);
  }
  return info.Env().Undefined();
}

// umount: man 2 umount2
Napi::Value Umount(const Napi::CallbackInfo& info) {
  std::string target = PathArg(info, 0, "target");
  if (umount2(target.c_str(), static_cast<int>(IntArg(info, 1, "flags"))) != 0) {
    throw SysError(errno, "umount2", target);
  }
  return info.Env().Undefined();
}

}  // namespace

void InitMount(Napi::Env env, Napi::Object exports) {
  Export<Mount>(env, exports, "mount");
  Export<Umount>(env, exports, "umount");
}

}  // namespace tsbox
