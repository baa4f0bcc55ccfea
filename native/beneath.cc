// Making files beneath a directory that holds what others wrote: no path leads out of it, none through a
// link. man 2 openat2
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <cstring>
#include <string_view>
#include <vector>

#include "util.h"

namespace tsbox {

namespace {

constexpr uint64_t kBeneath = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;

int Open(int root, const char* path, uint64_t flags, uint64_t mode = 0, uint64_t resolve = kBeneath) {
  struct open_how how = {flags | O_CLOEXEC, mode, resolve};
  // EAGAIN: something was renamed meanwhile and the kernel cannot tell whether ".." stayed inside.
  for (int attempt = 0;; attempt++) {
    long fd = syscall(SYS_openat2, root, path, &how, sizeof how);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR) || attempt == 100) return static_cast<int>(fd);
  }
}

// The kinds and flags of src/kernel/beneath.ts.
enum Kind : uint32_t { kDir = 1, kFile, kData, kAttributes, kSymlink, kLink, kNode, kUnlink };
enum Flag : uint32_t { kOwner = 1, kMode = 2, kTime = 4 };

struct Xattr {
  std::string name;
  std::string_view value;
};

struct Op {
  uint32_t kind, mode, uid, gid, nsec, flags;
  int64_t sec;
  uint64_t offset;
  std::string path, link;
  std::vector<Xattr> xattrs;
  std::string_view data;
};

class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : rest_(bytes) {}
  bool done() const { return rest_.empty(); }
  bool Next(Op& op) {
    uint32_t path, link, xattrs, data;
    if (!Number(op.kind) || !Number(op.mode) || !Number(op.uid) || !Number(op.gid) || !Number(op.nsec) ||
        !Number(op.flags) || !Number(op.sec) || !Number(op.offset) || !Number(path) || !Number(link) ||
        !Number(xattrs) || !Number(data) || !Text(path, op.path) || !Text(link, op.link))
      return false;
    op.xattrs.clear();
    for (uint32_t i = 0; i < xattrs; i++) {
      Xattr x;
      uint32_t name, value;
      if (!Number(name) || !Number(value) || !Text(name, x.name) || !Bytes(value, x.value)) return false;
      op.xattrs.push_back(std::move(x));
    }
    return Bytes(data, op.data);
  }

 private:
  template <class T>
  bool Number(T& out) {
    if (rest_.size() < sizeof out) return false;
    std::memcpy(&out, rest_.data(), sizeof out);
    rest_.remove_prefix(sizeof out);
    return true;
  }
  bool Bytes(uint32_t n, std::string_view& out) {
    if (rest_.size() < n) return false;
    out = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return true;
  }
  // A NUL in a name would make the kernel see another one.
  bool Text(uint32_t n, std::string& out) {
    std::string_view view;
    if (!Bytes(n, view) || view.find('\0') != std::string_view::npos) return false;
    out = view;
    return true;
  }

  std::string_view rest_;
};

class Maker {
 public:
  explicit Maker(int root) : root_(root) {}

  // The name of the call that failed, nullptr when all went well.
  const char* Do(const Op& op) {
    switch (op.kind) {
      case kDir: return Dir(op);
      case kFile: return File(op);
      case kData: return Data(op);
      case kAttributes: return Attributes(op);
      case kSymlink: return In(op, [&](int dir, const char* name) { return symlinkat(op.link.c_str(), dir, name); }, "symlink");
      case kLink: return Link(op);
      case kNode:
        return In(op, [&](int dir, const char* name) { return mknodat(dir, name, op.mode, makedev(0, 0)); }, "mknod");
      case kUnlink:
        parent_.reset();
        return Plain(op, [&](int dir, const char* name) { return unlinkat(dir, name, 0); }, "unlink");
      default: errno = EINVAL; return "decode";
    }
  }

 private:
  static std::string Head(const std::string& path) {
    size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
  }
  static const char* Tail(const std::string& path) {
    size_t slash = path.rfind('/');
    return path.c_str() + (slash == std::string::npos ? 0 : slash + 1);
  }

  // Directory of the path; entries of an archive mostly come directory by directory.
  int Parent(const std::string& path) {
    std::string head = Head(path);
    if (!parent_ || head != parent_path_) {
      parent_.reset(Open(root_, head.c_str(), O_PATH | O_DIRECTORY));
      parent_path_ = head;
    }
    return parent_.get();
  }

  template <class F>
  const char* Plain(const Op& op, F call, const char* what) {
    int dir = Parent(op.path);
    if (dir < 0) return "open";
    return call(dir, Tail(op.path)) == 0 ? nullptr : what;
  }

