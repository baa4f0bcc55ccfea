// Programs on cgroup2 directories, by bpf(2) itself: libbpf would be a dependency for six commands.
#include <linux/bpf.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <vector>

#include "util.h"

namespace tsbox {

namespace {

constexpr size_t kMaxPrograms = 64;  // the kernel's own limit per cgroup and attach type
constexpr size_t kMaxEffective = 4096;  // that of 64 levels: a cgroup's own and all it inherits
constexpr int kAttempts = 20;
constexpr size_t kKeptPrograms = 8;

// Larger than the union of old headers, zeroed: the kernel accepts a longer one if what it does not know is zero.
union Attr {
  union bpf_attr k;
  unsigned char room[144];
  Attr() { std::memset(this, 0, sizeof *this); }
};
static_assert(sizeof(Attr) >= 144);

__u64 Pointer(const void* p) { return reinterpret_cast<uintptr_t>(p); }

// man 2 bpf
long Bpf(enum bpf_cmd command, Attr& attr) { return syscall(SYS_bpf, command, &attr, sizeof attr); }

Fd OpenCgroup(const char* path) { return Fd(Retry([&] { return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); })); }

Fd OpenCgroupOrThrow(const std::string& path) {
  Fd fd = OpenCgroup(path.c_str());
  if (!fd) throw SysError(errno, "open", path);
  return fd;
}

struct Attached {
  std::vector<__u32> ids;
  __u32 flags = 0;
};

// What is attached to this very directory (query_flags 0), or all that runs for its processes, inherited included
// (BPF_F_QUERY_EFFECTIVE; it tells no attach flags). False with errno set.
bool Query(int cgroup, __u32 hook, Attached& attached, __u32 query_flags = 0) {
  std::vector<__u32> ids(query_flags == 0 ? kMaxPrograms : kMaxEffective);
  Attr attr;
  attr.k.query.target_fd = static_cast<__u32>(cgroup);
  attr.k.query.attach_type = hook;
  attr.k.query.query_flags = query_flags;
  attr.k.query.prog_ids = Pointer(ids.data());
  attr.k.query.prog_cnt = static_cast<__u32>(ids.size());
  if (Bpf(BPF_PROG_QUERY, attr) != 0) return false;
  ids.resize(std::min<size_t>(attr.k.query.prog_cnt, ids.size()));
  attached.ids = std::move(ids);
  attached.flags = attr.k.query.attach_flags;
  return true;
}

void QueryOrThrow(int cgroup, Attached& attached, const std::string& path) {
  if (!Query(cgroup, BPF_CGROUP_DEVICE, attached)) throw SysError(errno, "bpf", path, "BPF_PROG_QUERY");
}

Fd OpenProgram(__u32 id) {
  Attr attr;
  attr.k.prog_id = id;
  return Fd(static_cast<int>(Bpf(BPF_PROG_GET_FD_BY_ID, attr)));
}

bool Info(int program, struct bpf_prog_info& info) {
  Attr attr;
  attr.k.info.bpf_fd = static_cast<__u32>(program);
  attr.k.info.info_len = sizeof info;
  attr.k.info.info = Pointer(&info);
  return Bpf(BPF_OBJ_GET_INFO_BY_FD, attr) == 0;
}

Napi::Value Hex(Napi::Env env, const __u8* bytes, size_t count) {
  static const char digits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < count; i++) {
    text += digits[bytes[i] >> 4];
    text += digits[bytes[i] & 15];
  }
  return Napi::String::New(env, text);
}

// The instructions as the kernel keeps them. Empty with errno set when it does not show them.
bool Translated(int program, std::vector<__u8>& insns) {
  struct bpf_prog_info size = {};
  if (!Info(program, size)) return false;
  insns.resize(size.xlated_prog_len);
  struct bpf_prog_info info = {};
  info.xlated_prog_len = size.xlated_prog_len;
  info.xlated_prog_insns = Pointer(insns.data());
  if (size.xlated_prog_len != 0 && !Info(program, info)) return false;
  // Without the privilege the call succeeds, but tells no length or clears the pointer.
  if (info.xlated_prog_len == 0 || info.xlated_prog_insns == 0) {
    errno = EPERM;
    return false;
  }
  insns.resize(std::min<size_t>(insns.size(), info.xlated_prog_len));
  return true;
}

