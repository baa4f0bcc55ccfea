// Batched reading of kernel files, links and inodes, at once or while something else is done.
#include <sys/stat.h>

#include <vector>

#include "batch.h"
#include "util.h"

namespace tsbox {

namespace {

constexpr size_t kMaxFile = size_t{64} << 20;

// Reads a file into the buffer, growing it. The length, or a negative errno.
ssize_t Slurp(const char* path, std::vector<char>& buffer) {
  Fd fd(Retry([&] { return open(path, kReadFlags); }));
  if (!fd) return -errno;
  size_t used = 0;
  for (;;) {
    // Kernel files have no size and give short reads at will: only a read of nothing is the end.
    ssize_t n = Retry([&] { return read(fd.get(), buffer.data() + used, buffer.size() - used); });
    if (n < 0) return -errno;
    if (n == 0) return static_cast<ssize_t>(used);
    used += static_cast<size_t>(n);
    if (used == buffer.size()) {
      if (used >= kMaxFile) return -EFBIG;
      buffer.resize(buffer.size() * 2);
    }
  }
}

struct Content {
  std::string text;
  ssize_t err = 0;
  // Without a byte above 127: then it needs no decoding.
  bool ascii = false;
};

Content ContentOf(const std::vector<char>& scratch, ssize_t length) {
  if (length < 0) return {{}, length};
  unsigned char bits = 0;
  for (ssize_t i = 0; i < length; i++) bits |= static_cast<unsigned char>(scratch[static_cast<size_t>(i)]);
  return {std::string(scratch.data(), static_cast<size_t>(length)), 0, bits < 0x80};
}

Napi::Value ContentText(Napi::Env env, const Content& found) {
  if (found.err != 0) return Int(env, found.err);
  if (!found.ascii) return Napi::String::New(env, found.text.data(), found.text.size());
  napi_value text;
  if (napi_create_string_latin1(env, found.text.data(), found.text.size(), &text) != napi_ok) {
    throw Napi::Error::New(env);
  }
  return Napi::Value(env, text);
}

// man 2 open, read
struct Files {
  using Result = Content;
  static Content Read(const char* path, std::vector<char>& scratch) { return ContentOf(scratch, Slurp(path, scratch)); }
  static Napi::Value Convert(Napi::Env env, const Content& found) { return ContentText(env, found); }
};

// man 2 readlink
struct Links {
  using Result = Content;
  static constexpr size_t kLongest = 4097;
  static Content Read(const char* path, std::vector<char>& scratch) {
    ssize_t n = readlink(path, scratch.data(), kLongest);
    if (n < 0) return ContentOf(scratch, -errno);
    return ContentOf(scratch, static_cast<size_t>(n) == kLongest ? -ENAMETOOLONG : n);
  }
  static Napi::Value Convert(Napi::Env env, const Content& found) { return ContentText(env, found); }
};

// man 2 stat
struct Stats {
  struct Result {
    struct stat st;
    int err = 0;
  };
  static Result Read(const char* path, std::vector<char>&) {
    Result found = {};
    if (stat(path, &found.st) != 0) found.err = -errno;
    return found;
  }
  static Napi::Value Convert(Napi::Env env, const Result& found) {
    return found.err != 0 ? Int(env, found.err) : StatObject(env, found.st);
  }
};

std::unique_ptr<Batch> BatchFor(Napi::Env env, const std::string& call, const Napi::Array& paths) {
  if (call == "readFiles") return std::make_unique<BatchOf<Files>>(paths);
  if (call == "readLinks") return std::make_unique<BatchOf<Links>>(paths);
  throw Napi::TypeError::New(env, "call must be readFiles or readLinks");
}

// startReads
Napi::Value StartReads(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Array given = ArrayArg(info, 0, "batches");
  ReadAhead::Batches batches;
  for (uint32_t i = 0; i < given.Length(); i++) {
    Napi::Object batch = ObjectArg(given.Get(i), "a batch");
    Napi::Value paths = batch.Get("paths");
    if (!paths.IsArray()) throw Napi::TypeError::New(env, "paths must be an array");
    batches.push_back(BatchFor(env, TextArg(batch.Get("call"), "call"), paths.As<Napi::Array>()));
  }
  auto* ahead = new ReadAhead(std::move(batches), ReadAhead::kEverything);
  return Napi::External<ReadAhead>::New(env, ahead, [](Napi::Env, ReadAhead* done) { delete done; });
}

// finishReads
Napi::Value FinishReads(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (!info[0].IsExternal()) throw Napi::TypeError::New(env, "reads must be what startReads gave");
  auto* ahead = info[0].As<Napi::External<ReadAhead>>().Data();
  int64_t at = IntArg(info, 1, "batch");
  if (at < 0 || static_cast<size_t>(at) >= ahead->size()) throw Napi::RangeError::New(env, "there is no such batch");
  return ahead->Take(env, static_cast<size_t>(at));
}

}  // namespace

void InitReads(Napi::Env env, Napi::Object exports) {
  Export<EachPathShared<Files>>(env, exports, "readFiles");
  Export<EachPathShared<Links>>(env, exports, "readLinks");
  Export<EachPathShared<Stats>>(env, exports, "stats");
  Export<StartReads>(env, exports, "startReads");
  Export<FinishReads>(env, exports, "finishReads");
}

}  // namespace tsbox
