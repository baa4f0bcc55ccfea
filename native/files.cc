// Batched writing of kernel files, reading beneath a root that is not to be trusted, and walking of directory trees.
#include <dirent.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "util.h"

namespace tsbox {

namespace {

// Of linux/openat2.h, newer than many a C library's headers.
struct OpenHow {
  uint64_t flags, mode, resolve;
};
constexpr uint64_t kResolveNoMagiclinks = 0x02;
constexpr uint64_t kResolveInRoot = 0x10;

// Reads a regular file beneath a root that is not to be trusted: links lead nowhere outside of it, and nothing but a
// file is opened. 0 or a negative errno. man 2 openat2
int ReadBeneath(int root, const char* path, size_t limit, struct stat& st, std::string& content) {
  OpenHow how = {O_PATH | O_CLOEXEC, 0, kResolveInRoot | kResolveNoMagiclinks};
  Fd found(static_cast<int>(syscall(SYS_openat2, root, path, &how, sizeof how)));
  if (!found || fstat(found.get(), &st) != 0) return -errno;
  if (!S_ISREG(st.st_mode)) return -EINVAL;
  if (static_cast<size_t>(st.st_size) > limit) return -EFBIG;
  Fd fd(Retry([&] { return open(("/proc/self/fd/" + std::to_string(found.get())).c_str(), kReadFlags); }));
  if (!fd) return -errno;
  char buffer[16384];
  for (;;) {
    ssize_t n = Retry([&] { return read(fd.get(), buffer, sizeof buffer); });
    if (n < 0) return -errno;
    if (n == 0) return 0;
    if (content.size() + static_cast<size_t>(n) > limit) return -EFBIG;
    content.append(buffer, static_cast<size_t>(n));
  }
}

// readInRoot: man 2 openat2
Napi::Value ReadInRoot(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string path = PathArg(info, 0, "root");
  Napi::Array paths = ArrayArg(info, 1, "paths");
  auto limit = static_cast<size_t>(std::max<int64_t>(0, IntArg(info, 2, "limit")));
  Fd root(Retry([&] { return open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC); }));
  int missing = root ? 0 : -errno;
  Napi::Array results = Napi::Array::New(env, paths.Length());
  for (uint32_t i = 0; i < paths.Length(); i++) {
    Napi::HandleScope scope(env);
    BatchPath item(env, paths.Get(i));
    struct stat st = {};
    std::string content;
    int err = missing != 0 ? missing : item.err != 0 ? item.err : ReadBeneath(root.get(), item.text, limit, st, content);
    if (err != 0) {
      results.Set(i, Int(env, err));
      continue;
    }
    Napi::Object object = StatObject(env, st).As<Napi::Object>();
    object.Set("content", Napi::Buffer<char>::Copy(env, content.data(), content.size()));
    results.Set(i, object);
  }
  return results;
}

int WriteOnce(const char* path, const std::string& data) {
  Fd fd(Retry([&] { return open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY); }));
  if (!fd) return -errno;
  // One write: to a kernel file each write is a command of its own, so a rest must not be sent after.
  ssize_t n = Retry([&] { return write(fd.get(), data.data(), data.size()); });
  if (n < 0) return -errno;
  return static_cast<size_t>(n) == data.size() ? 0 : -EIO;
}

// writeFiles: man 2 open, write
Napi::Value WriteFiles(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Array items = ArrayArg(info, 0, "items");
  uint32_t count = items.Length();
  Napi::Array results = Napi::Array::New(env, count);
  for (uint32_t i = 0; i < count; i++) {
    Napi::HandleScope scope(env);
    Napi::Object item = ObjectArg(items.Get(i), "an item");
    BatchPath path(env, item.Get("path"));
    std::string data = TextArg(item.Get("data"), "data");
    results.Set(i, Int(env, path.err != 0 ? path.err : WriteOnce(path.text, data)));
  }
  return results;
}

// mkdirs: man 2 mkdir
Napi::Value Mkdirs(const Napi::CallbackInfo& info) {
  return EachPath(info, [](Napi::Env env, const char* path) -> Napi::Value {
    return mkdir(path, 0755) == 0 ? Int(env, 0) : NegativeErrno(env);
  });
}

