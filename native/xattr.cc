// Extended attributes.
#include <sys/xattr.h>

#include <vector>

#include "util.h"

namespace tsbox {

namespace {

// getXattrs: man 2 getxattr
Napi::Value GetXattrs(const Napi::CallbackInfo& info) {
  std::string name = PathArg(info, 1, "name");
  // Far above what labels take; an attribute that is longer is asked for its size.
  std::vector<char> buffer(4096);
  return EachPath(info, [&](Napi::Env env, const char* path) -> Napi::Value {
    for (;;) {
      ssize_t n = getxattr(path, name.c_str(), buffer.data(), buffer.size());
      if (n >= 0) return Napi::String::New(env, buffer.data(), static_cast<size_t>(n));
      if (errno != ERANGE) return NegativeErrno(env);
      ssize_t size = getxattr(path, name.c_str(), nullptr, 0);
      if (size < 0) return NegativeErrno(env);
      buffer.resize(std::max(buffer.size() * 2, static_cast<size_t>(size)));
    }
  });
}

// listXattrs: man 2 listxattr
Napi::Value ListXattrs(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string path = PathArg(info, 0, "path");
  std::vector<char> buffer(4096);
  ssize_t n;
  while ((n = listxattr(path.c_str(), buffer.data(), buffer.size())) < 0) {
    if (errno != ERANGE) return NegativeErrno(env);
    buffer.resize(buffer.size() * 2);
  }
  Napi::Array names = Napi::Array::New(env);
  uint32_t count = 0;
  for (const char *p = buffer.data(), *end = p + n; p < end;) {
    std::string name(p);
    p += name.size() + 1;
    names.Set(count++, Napi::String::New(env, name));
  }
  return names;
}

// setXattr: man 2 setxattr
Napi::Value SetXattr(const Napi::CallbackInfo& info) {
  std::string path = PathArg(info, 0, "path");
  std::string name = PathArg(info, 1, "name");
  std::string value = TextArg(info, 2, "value");
  if (setxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0) != 0) {
    throw SysError(errno, "setxattr", path, name);
  }
  return info.Env().Undefined();
}

// removeXattr: man 2 removexattr
Napi::Value RemoveXattr(const Napi::CallbackInfo& info) {
  std::string path = PathArg(info, 0, "path");
  std::string name = PathArg(info, 1, "name");
  if (removexattr(path.c_str(), name.c_str()) != 0) throw SysError(errno, "removexattr", path, name);
  return info.Env().Undefined();
}

}  // namespace

void InitXattr(Napi::Env env, Napi::Object exports) {
  Export<GetXattrs>(env, exports, "getXattrs");
  Export<ListXattrs>(env, exports, "listXattrs");
  Export<SetXattr>(env, exports, "setXattr");
  Export<RemoveXattr>(env, exports, "removeXattr");
}

}  // namespace tsbox
