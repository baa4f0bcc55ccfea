// What this kernel has of Landlock.
#include <sys/syscall.h>

#include "util.h"

namespace tsbox {

namespace {

constexpr long kCreateRuleset = 444;        // the unified table
constexpr unsigned kRulesetVersion = 1U << 0;  // LANDLOCK_CREATE_RULESET_VERSION

// landlockAbi: man 2 landlock_create_ruleset
Napi::Value LandlockAbi(const Napi::CallbackInfo& info) {
  long version = syscall(kCreateRuleset, nullptr, 0, kRulesetVersion);
  return version >= 0 ? Int(info.Env(), version) : NegativeErrno(info.Env());
}

}  // namespace

void InitLandlock(Napi::Env env, Napi::Object exports) { Export<LandlockAbi>(env, exports, "landlockAbi"); }

}  // namespace tsbox
