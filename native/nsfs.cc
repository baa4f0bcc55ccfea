// What a namespace file tells about its namespace.
#include <linux/types.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>

#include "util.h"

namespace tsbox {

namespace {

constexpr long kNsfsMagic = 0x6e736673;
// linux/nsfs.h names the id only since Linux 6.18.
constexpr unsigned long kGetUserns = _IO(0xb7, 0x1);
constexpr unsigned long kGetNsType = _IO(0xb7, 0x3);
constexpr unsigned long kGetId = _IOR(0xb7, 13, __u64);
constexpr int kCloneNewTime = 0x80;

// The descriptor of a file that surely is a namespace: these ioctl numbers mean something else to a device. -1 and
// errno EINVAL for any other file.
Fd OpenNamespace(const char* path) {
  Fd fd(Retry([&] { return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); }));
  if (!fd) return fd;
  struct statfs fs;
  if (fstatfs(fd.get(), &fs) != 0) return Fd();
  if (static_cast<long>(fs.f_type) != kNsfsMagic) {
    errno = EINVAL;
    return Fd();
  }
  return fd;
}

// namespaceIds: man 2 ioctl_nsfs (NS_GET_ID)
Napi::Value NamespaceIds(const Napi::CallbackInfo& info) {
  return EachPath(info, [](Napi::Env env, const char* path) -> Napi::Value {
    Fd fd = OpenNamespace(path);
    __u64 id = 0;
    if (!fd || ioctl(fd.get(), kGetId, &id) != 0) return NegativeErrno(env);
    return Napi::String::New(env, std::to_string(id));
  });
}

const char* TypeName(int type) {
  switch (type) {
    case CLONE_NEWNS: return "mnt";
    case CLONE_NEWCGROUP: return "cgroup";
    case CLONE_NEWUTS: return "uts";
    case CLONE_NEWIPC: return "ipc";
    case CLONE_NEWUSER: return "user";
    case CLONE_NEWPID: return "pid";
    case CLONE_NEWNET: return "net";
    case kCloneNewTime: return "time";
    default: return nullptr;
  }
}

// namespaceTypes: man 2 ioctl_nsfs (NS_GET_NSTYPE)
Napi::Value NamespaceTypes(const Napi::CallbackInfo& info) {
  return EachPath(info, [](Napi::Env env, const char* path) -> Napi::Value {
    Fd fd = OpenNamespace(path);
    int type = fd ? ioctl(fd.get(), kGetNsType) : -1;
    if (type < 0) return NegativeErrno(env);
    const char* name = TypeName(type);
    if (name == nullptr) return Int(env, -EINVAL);
    return Napi::String::New(env, name);
  });
}

// namespaceOwners: man 2 ioctl_nsfs (NS_GET_USERNS). Of a user namespace that is its parent; beyond our own, EPERM.
Napi::Value NamespaceOwners(const Napi::CallbackInfo& info) {
  return EachPath(info, [](Napi::Env env, const char* path) -> Napi::Value {
    Fd fd = OpenNamespace(path);
    if (!fd) return NegativeErrno(env);
    std::string owners;
    for (;;) {
      Fd owner(ioctl(fd.get(), kGetUserns));
      struct stat st;
      if (!owner && errno == EPERM && !owners.empty()) break;
      if (!owner || fstat(owner.get(), &st) != 0) return NegativeErrno(env);
      if (!owners.empty()) owners += ' ';
      owners += std::to_string(st.st_ino);
      fd = std::move(owner);
    }
    return Napi::String::New(env, owners);
  });
}

}  // namespace

void InitNsfs(Napi::Env env, Napi::Object exports) {
  Export<NamespaceIds>(env, exports, "namespaceIds");
  Export<NamespaceTypes>(env, exports, "namespaceTypes");
  Export<NamespaceOwners>(env, exports, "namespaceOwners");
}

}  // namespace tsbox
