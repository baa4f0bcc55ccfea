// Long batches of reads on several processors: what the kernel does for one file rarely waits for another.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "util.h"

namespace tsbox {

// From so many paths on a batch is shared out: below, starting a thread costs more than it spares.
constexpr uint32_t kSharedFrom = 256;
// Room that a read begins with.
constexpr size_t kScratch = size_t{64} << 10;

// Reads of many paths by a few threads, taken in order by the one that asked. Threads keep a bounded distance ahead of
// what is taken, so that the contents of a large batch are never all held at once.
template <class Result, class Read>
class ReadAhead {
 public:
  ReadAhead(const std::vector<std::string>& paths, Read read)
      : paths_(paths), read_(read), results_(paths.size()), ready_((paths.size() + kBlock - 1) / kBlock) {
    size_t wanted = std::clamp<size_t>(std::thread::hardware_concurrency(), 1, kMostThreads);
    try {
      while (threads_.size() < wanted) threads_.emplace_back([this] { Work(); });
    } catch (const std::system_error&) {
      // No more threads to be had (pids.max, RLIMIT_NPROC): those there are do it, or the taker itself.
    }
  }

  ~ReadAhead() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    moved_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  // To be called for 0, 1, 2 and so on.
  Result Take(size_t i) {
    if (i % kBlock == 0) Await(i / kBlock);
    return std::move(results_[i]);
  }

 private:
  static constexpr size_t kBlock = 64;
  static constexpr size_t kBlocksAhead = 16;
  static constexpr size_t kMostThreads = 4;

  void Await(size_t block) {
    std::unique_lock lock(mutex_);
    taken_ = block;
    moved_.notify_all();
    if (threads_.empty()) {
      std::vector<char> scratch(kScratch);
      ReadBlock(block, scratch);
      return;
    }
    done_.wait(lock, [&] { return ready_[block]; });
  }

  void Work() {
    std::vector<char> scratch(kScratch);
    for (;;) {
      size_t block;
      {
        std::unique_lock lock(mutex_);
        moved_.wait(lock, [&] { return stop_ || next_ == ready_.size() || next_ < taken_ + kBlocksAhead; });
        if (stop_ || next_ == ready_.size()) return;
        block = next_++;
      }
      ReadBlock(block, scratch);
      {
        std::lock_guard lock(mutex_);
        ready_[block] = true;
      }
      done_.notify_one();
    }
  }

  void ReadBlock(size_t block, std::vector<char>& scratch) {
    size_t end = std::min(paths_.size(), (block + 1) * kBlock);
    for (size_t i = block * kBlock; i < end; i++) results_[i] = read_(paths_[i].c_str(), scratch);
  }

  const std::vector<std::string>& paths_;
  Read read_;
  std::vector<Result> results_;
  std::vector<bool> ready_;
  std::mutex mutex_;
  std::condition_variable moved_;
  std::condition_variable done_;
  size_t next_ = 0;
  size_t taken_ = 0;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

// As EachPath, in two parts: read(path, scratch) asks the kernel, on any thread, and convert(env, result) makes a value
// of what it found, on the main one. A path that no call could take is a negative errno, as is whatever convert makes so.
template <class Result, class Read, class Convert>
Napi::Value EachPathShared(const Napi::CallbackInfo& info, Read read, Convert convert) {
  Napi::Array given = ArrayArg(info, 0, "paths");
  uint32_t count = given.Length();
  if (count < kSharedFrom) {
    std::vector<char> scratch(kScratch);
    return EachPath(info, [&](Napi::Env env, const char* path) { return convert(env, read(path, scratch)); });
  }
  Napi::Env env = info.Env();
  std::vector<std::string> paths(count);
  std::vector<int> errors(count);
  for (uint32_t i = 0; i < count; i++) {
    Napi::HandleScope scope(env);
    BatchPath path(env, given.Get(i));
    errors[i] = path.err;
    // An empty path is refused by every call at once.
    if (path.err == 0) paths[i] = path.text;
  }
  Napi::Array results = Napi::Array::New(env, count);
  ReadAhead<Result, Read> ahead(paths, read);
  for (uint32_t i = 0; i < count; i++) {
    Napi::HandleScope scope(env);
    Result result = ahead.Take(i);
    results.Set(i, errors[i] != 0 ? Napi::Value(Int(env, errors[i])) : convert(env, std::move(result)));
  }
  return results;
}

}  // namespace tsbox