// A BpfProgram of the contract; undefined with errno set when the program is gone or cannot be looked at.
Napi::Value Describe(Napi::Env env, __u32 id, __u32 flags) {
  Fd program = OpenProgram(id);
  struct bpf_prog_info info = {};
  if (!program || !Info(program.get(), info)) return env.Undefined();
  Napi::Object object = Napi::Object::New(env);
  object.Set("id", Int(env, id));
  object.Set("name", Napi::String::New(env, std::string(info.name, strnlen(info.name, sizeof info.name))));
  object.Set("tag", Hex(env, info.tag, sizeof info.tag));
  object.Set("attachFlags", Int(env, flags));
  object.Set("uid", Int(env, info.created_by_uid));
  std::vector<__u8> insns;
  if (Translated(program.get(), insns)) {
    Napi::Uint8Array bytes = Napi::Uint8Array::New(env, insns.size());
    std::memcpy(bytes.Data(), insns.data(), insns.size());
    object.Set("xlated", bytes);
  } else {
    object.Set("xlated", NegativeErrno(env));
  }
  return object;
}

Napi::Value ProgramsOf(Napi::Env env, const char* path, __u32 hook, __u32 query_flags = 0) {
  Fd cgroup = OpenCgroup(path);
  if (!cgroup) return NegativeErrno(env);
  for (int attempt = 0;; attempt++) {
    Attached attached;
    if (!Query(cgroup.get(), hook, attached, query_flags)) return NegativeErrno(env);
    Napi::Array list = Napi::Array::New(env, attached.ids.size());
    uint32_t count = 0;
    for (__u32 id : attached.ids) {
      Napi::Value program = Describe(env, id, attached.flags);
      if (program.IsUndefined()) break;
      list.Set(count++, program);
    }
    if (count == attached.ids.size()) return list;
    // Detached between the query and the look: the next query no longer names it.
    if (errno != ENOENT || attempt == kAttempts) return NegativeErrno(env);
  }
}

// devicePrograms: man 2 bpf (BPF_PROG_QUERY, BPF_OBJ_GET_INFO_BY_FD)
Napi::Value DevicePrograms(const Napi::CallbackInfo& info) {
  return EachPath(info, [](Napi::Env env, const char* path) { return ProgramsOf(env, path, BPF_CGROUP_DEVICE); });
}

// effectiveDevicePrograms: man 2 bpf (BPF_PROG_QUERY), include/uapi/linux/bpf.h (BPF_F_QUERY_EFFECTIVE)
Napi::Value EffectiveDevicePrograms(const Napi::CallbackInfo& info) {
  return EachPath(info, [](Napi::Env env, const char* path) {
    return ProgramsOf(env, path, BPF_CGROUP_DEVICE, BPF_F_QUERY_EFFECTIVE);
  });
}

// cgroupPrograms: man 2 bpf (BPF_PROG_QUERY, BPF_OBJ_GET_INFO_BY_FD)
Napi::Value CgroupPrograms(const Napi::CallbackInfo& info) {
  auto hook = static_cast<__u32>(IntArg(info, 1, "hook"));
  return EachPath(info, [hook](Napi::Env env, const char* path) { return ProgramsOf(env, path, hook); });
}

struct Program {
  const __u8* insns;
  size_t bytes;
  std::string name;
  __u32 type = BPF_PROG_TYPE_CGROUP_DEVICE;
  // What the program promises to be attached to; 0 where the kernel asks for no promise.
  __u32 expected = 0;
};

