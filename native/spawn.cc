// (stub)
#include "util.h"
namespace tsbox { void InitSpawn(Napi::Env, Napi::Object) {} }
