// Small helpers shared by the facilities: descriptors, arguments, results, work off the main thread.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "errno.h"

namespace tsbox {

// Owns a descriptor. close(2) is never retried: on Linux the descriptor is gone whatever it returns.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1) {
    if (fd_ >= 0) {
      // Destructors run between a failed call and the reading of its errno.
      int saved = errno;
      close(fd_);
      errno = saved;
    }
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

// O_NONBLOCK so that a FIFO somebody put in the way cannot hold us; regular and kernel files do not care.
constexpr int kReadFlags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

// Calls again while a signal interrupts.
template <class F>
auto Retry(F call) -> decltype(call()) {
  decltype(call()) result;
  do {
    result = call();
  } while (result == -1 && errno == EINTR);
  return result;
}

// A point in time some milliseconds ahead.
class Deadline {
 public:
  explicit Deadline(int64_t ms) : at_(std::chrono::steady_clock::now() + std::chrono::milliseconds(ms)) {}
  // Rounded up, so that a poll with it never returns early and spins.
  int64_t Remaining() const {
    auto left = at_ - std::chrono::steady_clock::now();
    return std::max<int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(left).count());
  }

 private:
  std::chrono::steady_clock::time_point at_;
};

// Arguments. Each throws a TypeError for a wrong type: a mistaken caller must not crash the process.
std::string TextArg(const Napi::Value& value, const char* what);
std::string TextArg(const Napi::CallbackInfo& info, size_t index, const char* what);
// A path; a NUL in it is refused, since the kernel would silently see another path.
std::string PathArg(const Napi::Value& value, const char* what);
std::string PathArg(const Napi::CallbackInfo& info, size_t index, const char* what);
int64_t IntArg(const Napi::Value& value, const char* what);
int64_t IntArg(const Napi::CallbackInfo& info, size_t index, const char* what);
Napi::Array ArrayArg(const Napi::CallbackInfo& info, size_t index, const char* what);
Napi::Object ObjectArg(const Napi::Value& value, const char* what);
Napi::Uint8Array BytesArg(const Napi::Value& value, const char* what);

// A path of a batch, read without an allocation. err is -EINVAL or -ENAMETOOLONG for one no call could take.
struct BatchPath {
  char text[4100];
  int err = 0;
  BatchPath(Napi::Env env, napi_value value);
};

// Calls each(path) -> napi_value for every path of the array argument, in a handle scope of its own.
template <class F>
Napi::Value EachPath(const Napi::CallbackInfo& info, F each) {
  Napi::Env env = info.Env();
  Napi::Array paths = ArrayArg(info, 0, "paths");
  uint32_t count = paths.Length();
  Napi::Array results = Napi::Array::New(env, count);
  for (uint32_t i = 0; i < count; i++) {
    Napi::HandleScope scope(env);
    BatchPath path(env, paths.Get(i));
    Napi::Value result = path.err != 0 ? Napi::Value(Napi::Number::New(env, path.err)) : each(env, path.text);
    results.Set(i, result);
  }
  return results;
}

inline Napi::Value Int(Napi::Env env, int64_t value) { return Napi::Number::New(env, static_cast<double>(value)); }

// The current errno as a negative result of a batched reader.
inline Napi::Value NegativeErrno(Napi::Env env) { return Int(env, -errno); }

// A Stat of the contract. man 3 stat
Napi::Value StatObject(Napi::Env env, const struct stat& st);

// Runs work on libuv's pool and resolves a promise with what done makes of its result on the main thread.
template <class T>
class Task : public Napi::AsyncWorker {
 public:
  using Work = std::function<T()>;
  using Done = std::function<Napi::Value(Napi::Env, const T&)>;

  static Napi::Value Start(Napi::Env env, Work work, Done done) {
    auto* task = new Task(env, std::move(work), std::move(done));
    Napi::Promise promise = task->deferred_.Promise();
    task->Queue();
    return promise;
  }

 protected:
  void Execute() override {
    try {
      result_ = work_();
    } catch (const SysError& error) {
      failure_ = error;
    }
  }
  void OnOK() override {
    Napi::HandleScope scope(Env());
    if (failure_) {
      deferred_.Reject(failure_->ToError(Env()).Value());
    } else {
      deferred_.Resolve(done_(Env(), *result_));
    }
  }
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  Task(Napi::Env env, Work work, Done done)
      : Napi::AsyncWorker(env),
        deferred_(Napi::Promise::Deferred::New(env)),
        work_(std::move(work)),
        done_(std::move(done)) {}

  Napi::Promise::Deferred deferred_;
  Work work_;
  Done done_;
  std::optional<T> result_;
  std::optional<SysError> failure_;
};

// Turns a SysError of a synchronous function into its JavaScript Error.
template <Napi::Value (*F)(const Napi::CallbackInfo&)>
Napi::Value Guarded(const Napi::CallbackInfo& info) {
  try {
    return F(info);
  } catch (const SysError& error) {
    throw error.ToError(info.Env());
  }
}

template <Napi::Value (*F)(const Napi::CallbackInfo&)>
void Export(Napi::Env env, Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<Guarded<F>>(env, name));
}

// One per facility, called by addon.cc.
void InitBeneath(Napi::Env env, Napi::Object exports);
void InitFiles(Napi::Env env, Napi::Object exports);
void InitReads(Napi::Env env, Napi::Object exports);
void InitXattr(Napi::Env env, Napi::Object exports);
void InitLock(Napi::Env env, Napi::Object exports);
void InitPidfd(Napi::Env env, Napi::Object exports);
void InitSpawn(Napi::Env env, Napi::Object exports);
void InitMount(Napi::Env env, Napi::Object exports);
void InitFsIds(Napi::Env env, Napi::Object exports);
void InitHoles(Napi::Env env, Napi::Object exports);
void InitOpenat2(Napi::Env env, Napi::Object exports);
void InitNsfs(Napi::Env env, Napi::Object exports);
void InitBpf(Napi::Env env, Napi::Object exports);
void InitEventFd(Napi::Env env, Napi::Object exports);
void InitWaitFile(Napi::Env env, Napi::Object exports);
void InitPrlimit(Napi::Env env, Napi::Object exports);
void InitSched(Napi::Env env, Napi::Object exports);
void InitFanotify(Napi::Env env, Napi::Object exports);
void InitPoll(Napi::Env env, Napi::Object exports);
void InitRtnetlink(Napi::Env env, Napi::Object exports);
void InitLandlock(Napi::Env env, Napi::Object exports);

}  // namespace tsbox
