// The addon's entry, and the helpers of util.h that need no header of their own.
#include <limits.h>
#include <sys/sysmacros.h>

#include <cstring>

#include "util.h"

namespace tsbox {

namespace {

[[noreturn]] void WrongType(Napi::Env env, const char* what, const char* type) {
  throw Napi::TypeError::New(env, std::string(what) + " must be " + type);
}

}  // namespace

std::string TextArg(const Napi::Value& value, const char* what) {
  if (!value.IsString()) WrongType(value.Env(), what, "a string");
  return value.As<Napi::String>().Utf8Value();
}

std::string TextArg(const Napi::CallbackInfo& info, size_t index, const char* what) {
  return TextArg(info[index], what);
}

std::string PathArg(const Napi::Value& value, const char* what) {
  std::string path = TextArg(value, what);
  if (path.find('\0') != std::string::npos) WrongType(value.Env(), what, "a path without NUL bytes");
  return path;
}

std::string PathArg(const Napi::CallbackInfo& info, size_t index, const char* what) {
  return PathArg(info[index], what);
}

int64_t IntArg(const Napi::Value& value, const char* what) {
  if (!value.IsNumber()) WrongType(value.Env(), what, "a number");
  return value.As<Napi::Number>().Int64Value();
}

int64_t IntArg(const Napi::CallbackInfo& info, size_t index, const char* what) { return IntArg(info[index], what); }

Napi::Array ArrayArg(const Napi::CallbackInfo& info, size_t index, const char* what) {
  if (!info[index].IsArray()) WrongType(info.Env(), what, "an array");
  return info[index].As<Napi::Array>();
}

Napi::Object ObjectArg(const Napi::Value& value, const char* what) {
  if (!value.IsObject()) WrongType(value.Env(), what, "an object");
  return value.As<Napi::Object>();
}

Napi::Uint8Array BytesArg(const Napi::Value& value, const char* what) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    WrongType(value.Env(), what, "a Uint8Array");
  }
  return value.As<Napi::Uint8Array>();
}

BatchPath::BatchPath(Napi::Env env, napi_value value) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, text, sizeof text, &length) != napi_ok) {
    WrongType(env, "a path", "a string");
  }
  // A cut text fills the buffer but for 3 bytes at most, when the next character did not fit.
  if (length >= PATH_MAX) {
    err = -ENAMETOOLONG;
  } else if (std::memchr(text, '\0', length) != nullptr) {
    err = -EINVAL;
  }
}

Napi::Value StatObject(Napi::Env env, const struct stat& st) {
  // Numbers up to 2^53 are exact, which inode and device numbers of the file systems at hand stay below.
  Napi::Object object = Napi::Object::New(env);
  object.Set("dev", Int(env, static_cast<int64_t>(st.st_dev)));
  object.Set("ino", Int(env, static_cast<int64_t>(st.st_ino)));
  object.Set("mode", Int(env, st.st_mode));
  object.Set("uid", Int(env, st.st_uid));
  object.Set("gid", Int(env, st.st_gid));
  object.Set("major", Int(env, major(st.st_rdev)));
  object.Set("minor", Int(env, minor(st.st_rdev)));
  object.Set("nlink", Int(env, static_cast<int64_t>(st.st_nlink)));
  return object;
}

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  InitBeneath(env, exports);
  InitFiles(env, exports);
  InitReads(env, exports);
  InitXattr(env, exports);
  InitLock(env, exports);
  InitPidfd(env, exports);
  InitSpawn(env, exports);
  InitMount(env, exports);
  InitHoles(env, exports);
  InitOpenat2(env, exports);
  InitFsIds(env, exports);
  InitNsfs(env, exports);
  InitBpf(env, exports);
  InitEventFd(env, exports);
  InitWaitFile(env, exports);
  InitPrlimit(env, exports);
  InitSched(env, exports);
  InitFanotify(env, exports);
  InitPoll(env, exports);
  InitRtnetlink(env, exports);
  InitLandlock(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(tsbox, Init)

}  // namespace tsbox