long TryLoad(const Program& program, std::vector<char>* log) {
  static const char license[] = "GPL";
  for (int attempt = 0;; attempt++) {
    Attr attr;
    attr.k.prog_type = program.type;
    attr.k.expected_attach_type = program.expected;
    attr.k.insns = Pointer(program.insns);
    attr.k.insn_cnt = static_cast<__u32>(program.bytes / sizeof(struct bpf_insn));
    attr.k.license = Pointer(license);
    std::strncpy(attr.k.prog_name, program.name.c_str(), sizeof attr.k.prog_name - 1);
    if (log != nullptr) {
      attr.k.log_level = 1;
      attr.k.log_buf = Pointer(log->data());
      attr.k.log_size = static_cast<__u32>(log->size());
    }
    long fd = Bpf(BPF_PROG_LOAD, attr);
    // The verifier gives way to signals with EAGAIN.
    if (fd >= 0 || errno != EAGAIN || attempt == kAttempts) return fd;
  }
}

Fd Load(const Program& program, const std::string& path) {
  Fd fd(static_cast<int>(TryLoad(program, nullptr)));
  if (fd) return fd;
  int err = errno;
  // Only now with a log: writing it costs more than verifying, and too small a buffer is an error of its own.
  std::vector<char> log(size_t{256} << 10);
  fd.reset(static_cast<int>(TryLoad(program, &log)));
  if (fd) return fd;
  std::string text(log.data(), strnlen(log.data(), log.size()));
  throw SysError(err, "bpf", path, text.empty() ? "BPF_PROG_LOAD" : "BPF_PROG_LOAD: " + text);
}

bool Attach(int cgroup, __u32 hook, int program, __u32 flags, int replaced = -1) {
  Attr attr;
  attr.k.target_fd = static_cast<__u32>(cgroup);
  attr.k.attach_bpf_fd = static_cast<__u32>(program);
  attr.k.attach_type = hook;
  attr.k.attach_flags = flags;
  if (replaced >= 0) attr.k.replace_bpf_fd = static_cast<__u32>(replaced);
  return Bpf(BPF_PROG_ATTACH, attr) == 0;
}

// True when it was attached and no longer is; ENOENT of somebody else's detaching is false, all else throws.
bool Detach(int cgroup, __u32 hook, __u32 id, const std::string& path) {
  Fd program = OpenProgram(id);
  if (!program) {
    if (errno == ENOENT) return false;
    throw SysError(errno, "bpf", path, "BPF_PROG_GET_FD_BY_ID");
  }
  Attr attr;
  attr.k.target_fd = static_cast<__u32>(cgroup);
  attr.k.attach_bpf_fd = static_cast<__u32>(program.get());
  attr.k.attach_type = hook;
  if (Bpf(BPF_PROG_DETACH, attr) == 0) return true;
  if (errno == ENOENT) return false;
  throw SysError(errno, "bpf", path, "BPF_PROG_DETACH");
}

// A program that was loaded, and its id.
struct Loaded {
  std::vector<__u8> insns;
  std::string name;
  Fd fd;
  __u32 id = 0;
};

// The program of these instructions: a stack's containers mostly have the same rules, and the kernel attaches one program
// to any number of directories, so the last few are kept instead of being verified and translated again.
Loaded& LoadOnce(const Program& wanted, const std::string& path) {
  static thread_local std::deque<Loaded> kept;
  for (Loaded& known : kept) {
    bool same = known.insns.size() == wanted.bytes && std::memcmp(known.insns.data(), wanted.insns, wanted.bytes) == 0;
    if (same && known.name == wanted.name) return known;
  }
  Loaded fresh{{wanted.insns, wanted.insns + wanted.bytes}, wanted.name, Load(wanted, path)};
  struct bpf_prog_info info = {};
  if (!Info(fresh.fd.get(), info)) throw SysError(errno, "bpf", path, "BPF_OBJ_GET_INFO_BY_FD");
  fresh.id = info.id;
  if (kept.size() == kKeptPrograms) kept.pop_front();
  kept.push_back(std::move(fresh));
  return kept.back();
}

