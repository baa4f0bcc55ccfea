// How threads are scheduled: policy, i/o priority, processors.
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cstring>
#include <string>
#include <vector>

#include "util.h"

namespace tsbox {

namespace {

// struct sched_attr, include/uapi/linux/sched/types.h, as of Linux 3.14: what is said here is all in there.
struct SchedAttr {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime;
  uint64_t deadline;
  uint64_t period;
};

constexpr int kWhoProcess = 1;  // IOPRIO_WHO_PROCESS: one thread
// The kernel refuses a buffer smaller than its own mask; this is room for 8192 processors.
constexpr size_t kMaskBytes = 1024;

// The cookie of a thread's core scheduling group, '0' for none: PR_SCHED_CORE(2const), Linux 5.14.
Napi::Value CoreGroup(Napi::Env env, pid_t tid) {
  constexpr int kSchedCore = 62;
  constexpr int kGet = 0;
  constexpr int kThread = 0;
  uint64_t cookie = 0;
  if (prctl(kSchedCore, kGet, tid, kThread, &cookie) != 0) return NegativeErrno(env);
  return Napi::String::New(env, std::to_string(cookie));
}

Napi::Value Read(Napi::Env env, pid_t tid) {
  SchedAttr attr = {};
  if (syscall(SYS_sched_getattr, tid, &attr, sizeof attr, 0) != 0) return NegativeErrno(env);
  long ioprio = syscall(SYS_ioprio_get, kWhoProcess, tid);
  if (ioprio < 0) return NegativeErrno(env);
  std::vector<uint8_t> mask(kMaskBytes);
  long size = syscall(SYS_sched_getaffinity, tid, mask.size(), mask.data());
  if (size < 0) return NegativeErrno(env);
  Napi::Array cpus = Napi::Array::New(env);
  uint32_t count = 0;
  for (uint32_t cpu = 0; cpu < static_cast<uint32_t>(size) * 8; cpu++) {
    if ((mask[cpu / 8] >> (cpu % 8) & 1) != 0) cpus.Set(count++, Int(env, cpu));
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("policy", Int(env, attr.policy));
  object.Set("flags", Int(env, static_cast<int64_t>(attr.flags)));
  object.Set("nice", Int(env, attr.nice));
  object.Set("priority", Int(env, attr.priority));
  object.Set("runtime", Int(env, static_cast<int64_t>(attr.runtime)));
  object.Set("deadline", Int(env, static_cast<int64_t>(attr.deadline)));
  object.Set("period", Int(env, static_cast<int64_t>(attr.period)));
  object.Set("ioprio", Int(env, ioprio));
  object.Set("cpus", cpus);
  object.Set("core", CoreGroup(env, tid));
  return object;
}

// getScheduling: man 2 sched_setattr, ioprio_set, sched_setaffinity
Napi::Value GetScheduling(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Array tids = ArrayArg(info, 0, "tids");
  Napi::Array results = Napi::Array::New(env, tids.Length());
  for (uint32_t i = 0; i < tids.Length(); i++) {
    Napi::HandleScope scope(env);
    auto tid = static_cast<pid_t>(IntArg(tids.Get(i), "a thread id"));
    results.Set(i, Read(env, tid));
  }
  return results;
}

// setScheduler: man 2 sched_setattr
Napi::Value SetScheduler(const Napi::CallbackInfo& info) {
  auto tid = static_cast<pid_t>(IntArg(info, 0, "tid"));
  Napi::Object to = ObjectArg(info[1], "scheduler");
  auto field = [&to](const char* name) { return IntArg(to.Get(name), name); };
  SchedAttr attr = {
      sizeof attr,
      static_cast<uint32_t>(field("policy")),
      static_cast<uint64_t>(field("flags")),
      static_cast<int32_t>(field("nice")),
      static_cast<uint32_t>(field("priority")),
      static_cast<uint64_t>(field("runtime")),
      static_cast<uint64_t>(field("deadline")),
      static_cast<uint64_t>(field("period")),
  };
  return syscall(SYS_sched_setattr, tid, &attr, 0) == 0 ? Int(info.Env(), 0) : NegativeErrno(info.Env());
}

// setIoprio: man 2 ioprio_set
Napi::Value SetIoprio(const Napi::CallbackInfo& info) {
  auto tid = static_cast<pid_t>(IntArg(info, 0, "tid"));
  long result = syscall(SYS_ioprio_set, kWhoProcess, tid, IntArg(info, 1, "ioprio"));
  return result == 0 ? Int(info.Env(), 0) : NegativeErrno(info.Env());
}

// setAffinity: man 2 sched_setaffinity
Napi::Value SetAffinity(const Napi::CallbackInfo& info) {
  auto tid = static_cast<pid_t>(IntArg(info, 0, "tid"));
  Napi::Array cpus = ArrayArg(info, 1, "cpus");
  std::vector<uint8_t> mask(kMaskBytes);
  for (uint32_t i = 0; i < cpus.Length(); i++) {
    int64_t cpu = IntArg(cpus.Get(i), "a processor");
    if (cpu < 0 || cpu >= static_cast<int64_t>(kMaskBytes * 8)) throw SysError(EINVAL, "sched_setaffinity");
    mask[static_cast<size_t>(cpu) / 8] |= static_cast<uint8_t>(1U << (cpu % 8));
  }
  long result = syscall(SYS_sched_setaffinity, tid, mask.size(), mask.data());
  return result == 0 ? Int(info.Env(), 0) : NegativeErrno(info.Env());
}

}  // namespace

void InitSched(Napi::Env env, Napi::Object exports) {
  Export<GetScheduling>(env, exports, "getScheduling");
  Export<SetScheduler>(env, exports, "setScheduler");
  Export<SetIoprio>(env, exports, "setIoprio");
  Export<SetAffinity>(env, exports, "setAffinity");
}

}  // namespace tsbox
