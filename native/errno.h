// Failures of system calls and how they reach JavaScript.
#pragma once

#include <cerrno>
#include <stdexcept>
#include <string>

#include <napi.h>

namespace tsbox {

// Symbolic name of an errno, e.g. "EPERM"; "E<number>" for one nobody named. man 3 errno
std::string ErrnoName(int number);

// A refused system call, thrown in native code on any thread. What JavaScript sees of it is made by ToError.
class SysError : public std::runtime_error {
 public:
  SysError(int number, std::string syscall, std::string path = "", const std::string& detail = "");

  // The JavaScript Error with code, errno, syscall and, if there is one, path.
  Napi::Error ToError(Napi::Env env) const;

  int number() const { return number_; }

 private:
  int number_;
  std::string syscall_;
  std::string path_;
};

}  // namespace tsbox
