// Resource limits of other processes.
#include <sys/resource.h>
#include <sys/syscall.h>

#include "util.h"

namespace tsbox {

namespace {

uint64_t LimitArg(const Napi::CallbackInfo& info, size_t index, const char* what) {
  if (!info[index].IsBigInt()) throw Napi::TypeError::New(info.Env(), std::string(what) + " must be a bigint");
  bool lossless = false;
  uint64_t value = info[index].As<Napi::BigInt>().Uint64Value(&lossless);
  if (!lossless) throw Napi::TypeError::New(info.Env(), std::string(what) + " does not fit 64 bits");
  return value;
}

// setRlimit: man 2 prlimit. The raw call: its limits are 64 bits wide, and all of them set is RLIM64_INFINITY.
Napi::Value SetRlimit(const Napi::CallbackInfo& info) {
  auto pid = static_cast<pid_t>(IntArg(info, 0, "pid"));
  auto resource = static_cast<int>(IntArg(info, 1, "resource"));
  uint64_t limit[2] = {LimitArg(info, 2, "soft"), LimitArg(info, 3, "hard")};
  long result = syscall(SYS_prlimit64, pid, resource, limit, nullptr);
  return result == 0 ? Int(info.Env(), 0) : NegativeErrno(info.Env());
}

}  // namespace

void InitPrlimit(Napi::Env env, Napi::Object exports) { Export<SetRlimit>(env, exports, "setRlimit"); }

}  // namespace tsbox
