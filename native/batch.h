// Long batches of reads on several processors: what the kernel does for one file rarely waits for another.
#pragma once

#include <condition_variable>
#include <memory>
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

// Reads of many paths: each is asked for on any thread, and a value made of the answer on the main one.
class Batch {
 public:
  explicit Batch(const Napi::Array& given) : paths_(given.Length()), errors_(given.Length()) {
    for (uint32_t i = 0; i < given.Length(); i++) {
      Napi::HandleScope scope(given.Env());
      BatchPath path(given.Env(), given.Get(i));
      errors_[i] = path.err;
      if (path.err == 0) paths_[i] = path.text;
    }
  }
  virtual ~Batch() = default;
  size_t size() const { return paths_.size(); }

  void Read(size_t i, std::vector<char>& scratch) {
    // A path that no call could take is a negative errno of its own.
    if (errors_[i] == 0) ReadPath(i, paths_[i].c_str(), scratch);
  }
  // Gives up what was found: only once for each.
  Napi::Value Value(Napi::Env env, size_t i) { return errors_[i] != 0 ? Int(env, errors_[i]) : Convert(env, i); }

 protected:
  virtual void ReadPath(size_t i, const char* path, std::vector<char>& scratch) = 0;
  virtual Napi::Value Convert(Napi::Env env, size_t i) = 0;

 private:
  std::vector<std::string> paths_;
  std::vector<int> errors_;
};

// A batch of one kind: Kind::Result, its Kind::Read(path, scratch), and Kind::Convert(env, result), which makes a negative
// errno of a result that is an error.
template <class Kind>
class BatchOf : public Batch {
 public:
  explicit BatchOf(const Napi::Array& given) : Batch(given), results_(size()) {}

 protected:
  void ReadPath(size_t i, const char* path, std::vector<char>& scratch) override {
    results_[i] = Kind::Read(path, scratch);
  }
  Napi::Value Convert(Napi::Env env, size_t i) override {
    return Kind::Convert(env, std::exchange(results_[i], typename Kind::Result{}));
  }

 private:
  std::vector<typename Kind::Result> results_;
};

// Batches read by a few threads, one after another, and by the one that takes them while it would have to wait.
class ReadAhead {
 public:
  using Batches = std::vector<std::unique_ptr<Batch>>;
  static constexpr size_t kEverything = 0;
  // So far ahead of what is taken that no thread waits, and the contents of a large batch are never all held at once.
  static constexpr size_t kBlocksAhead = 16;

  // @param blocks how far threads are ahead of what is taken, kEverything without a bound
  ReadAhead(Batches batches, size_t blocks) : batches_(std::move(batches)) {
    for (const auto& batch : batches_) {
      first_.push_back(blocks_.size());
      for (size_t from = 0; from < batch->size(); from += kBlock) {
        blocks_.push_back({batch.get(), from, std::min(batch->size(), from + kBlock)});
      }
    }
    ready_.resize(blocks_.size());
    ahead_ = blocks == kEverything ? blocks_.size() : blocks;
    // The one that takes them is a thread, too.
    size_t others = std::clamp<size_t>(std::thread::hardware_concurrency(), 2, kMostThreads) - 1;
    try {
      while (threads_.size() < others) threads_.emplace_back([this] { Work(); });
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

  size_t size() const { return batches_.size(); }

  // The values of one batch, only once.
  Napi::Array Take(Napi::Env env, size_t at) {
    Batch& batch = *batches_[at];
    Napi::Array results = Napi::Array::New(env, batch.size());
    std::vector<char> scratch(kScratch);
    for (size_t i = 0; i < batch.size(); i++) {
      if (i % kBlock == 0) Await(first_[at] + i / kBlock, scratch);
      Napi::HandleScope scope(env);
      results.Set(static_cast<uint32_t>(i), batch.Value(env, i));
    }
    return results;
  }

 private:
  static constexpr size_t kBlock = 64;
  static constexpr size_t kMostThreads = 4;

  struct Block {
    Batch* batch;
    size_t from, to;
  };

  void Await(size_t block, std::vector<char>& scratch) {
    std::unique_lock lock(mutex_);
    taken_ = block;
    moved_.notify_all();
    while (!ready_[block]) {
      if (More()) {
        ReadNext(lock, scratch);
      } else {
        done_.wait(lock);
      }
    }
  }

  void Work() {
    std::vector<char> scratch(kScratch);
    std::unique_lock lock(mutex_);
    for (;;) {
      moved_.wait(lock, [&] { return stop_ || next_ == blocks_.size() || More(); });
      if (stop_ || next_ == blocks_.size()) return;
      ReadNext(lock, scratch);
    }
  }

  bool More() const { return next_ < blocks_.size() && next_ < taken_ + ahead_; }

  // Without the lock while it reads.
  void ReadNext(std::unique_lock<std::mutex>& lock, std::vector<char>& scratch) {
    size_t next = next_++;
    lock.unlock();
    const Block& block = blocks_[next];
    for (size_t i = block.from; i < block.to; i++) block.batch->Read(i, scratch);
    lock.lock();
    ready_[next] = true;
    done_.notify_one();
  }

  Batches batches_;
  std::vector<Block> blocks_;
  // The first block of each batch.
  std::vector<size_t> first_;
  std::vector<bool> ready_;
  std::mutex mutex_;
  std::condition_variable moved_;
  std::condition_variable done_;
  size_t ahead_ = 0;
  size_t next_ = 0;
  size_t taken_ = 0;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

// As EachPath, of one kind of reads: a long batch is shared out.
template <class Kind>
Napi::Value EachPathShared(const Napi::CallbackInfo& info) {
  Napi::Array paths = ArrayArg(info, 0, "paths");
  if (paths.Length() < kSharedFrom) {
    std::vector<char> scratch(kScratch);
    return EachPath(info,
                    [&](Napi::Env env, const char* path) { return Kind::Convert(env, Kind::Read(path, scratch)); });
  }
  ReadAhead::Batches batches;
  batches.push_back(std::make_unique<BatchOf<Kind>>(paths));
  return ReadAhead(std::move(batches), ReadAhead::kBlocksAhead).Take(info.Env(), 0);
}

}  // namespace tsbox
