#include "errno.h"

#include <cstring>
#include <utility>

namespace tsbox {

// strerrorname_np is glibc's alone, and libuv's table leaves out numbers the kernel does return. Of aliases
// (EWOULDBLOCK, EDEADLOCK, ENOTSUP) the name that node uses too.
#define TSBOX_ERRNOS(X) \
  X(EPERM) X(ENOENT) X(ESRCH) X(EINTR) X(EIO) X(ENXIO) X(E2BIG) X(ENOEXEC) X(EBADF) X(ECHILD) X(EAGAIN) \
  X(ENOMEM) X(EACCES) X(EFAULT) X(ENOTBLK) X(EBUSY) X(EEXIST) X(EXDEV) X(ENODEV) X(ENOTDIR) X(EISDIR) \
  X(EINVAL) X(ENFILE) X(EMFILE) X(ENOTTY) X(ETXTBSY) X(EFBIG) X(ENOSPC) X(ESPIPE) X(EROFS) X(EMLINK) \
  X(EPIPE) X(EDOM) X(ERANGE) X(EDEADLK) X(ENAMETOOLONG) X(ENOLCK) X(ENOSYS) X(ENOTEMPTY) X(ELOOP) X(ENOMSG) \
  X(EIDRM) X(ECHRNG) X(EL2NSYNC) X(EL3HLT) X(EL3RST) X(ELNRNG) X(EUNATCH) X(ENOCSI) X(EL2HLT) X(EBADE) \
  X(EBADR) X(EXFULL) X(ENOANO) X(EBADRQC) X(EBADSLT) X(EBFONT) X(ENOSTR) X(ENODATA) X(ETIME) X(ENOSR) \
  X(ENONET) X(ENOPKG) X(EREMOTE) X(ENOLINK) X(EADV) X(ESRMNT) X(ECOMM) X(EPROTO) X(EMULTIHOP) X(EDOTDOT) \
  X(EBADMSG) X(EOVERFLOW) X(ENOTUNIQ) X(EBADFD) X(EREMCHG) X(ELIBACC) X(ELIBBAD) X(ELIBSCN) X(ELIBMAX) \
  X(ELIBEXEC) X(EILSEQ) X(ERESTART) X(ESTRPIPE) X(EUSERS) X(ENOTSOCK) X(EDESTADDRREQ) X(EMSGSIZE) \
  X(EPROTOTYPE) X(ENOPROTOOPT) X(EPROTONOSUPPORT) X(ESOCKTNOSUPPORT) X(EOPNOTSUPP) X(EPFNOSUPPORT) \
  X(EAFNOSUPPORT) X(EADDRINUSE) X(EADDRNOTAVAIL) X(ENETDOWN) X(ENETUNREACH) X(ENETRESET) X(ECONNABORTED) \
  X(ECONNRESET) X(ENOBUFS) X(EISCONN) X(ENOTCONN) X(ESHUTDOWN) X(ETOOMANYREFS) X(ETIMEDOUT) X(ECONNREFUSED) \
  X(EHOSTDOWN) X(EHOSTUNREACH) X(EALREADY) X(EINPROGRESS) X(ESTALE) X(EUCLEAN) X(ENOTNAM) X(ENAVAIL) \
  X(EISNAM) X(EREMOTEIO) X(EDQUOT) X(ENOMEDIUM) X(EMEDIUMTYPE) X(ECANCELED) X(ENOKEY) X(EKEYEXPIRED) \
  X(EKEYREVOKED) X(EKEYREJECTED) X(EOWNERDEAD) X(ENOTRECOVERABLE) X(ERFKILL)

std::string ErrnoName(int number) {
  switch (number) {
#define X(name) \
  case name:    \
    return #name;
    TSBOX_ERRNOS(X)
#undef X
    default:
      return "E" + std::to_string(number);
  }
}

namespace {

// The same shape as node's own messages: "EPERM: Operation not permitted, mount '/x'".
std::string Message(int number, const std::string& syscall, const std::string& path, const std::string& detail) {
  // Not strerror: several threads of the pool may fail at once. man 3 strerror_l
  static const locale_t plain = newlocale(LC_ALL_MASK, "C", static_cast<locale_t>(nullptr));
  std::string text = ErrnoName(number) + ": " + strerror_l(number, plain) + ", " + syscall;
  if (!path.empty()) text += " '" + path + "'";
  if (!detail.empty()) text += ": " + detail;
  return text;
}

}  // namespace

SysError::SysError(int number, std::string syscall, std::string path, const std::string& detail)
    : std::runtime_error(Message(number, syscall, path, detail)),
      number_(number),
      syscall_(std::move(syscall)),
      path_(std::move(path)) {}

Napi::Error SysError::ToError(Napi::Env env) const {
  Napi::Error error = Napi::Error::New(env, what());
  error.Set("code", Napi::String::New(env, ErrnoName(number_)));
  error.Set("errno", Napi::Number::New(env, number_));
  error.Set("syscall", Napi::String::New(env, syscall_));
  if (!path_.empty()) error.Set("path", Napi::String::New(env, path_));
  return error;
}

}  // namespace tsbox
