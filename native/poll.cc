// Being called when a descriptor has something to say, by the event loop itself: no thread waits. libuv: uv_poll_t
#include <uv.h>

#include "util.h"

namespace tsbox {

namespace {

struct Poll {
  uv_poll_t handle;
  napi_env env;
  Napi::FunctionReference callback;
};

void OnReady(uv_poll_t* handle, int status, int) {
  auto* poll = static_cast<Poll*>(handle->data);
  Napi::HandleScope scope(poll->env);
  napi_value argument = Napi::Number::New(poll->env, status);
  napi_value global = Napi::Env(poll->env).Global();
  if (napi_make_callback(poll->env, nullptr, global, poll->callback.Value(), 1, &argument, nullptr) != napi_ok) {
    napi_value error;
    // There is no JavaScript below us that could catch it.
    if (napi_get_and_clear_last_exception(poll->env, &error) == napi_ok) napi_fatal_exception(poll->env, error);
  }
}

// pollStart: https://docs.libuv.org/en/v1.x/poll.html
Napi::Value PollStart(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto fd = static_cast<int>(IntArg(info, 0, "fd"));
  bool priority = info[1].ToBoolean();
  if (!info[2].IsFunction()) throw Napi::TypeError::New(env, "callback must be a function");
  uv_loop_s* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) throw SysError(EINVAL, "uv_poll_init");
  auto* poll = new Poll{{}, env, Napi::Persistent(info[2].As<Napi::Function>())};
  poll->handle.data = poll;
  int failed = uv_poll_init(loop, &poll->handle, fd);
  if (failed != 0) {
    delete poll;
    throw SysError(-failed, "uv_poll_init");
  }
  // From here on only uv_close gives the memory back.
  failed = uv_poll_start(&poll->handle, priority ? UV_PRIORITIZED : UV_READABLE, OnReady);
  Napi::External<Poll> result = Napi::External<Poll>::New(env, poll);
  if (failed != 0) throw SysError(-failed, "uv_poll_start");
  return result;
}

// pollStop: https://docs.libuv.org/en/v1.x/poll.html
Napi::Value PollStop(const Napi::CallbackInfo& info) {
  if (!info[0].IsExternal()) throw Napi::TypeError::New(info.Env(), "poll must be what pollStart gave");
  auto* poll = info[0].As<Napi::External<Poll>>().Data();
  auto* handle = reinterpret_cast<uv_handle_t*>(&poll->handle);
  if (uv_is_closing(handle) == 0) {
    uv_poll_stop(&poll->handle);
    uv_close(handle, [](uv_handle_t* closed) { delete static_cast<Poll*>(closed->data); });
  }
  return info.Env().Undefined();
}

}  // namespace

void InitPoll(Napi::Env env, Napi::Object exports) {
  Export<PollStart>(env, exports, "pollStart");
  Export<PollStop>(env, exports, "pollStop");
}

}  // namespace tsbox