void Replace(int cgroup, const Loaded& loaded, const std::string& path) {
  int program = loaded.fd.get();
  __u32 stuck = 0;
  for (int attempt = 0; attempt < kAttempts; attempt++) {
    Attached attached;
    QueryOrThrow(cgroup, attached, path);
    if (std::find(attached.ids.begin(), attached.ids.end(), loaded.id) != attached.ids.end()) {
      // Attached here already, which the kernel refuses a second time: only what is beside it goes.
      for (__u32 id : attached.ids) {
        if (id != loaded.id) Detach(cgroup, BPF_CGROUP_DEVICE, id, path);
      }
      return;
    }
    bool multi = attached.ids.empty() || (attached.flags & BPF_F_ALLOW_MULTI) != 0;
    if (!multi) {
      // A single slot: attaching with the flags it has puts the new program in place of the old at once.
      if (Attach(cgroup, BPF_CGROUP_DEVICE, program, attached.flags)) return;
      throw SysError(errno, "bpf", path, "BPF_PROG_ATTACH");
    }
    if (attached.ids.size() == 1 && attached.ids[0] != stuck) {
      Fd old = OpenProgram(attached.ids[0]);
      if (old && Attach(cgroup, BPF_CGROUP_DEVICE, program, BPF_F_ALLOW_MULTI | BPF_F_REPLACE, old.get())) return;
      if (errno != ENOENT) throw SysError(errno, "bpf", path, "BPF_PROG_ATTACH with BPF_F_REPLACE");
      // Gone meanwhile, or held by a BPF link, which cannot be replaced this way: if it is still there next time, the
      // new one goes beside it.
      stuck = attached.ids[0];
      continue;
    }
    if (!Attach(cgroup, BPF_CGROUP_DEVICE, program, BPF_F_ALLOW_MULTI)) {
      // Somebody attached without ALLOW_MULTI since the query.
      if (errno == EPERM && attempt + 1 < kAttempts && attached.ids.empty()) continue;
      throw SysError(errno, "bpf", path, "BPF_PROG_ATTACH");
    }
    // Programs run one after the other and all must allow: with both attached nothing more is allowed than before.
    for (__u32 id : attached.ids) Detach(cgroup, BPF_CGROUP_DEVICE, id, path);
    return;
  }
  throw SysError(ENOENT, "bpf", path, "the attached programs keep changing");
}

// deviceProgramReplace: man 2 bpf (BPF_PROG_LOAD, BPF_PROG_ATTACH)
Napi::Value DeviceProgramReplace(const Napi::CallbackInfo& info) {
  std::string path = PathArg(info, 0, "cgroup");
  Napi::Uint8Array insns = BytesArg(info[1], "insns");
  std::string name = PathArg(info, 2, "name");
  if (insns.ByteLength() == 0 || insns.ByteLength() % sizeof(struct bpf_insn) != 0) {
    throw Napi::RangeError::New(info.Env(), "insns must be whole instructions of 8 bytes");
  }
  Fd cgroup = OpenCgroupOrThrow(path);
  const Loaded& program = LoadOnce({insns.Data(), insns.ByteLength(), name}, path);
  Replace(cgroup.get(), program, path);
  return Int(info.Env(), program.id);
}

// deviceProgramDetach: man 2 bpf (BPF_PROG_DETACH)
Napi::Value DeviceProgramDetach(const Napi::CallbackInfo& info) {
  std::string path = PathArg(info, 0, "cgroup");
  Fd cgroup = OpenCgroupOrThrow(path);
  Attached attached;
  QueryOrThrow(cgroup.get(), attached, path);
  int64_t count = 0;
  for (__u32 id : attached.ids) count += Detach(cgroup.get(), BPF_CGROUP_DEVICE, id, path) ? 1 : 0;
  return Int(info.Env(), count);
}

// An array map with one element of so many bytes: the memory of one program, which keeps it as long as it lives.
Fd MakeMap(__u32 bytes, const std::string& name, const std::string& path) {
  Attr attr;
  attr.k.map_type = BPF_MAP_TYPE_ARRAY;
  attr.k.key_size = sizeof(__u32);
  attr.k.value_size = bytes;
  attr.k.max_entries = 1;
  std::strncpy(attr.k.map_name, name.c_str(), sizeof attr.k.map_name - 1);
  Fd map(static_cast<int>(Bpf(BPF_MAP_CREATE, attr)));
  if (!map) throw SysError(errno, "bpf", path, "BPF_MAP_CREATE");
  return map;
}