// rmdirs: man 2 rmdir
Napi::Value Rmdirs(const Napi::CallbackInfo& info) {
  return EachPath(info, [](Napi::Env env, const char* path) -> Napi::Value {
    return rmdir(path) == 0 ? Int(env, 0) : NegativeErrno(env);
  });
}

struct Entry {
  std::string path;
  ino_t ino;
};

class Walker {
 public:
  explicit Walker(size_t limit) : limit_(limit), buffer_(size_t{32} << 10) {}

  // 0, or a negative errno when the root cannot be opened.
  int Walk(const char* root) {
    Fd fd(Retry([&] { return open(root, kFlags); }));
    if (!fd) return -errno;
    struct statfs fs;
    if (fstatfs(fd.get(), &fs) != 0) return -errno;
    exact_links_ = fs.f_type == kCgroup2Magic || fs.f_type == kCgroupMagic;
    std::string path;
    Visit(fd.get(), path);
    return 0;
  }

  const std::vector<Entry>& entries() const { return entries_; }

 private:
  static constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  static constexpr long kCgroup2Magic = 0x63677270;
  static constexpr long kCgroupMagic = 0x27e0eb;

  void Visit(int dir, std::string& path) {
    struct stat st;
    if (entries_.size() >= limit_ || fstat(dir, &st) != 0) return;
    entries_.push_back({path, st.st_ino});
    // A cgroup counts its subdirectories in the link count: a leaf's dozens of files need not be listed. Other file
    // systems may not count.
    if (exact_links_ && st.st_nlink == 2) return;
    size_t length = path.size();
    for (const std::string& name : Names(dir)) {
      if (entries_.size() >= limit_) return;
      // Gone, replaced by something else or not for us to see: it is not listed.
      Fd sub(Retry([&] { return openat(dir, name.c_str(), kFlags | O_NOFOLLOW); }));
      if (!sub) continue;
      if (length > 0) path += '/';
      path += name;
      Visit(sub.get(), path);
      path.resize(length);
    }
  }

  // Names of the subdirectories, sorted. They are all read before any is entered, so one buffer serves every level.
  // man 2 getdents64
  std::vector<std::string> Names(int dir) {
    std::vector<std::string> names;
    for (;;) {
      long n = syscall(SYS_getdents64, dir, buffer_.data(), buffer_.size());
      if (n <= 0) break;
      for (long at = 0; at < n;) {
        auto* entry = reinterpret_cast<struct dirent64*>(buffer_.data() + at);
        at += entry->d_reclen;
        bool maybe = entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN;
        if (maybe && std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) {
          names.emplace_back(entry->d_name);
        }
      }
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  size_t limit_;
  bool exact_links_ = false;
  std::vector<char> buffer_;
  std::vector<Entry> entries_;
};

// walkDirs: man 2 openat, getdents
Napi::Value WalkDirs(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string root = PathArg(info, 0, "root");
  Walker walker(static_cast<size_t>(std::max<int64_t>(0, IntArg(info, 1, "maxEntries"))));
  int err = walker.Walk(root.c_str());
  if (err != 0) return Int(env, err);
  Napi::Array results = Napi::Array::New(env, walker.entries().size());
  uint32_t i = 0;
  for (const Entry& entry : walker.entries()) {
    Napi::HandleScope scope(env);
    Napi::Object object = Napi::Object::New(env);
    object.Set("path", Napi::String::New(env, entry.path));
    object.Set("ino", Int(env, static_cast<int64_t>(entry.ino)));
    results.Set(i++, object);
  }
  return results;
}

}  // namespace

void InitFiles(Napi::Env env, Napi::Object exports) {
  Export<ReadInRoot>(env, exports, "readInRoot");
  Export<WriteFiles>(env, exports, "writeFiles");
  Export<Mkdirs>(env, exports, "mkdirs");
  Export<Rmdirs>(env, exports, "rmdirs");
  Export<WalkDirs>(env, exports, "walkDirs");
}

}  // namespace tsbox
