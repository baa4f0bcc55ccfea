// The ids that files made by this thread get: man 2 setfsuid, setfsgid
#include <sys/fsuid.h>
#include <sys/prctl.h>

#include <linux/securebits.h>

#include "util.h"

namespace tsbox {

namespace {

// setFsIds: the capabilities over files stay, which another fsuid than 0 would take away (man 7 capabilities).
Napi::Value SetFsIds(const Napi::CallbackInfo& info) {
  auto uid = static_cast<uid_t>(IntArg(info, 0, "uid"));
  auto gid = static_cast<gid_t>(IntArg(info, 1, "gid"));
  int bits = prctl(PR_GET_SECUREBITS);
  if (bits < 0 || prctl(PR_SET_SECUREBITS, bits | SECBIT_NO_SETUID_FIXUP) != 0) throw SysError(errno, "prctl");
  setfsgid(gid);
  setfsuid(uid);
  // They tell the ids in force before, and nothing of a failure: -1 changes nothing and so tells those of now.
  if (static_cast<gid_t>(setfsgid(static_cast<gid_t>(-1))) != gid) throw SysError(EPERM, "setfsgid");
  if (static_cast<uid_t>(setfsuid(static_cast<uid_t>(-1))) != uid) throw SysError(EPERM, "setfsuid");
  return info.Env().Undefined();
}

}  // namespace

void InitFsIds(Napi::Env env, Napi::Object exports) { Export<SetFsIds>(env, exports, "setFsIds"); }

}  // namespace tsbox
