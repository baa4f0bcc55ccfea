// Being told of writes to cgroup files, and by whom. man 7 fanotify
#include <linux/magic.h>
#include <poll.h>
#include <sys/fanotify.h>
#include <sys/vfs.h>

#include <cstring>

#include "util.h"

#ifndef FAN_REPORT_PIDFD
#define FAN_REPORT_PIDFD 0x00000080
#endif
#ifndef FAN_REPORT_DFID_NAME
#define FAN_REPORT_DFID_NAME 0x00000c00
#endif
#ifndef FAN_EVENT_INFO_TYPE_DFID_NAME
#define FAN_EVENT_INFO_TYPE_DFID_NAME 2
#endif
#ifndef FAN_EVENT_INFO_TYPE_PIDFD
#define FAN_EVENT_INFO_TYPE_PIDFD 4
#endif

namespace tsbox {

namespace {

// Of linux/fanotify.h (5.15), by its layout.
struct PidfdRecord {
  struct fanotify_event_info_header header;
  int32_t pidfd;
};

// About a hundred events: each brings a descriptor, and the caller closes them before it reads on.
constexpr size_t kBuffer = 8192;

// fanotifyInit: man 2 fanotify_init
Napi::Value FanotifyInit(const Napi::CallbackInfo& info) {
  const unsigned flags = FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_DFID_NAME | FAN_REPORT_PIDFD;
  int fd = fanotify_init(flags, O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw SysError(errno, "fanotify_init");
  return Int(info.Env(), fd);
}

// fanotifyMark: man 2 fanotify_mark
Napi::Value FanotifyMark(const Napi::CallbackInfo& info) {
  auto fd = static_cast<int>(IntArg(info, 0, "fd"));
  std::string path = PathArg(info, 1, "path");
  Fd directory(Retry([&] { return open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!directory) throw SysError(errno, "open", path);
  struct statfs fs;
  if (fstatfs(directory.get(), &fs) != 0) throw SysError(errno, "fstatfs", path);
  // Whatever the path has become meanwhile: no other file system is ever watched.
  if (fs.f_type != CGROUP2_SUPER_MAGIC && fs.f_type != CGROUP_SUPER_MAGIC) {
    throw SysError(EINVAL, "fanotify_mark", path, "not a cgroup file system");
  }
  const uint64_t mask = FAN_MODIFY | FAN_ATTRIB | FAN_CREATE | FAN_DELETE | FAN_ONDIR;
  if (fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, mask, directory.get(), nullptr) != 0) {
    throw SysError(errno, "fanotify_mark", path);
  }
  return Int(info.Env(), directory.release());
}

// The directory of a handle; "" when it is gone.
std::string DirectoryPath(int mount, struct file_handle* handle) {
  Fd directory(open_by_handle_at(mount, handle, O_PATH | O_CLOEXEC));
  if (!directory) return "";
  char path[PATH_MAX];
  std::string link = "/proc/self/fd/" + std::to_string(directory.get());
  ssize_t n = readlink(link.c_str(), path, sizeof path);
  return n < 0 ? "" : std::string(path, static_cast<size_t>(n));
}

// One event with its records, which follow its head.
Napi::Object Event(Napi::Env env, int mount, const struct fanotify_event_metadata* meta) {
  std::string directory, name;
  int pidfd = -1;
  const char* end = reinterpret_cast<const char*>(meta) + meta->event_len;
  for (const char* at = reinterpret_cast<const char*>(meta) + meta->metadata_len;
       at + sizeof(struct fanotify_event_info_header) <= end;) {
    const auto* header = reinterpret_cast<const struct fanotify_event_info_header*>(at);
    if (header->len == 0 || at + header->len > end) break;
    if (header->info_type == FAN_EVENT_INFO_TYPE_PIDFD) {
      pidfd = reinterpret_cast<const PidfdRecord*>(at)->pidfd;
    } else if (header->info_type == FAN_EVENT_INFO_TYPE_DFID_NAME) {
      const auto* fid = reinterpret_cast<const struct fanotify_event_info_fid*>(at);
      auto* handle = reinterpret_cast<struct file_handle*>(const_cast<unsigned char*>(fid->handle));
      directory = DirectoryPath(mount, handle);
      name = reinterpret_cast<const char*>(handle->f_handle) + handle->handle_bytes;
    }
    at += header->len;
  }
  Napi::Object event = Napi::Object::New(env);
  event.Set("mask", Int(env, static_cast<int64_t>(meta->mask)));
  event.Set("pid", Int(env, meta->pid));
  event.Set("pidfd", Int(env, pidfd < 0 ? -1 : pidfd));
  event.Set("directory", directory);
  event.Set("name", name);
  return event;
}

// fanotifyRead: man 7 fanotify, "Reading fanotify events"
Napi::Value FanotifyRead(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto fd = static_cast<int>(IntArg(info, 0, "fd"));
  auto mount = static_cast<int>(IntArg(info, 1, "mount"));
  alignas(struct fanotify_event_metadata) char buffer[kBuffer];
  ssize_t n = Retry([&] { return read(fd, buffer, sizeof buffer); });
  if (n < 0 && errno != EAGAIN) throw SysError(errno, "read");
  Napi::Array events = Napi::Array::New(env);
  uint32_t count = 0;
  auto left = static_cast<size_t>(std::max<ssize_t>(n, 0));
  auto* meta = reinterpret_cast<struct fanotify_event_metadata*>(buffer);
  for (; FAN_EVENT_OK(meta, left); meta = FAN_EVENT_NEXT(meta, left)) {
    if (meta->vers != FANOTIFY_METADATA_VERSION) throw SysError(EPROTO, "read", "", "another version of fanotify");
    events.Set(count++, Event(env, mount, meta));
  }
  return events;
}

}  // namespace

void InitFanotify(Napi::Env env, Napi::Object exports) {
  Export<FanotifyInit>(env, exports, "fanotifyInit");
  Export<FanotifyMark>(env, exports, "fanotifyMark");
  Export<FanotifyRead>(env, exports, "fanotifyRead");
}

}  // namespace tsbox