  // Makes something that is not opened afterwards; owner, mode and time are set by its name in our own directory.
  template <class F>
  const char* In(const Op& op, F call, const char* what) {
    if (const char* failed = Plain(op, call, what)) return failed;
    int dir = parent_.get();
    const char* name = Tail(op.path);
    if ((op.flags & kOwner) && fchownat(dir, name, op.uid, op.gid, AT_SYMLINK_NOFOLLOW) != 0) return "chown";
    if ((op.flags & kMode) && op.kind == kNode && fchmodat(dir, name, op.mode & 07777, 0) != 0) return "chmod";
    struct timespec times[2] = {{op.sec, op.nsec}, {op.sec, op.nsec}};
    if ((op.flags & kTime) && utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) != 0) return "utimensat";
    return nullptr;
  }

  // chown(2) takes setuid bits and file capabilities away, so it comes first; the time comes last.
  static const char* Finish(int fd, const Op& op) {
    if ((op.flags & kOwner) && fchown(fd, op.uid, op.gid) != 0) return "chown";
    for (const Xattr& x : op.xattrs)
      if (fsetxattr(fd, x.name.c_str(), x.value.data(), x.value.size(), 0) != 0) return "setxattr";
    if ((op.flags & kMode) && fchmod(fd, op.mode & 07777) != 0) return "chmod";
    struct timespec times[2] = {{op.sec, op.nsec}, {op.sec, op.nsec}};
    if ((op.flags & kTime) && futimens(fd, times) != 0) return "utimensat";
    return nullptr;
  }

  const char* Dir(const Op& op) {
    int dir = Parent(op.path);
    if (dir < 0) return "open";
    return mkdirat(dir, Tail(op.path), op.mode & 07777) == 0 ? nullptr : "mkdir";
  }

  static const char* Fill(int fd, std::string_view data, uint64_t offset) {
    while (!data.empty()) {
      ssize_t n = Retry([&] { return pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset)); });
      if (n < 0) return "write";
      data.remove_prefix(static_cast<size_t>(n));
      offset += static_cast<uint64_t>(n);
    }
    return nullptr;
  }

  // offset is the length of the file, which its first piece of data may not reach.
  const char* File(const Op& op) {
    Fd fd(Open(root_, op.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    if (!fd) return "open";
    if (op.offset > op.data.size() && ftruncate(fd.get(), static_cast<off_t>(op.offset)) != 0) return "truncate";
    if (const char* failed = Fill(fd.get(), op.data, 0)) return failed;
    return Finish(fd.get(), op);
  }

  const char* Data(const Op& op) {
    Fd fd(Open(root_, op.path.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK));
    if (!fd) return "open";
    return Fill(fd.get(), op.data, op.offset);
  }

  const char* Attributes(const Op& op) {
    Fd fd(Open(root_, op.path.empty() ? "." : op.path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    if (!fd) return "open";
    return Finish(fd.get(), op);
  }

  const char* Link(const Op& op) {
    Fd from(Open(root_, Head(op.link).c_str(), O_PATH | O_DIRECTORY));
    if (!from) return "open";
    return Plain(op, [&](int dir, const char* name) { return linkat(from.get(), Tail(op.link), dir, name, 0); }, "link");
  }

  int root_;
  Fd parent_;
  std::string parent_path_;
};

struct Outcome {
  int64_t failed;
  int err;
  const char* call;
};

Outcome MakeAll(const std::string& root, std::string_view bytes) {
  Fd fd(open(root.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return {0, errno, "open"};
  Maker maker(fd.get());
  Decoder decoder(bytes);
  Op op;
  for (int64_t i = 0; !decoder.done(); i++) {
    if (!decoder.Next(op)) return {i, EINVAL, "decode"};
    if (const char* call = maker.Do(op)) return {i, errno, call};
  }
  return {-1, 0, ""};
}

// makeBeneath: the bytes must not be changed until the promise is settled, which holds on to them.
Napi::Value MakeBeneath(const Napi::CallbackInfo& info) {
  std::string root = PathArg(info, 0, "root");
  Napi::Uint8Array ops = BytesArg(info[1], "ops");
  std::string_view bytes(reinterpret_cast<const char*>(ops.Data()), ops.ByteLength());
  auto held = std::make_shared<Napi::Reference<Napi::Uint8Array>>(Napi::Persistent(ops));
  return Task<Outcome>::Start(
      info.Env(), [root, bytes] { return MakeAll(root, bytes); },
      [held](Napi::Env env, const Outcome& outcome) -> Napi::Value {
        held->Reset();
        Napi::Object object = Napi::Object::New(env);
        object.Set("failed", Int(env, outcome.failed));
        object.Set("errno", Int(env, outcome.err));
        object.Set("syscall", Napi::String::New(env, outcome.call));
        return object;
      });
}

// statBeneath: man 2 fstat
Napi::Value StatBeneath(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string root = PathArg(info, 0, "root");
  std::string path = PathArg(info, 1, "path");
  Fd dir(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return NegativeErrno(env);
  Fd fd(Open(dir.get(), path.c_str(), O_PATH | O_NOFOLLOW));
  struct stat st;
  if (!fd || fstat(fd.get(), &st) != 0) return NegativeErrno(env);
  return StatObject(env, st);
}

// syncTree: man 2 syncfs
Napi::Value SyncTree(const Napi::CallbackInfo& info) {
  std::string path = PathArg(info, 0, "path");
  return Task<int>::Start(
      info.Env(),
      [path] {
        Fd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!fd || syncfs(fd.get()) != 0) throw SysError(errno, "syncfs", path);
        return 0;
      },
      [](Napi::Env env, const int&) -> Napi::Value { return env.Undefined(); });
}

}  // namespace

void InitBeneath(Napi::Env env, Napi::Object exports) {
  Export<MakeBeneath>(env, exports, "makeBeneath");
  Export<StatBeneath>(env, exports, "statBeneath");
  Export<SyncTree>(env, exports, "syncTree");
}

}  // namespace tsbox