// Loads of the map's value name its descriptor, which only exists now.
void PutMap(std::vector<__u8>& bytes, int map) {
  for (size_t at = 0; at < bytes.size(); at += sizeof(struct bpf_insn)) {
    struct bpf_insn insn;
    std::memcpy(&insn, &bytes[at], sizeof insn);
    if (insn.code != (BPF_LD | BPF_IMM | BPF_DW)) continue;
    if (insn.src_reg == BPF_PSEUDO_MAP_VALUE) {
      insn.imm = map;
      std::memcpy(&bytes[at], &insn, sizeof insn);
    }
    at += sizeof insn;  // its second half
  }
}

// cgroupProgramAttach: man 2 bpf (BPF_MAP_CREATE, BPF_PROG_LOAD, BPF_PROG_ATTACH)
Napi::Value CgroupProgramAttach(const Napi::CallbackInfo& info) {
  std::string path = PathArg(info, 0, "cgroup");
  Napi::Object given = ObjectArg(info[1], "program");
  Napi::Uint8Array insns = BytesArg(given.Get("insns"), "insns");
  auto hook = static_cast<__u32>(IntArg(given.Get("hook"), "hook"));
  auto type = static_cast<__u32>(IntArg(given.Get("type"), "type"));
  std::string name = TextArg(given.Get("name"), "name");
  auto memory = static_cast<__u32>(IntArg(given.Get("memory"), "memory"));
  auto replaced = static_cast<__u32>(IntArg(info, 2, "replaces"));
  if (insns.ByteLength() == 0 || insns.ByteLength() % sizeof(struct bpf_insn) != 0) {
    throw Napi::RangeError::New(info.Env(), "insns must be whole instructions of 8 bytes");
  }
  Fd cgroup = OpenCgroupOrThrow(path);
  std::vector<__u8> bytes(insns.Data(), insns.Data() + insns.ByteLength());
  Fd map;
  if (memory != 0) {
    map = MakeMap(memory, name, path);
    PutMap(bytes, map.get());
  }
  Fd program = Load({bytes.data(), bytes.size(), name, type, hook}, path);
  struct bpf_prog_info loaded = {};
  if (!Info(program.get(), loaded)) throw SysError(errno, "bpf", path, "BPF_OBJ_GET_INFO_BY_FD");
  Fd old;
  if (replaced != 0) {
    old = OpenProgram(replaced);
    if (!old) throw SysError(errno, "bpf", path, "BPF_PROG_GET_FD_BY_ID");
  }
  __u32 flags = BPF_F_ALLOW_MULTI | (old ? BPF_F_REPLACE : 0);
  if (!Attach(cgroup.get(), hook, program.get(), flags, old.get())) {
    throw SysError(errno, "bpf", path, "BPF_PROG_ATTACH");
  }
  return Int(info.Env(), loaded.id);
}

// cgroupProgramDetach: man 2 bpf (BPF_PROG_DETACH)
Napi::Value CgroupProgramDetach(const Napi::CallbackInfo& info) {
  std::string path = PathArg(info, 0, "cgroup");
  auto hook = static_cast<__u32>(IntArg(info, 1, "hook"));
  auto id = static_cast<__u32>(IntArg(info, 2, "id"));
  Fd cgroup = OpenCgroupOrThrow(path);
  return Napi::Boolean::New(info.Env(), Detach(cgroup.get(), hook, id, path));
}

}  // namespace

void InitBpf(Napi::Env env, Napi::Object exports) {
  Export<DeviceProgramReplace>(env, exports, "deviceProgramReplace");
  Export<DeviceProgramDetach>(env, exports, "deviceProgramDetach");
  Export<DevicePrograms>(env, exports, "devicePrograms");
  Export<EffectiveDevicePrograms>(env, exports, "effectiveDevicePrograms");
  Export<CgroupPrograms>(env, exports, "cgroupPrograms");
  Export<CgroupProgramAttach>(env, exports, "cgroupProgramAttach");
  Export<CgroupProgramDetach>(env, exports, "cgroupProgramDetach");
}

}  // namespace tsbox
