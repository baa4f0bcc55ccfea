// Where a file has data and where it has holes: man 2 lseek (SEEK_DATA, SEEK_HOLE)
#include "util.h"

namespace tsbox {

namespace {

// dataPieces: offsets and lengths in turn, at most so many numbers; what follows the last of those is one piece.
Napi::Value DataPieces(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int fd = static_cast<int>(IntArg(info, 0, "fd"));
  int64_t size = IntArg(info, 1, "size");
  int64_t most = IntArg(info, 2, "most");
  Napi::Array pieces = Napi::Array::New(env);
  uint32_t n = 0;
  for (int64_t at = 0; at < size;) {
    off_t data = lseek(fd, at, SEEK_DATA);
    // ENXIO: nothing but a hole follows.
    if (data < 0 && errno == ENXIO) break;
    if (data < 0) return NegativeErrno(env);
    off_t hole = n + 2 >= most ? size : lseek(fd, data, SEEK_HOLE);
    if (hole < 0) return NegativeErrno(env);
    if (data >= size) break;
    hole = std::min<off_t>(hole, size);
    pieces.Set(n++, Int(env, data));
    pieces.Set(n++, Int(env, hole - data));
    at = hole;
  }
  lseek(fd, 0, SEEK_SET);
  return pieces;
}

}  // namespace

void InitHoles(Napi::Env env, Napi::Object exports) {
  Export<DataPieces>(env, exports, "dataPieces");
}

}  // namespace tsbox
