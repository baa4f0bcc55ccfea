// Directory locks, and the two calls on plain descriptors.
#include <sys/file.h>

#include "util.h"

namespace tsbox {

namespace {

// lockDir: man 2 flock. The lock lives as long as the descriptor; a killed process leaves none behind.
Napi::Value LockDir(const Napi::CallbackInfo& info) {
  std::string path = PathArg(info, 0, "path");
  int how = info[1].IsBoolean() && info[1].As<Napi::Boolean>().Value() ? LOCK_SH : LOCK_EX;
  Fd fd(Retry([&] { return open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!fd || Retry([&] { return flock(fd.get(), how | LOCK_NB); }) != 0) return NegativeErrno(info.Env());
  return Int(info.Env(), fd.release());
}

// fstat: man 2 fstat
Napi::Value Fstat(const Napi::CallbackInfo& info) {
  struct stat st;
  if (fstat(static_cast<int>(IntArg(info, 0, "fd")), &st) != 0) return NegativeErrno(info.Env());
  return StatObject(info.Env(), st);
}

// close: man 2 close
Napi::Value Close(const Napi::CallbackInfo& info) {
  // EINTR and EIO have closed it all the same; only EBADF tells of a mistake.
  if (close(static_cast<int>(IntArg(info, 0, "fd"))) != 0 && errno == EBADF) throw SysError(errno, "close");
  return info.Env().Undefined();
}

}  // namespace

void InitLock(Napi::Env env, Napi::Object exports) {
  Export<LockDir>(env, exports, "lockDir");
  Export<Fstat>(env, exports, "fstat");
  Export<Close>(env, exports, "close");
}

}  // namespace tsbox
