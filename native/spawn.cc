// Starting native/init: the binary and its description in sealed memory, a report through a pipe.
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "child.h"
#include "util.h"

namespace tsbox {

namespace {

// Newer than many a C library's headers.
constexpr unsigned kMfdNoexecSeal = 0x8;
constexpr unsigned kMfdExec = 0x10;
constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
constexpr idtype_t kIdPidfd = static_cast<idtype_t>(3);  // P_PIDFD

// How long an init process that has failed may take to end by itself.
constexpr int64_t kEndMs = 2000;
// How long a report may stay open after its writer's end, held by a process the writer left behind.
constexpr int64_t kLateReportMs = 1000;
constexpr size_t kMaxReport = size_t{64} << 20;

// Out of the way of 0..5, where the child wants its own.
Fd Aside(const Fd& fd) {
  Fd moved(fcntl(fd.get(), F_DUPFD_CLOEXEC, 10));
  if (!moved) throw SysError(errno, "fcntl");
  return moved;
}

bool WriteAll(int fd, const char* data, size_t size) {
  while (size > 0) {
    ssize_t n = Retry([&] { return write(fd, data, size); });
    if (n < 0) return false;
    data += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

// man 2 memfd_create. Before Linux 6.3 the kernel does not know the flag that says whether it may be executed.
Fd Memfd(const char* name, unsigned executable) {
  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int fd = memfd_create(name, flags | executable);
  if (fd < 0 && errno == EINVAL) fd = memfd_create(name, flags);
  return Fd(fd);
}

// man 2 fcntl (F_ADD_SEALS)
bool Seal(const Fd& fd) { return lseek(fd.get(), 0, SEEK_SET) == 0 && fcntl(fd.get(), F_ADD_SEALS, kSeals) == 0; }

Fd OpenInit(const std::string& path) {
  Fd fd(Retry([&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!fd) throw SysError(errno, "open", path);
  return fd;
}

// The program, copied where nobody can change it under us: a container that reached /proc/<pid>/exe would otherwise
// have a way to the file on the host. Nothing when the system forbids such memory.
Fd CopyInit(const std::string& path) {
  Fd file = OpenInit(path);
  Fd memory = Memfd("tsbox-init", kMfdExec);
  if (!memory) return Fd();
  std::vector<char> buffer(size_t{64} << 10);
  for (;;) {
    ssize_t n = Retry([&] { return read(file.get(), buffer.data(), buffer.size()); });
    if (n < 0) throw SysError(errno, "read", path);
    if (n == 0) break;
    if (!WriteAll(memory.get(), buffer.data(), static_cast<size_t>(n))) return Fd();
  }
  return Seal(memory) ? std::move(memory) : Fd();
}

// The programs of this process by path: each is copied once.
class Programs {
 public:
  std::shared_ptr<Fd> Get(const std::string& path) {
    std::lock_guard lock(mutex_);
    Entry& entry = entries_[path];
    if (!entry.fd) {
      Fd program = CopyInit(path);
      entry.copied = static_cast<bool>(program);
      if (!program) program = OpenInit(path);
      entry.fd = std::make_shared<Fd>(Aside(program));
    }
    return entry.fd;
  }

  // True when execution from memory was refused and the file itself is to be tried.
  bool Fallback(const std::string& path, const std::shared_ptr<Fd>& refused) {
    std::lock_guard lock(mutex_);
    Entry& entry = entries_[path];
    // Another thread may have fallen back already.
    if (entry.fd != refused) return true;
    if (!entry.copied) return false;
    entry.fd = std::make_shared<Fd>(Aside(OpenInit(path)));
    entry.copied = false;
    return true;
  }

 private:
  struct Entry {
    std::shared_ptr<Fd> fd;
    bool copied = false;
  };
  std::mutex mutex_;
  std::map<std::string, Entry> entries_;
};

Programs& AllPrograms() {
  // Never destroyed: threads of the pool may still use it while the process ends.
  static auto* programs = new Programs;
  return *programs;
}

Fd SpecMemory(const std::string& spec) {
  Fd memory = Memfd("tsbox-spec", kMfdNoexecSeal);
  if (!memory) throw SysError(errno, "memfd_create");
  if (!WriteAll(memory.get(), spec.data(), spec.size()) || !Seal(memory)) throw SysError(errno, "memfd_create");
  return Aside(memory);
}

struct Options {
  std::string init;
  std::string spec;
  std::string cgroup;
  bool inherit;
  int64_t timeout;
  bool wait;
  std::vector<std::string> env;
};

struct Result {
  pid_t pid;
  std::string report;
  int exit;
};

// Waits for the end of the child and takes it off the process table: 128 + signal for a signal. man 2 waitid
int Reap(const Fd& pidfd) {
  siginfo_t info = {};
  if (Retry([&] { return waitid(kIdPidfd, static_cast<id_t>(pidfd.get()), &info, WEXITED); }) != 0) {
    throw SysError(errno, "waitid");
  }
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

void Kill(const Fd& pidfd) { syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0); }

// Reaps one that is about to end; one that does not is killed.
void ReapSoon(const Fd& pidfd) {
  Deadline deadline(kEndMs);
  struct pollfd p = {pidfd.get(), POLLIN, 0};
  int n;
  do {
    n = poll(&p, 1, static_cast<int>(deadline.Remaining()));
  } while (n < 0 && errno == EINTR);
  if (n <= 0) Kill(pidfd);
  Reap(pidfd);
}

// Everything written to the pipe until its last writer closed it. False when the time is over first.
bool ReadReport(const Fd& pipe, const Fd& pidfd, int64_t timeout, std::string& report) {
  Deadline deadline(timeout);
  std::optional<Deadline> ended;
  char buffer[16384];
  for (;;) {
    int64_t wait = timeout > 0 ? std::min<int64_t>(deadline.Remaining(), 3'600'000) : -1;
    if (ended) wait = wait < 0 ? ended->Remaining() : std::min(wait, ended->Remaining());
    struct pollfd p[2] = {{pipe.get(), POLLIN, 0}, {ended ? -1 : pidfd.get(), POLLIN, 0}};
    int n = poll(p, 2, static_cast<int>(wait));
    if (n < 0 && errno != EINTR) throw SysError(errno, "poll");
    if (n > 0 && p[0].revents != 0) {
      ssize_t got = Retry([&] { return read(pipe.get(), buffer, sizeof buffer); });
      if (got < 0) throw SysError(errno, "read");
      if (got == 0) return true;
      if (report.size() + static_cast<size_t>(got) > kMaxReport) throw SysError(EFBIG, "read");
      report.append(buffer, static_cast<size_t>(got));
    } else if (n > 0 && p[1].revents != 0) {
      ended.emplace(kLateReportMs);
    } else if (ended && ended->Remaining() == 0) {
      return true;
    } else if (timeout > 0 && deadline.Remaining() == 0) {
      return false;
    }
  }
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

struct Child {
  pid_t pid;
  Fd pidfd;
};

// Clones with the plan; entering the cgroup by a write where the kernel cannot clone into it.
Child CloneChild(ChildMemory& memory, const Options& options, const Fd& cgroup) {
  int pidfd = -1;
  Fd procs;
  memory.plan().procs = -1;
  long pid = memory.Start(cgroup ? cgroup.get() : -1, pidfd);
  if (pid < 0 && cgroup && (errno == ENOSYS || errno == EINVAL || errno == E2BIG)) {
    Fd file(Retry([&] { return openat(cgroup.get(), "cgroup.procs", O_WRONLY | O_CLOEXEC); }));
    if (!file) throw SysError(errno, "open", options.cgroup + "/cgroup.procs");
    procs = Aside(file);
    memory.plan().procs = procs.get();
    pid = memory.Start(-1, pidfd);
  }
  if (pid < 0) throw SysError(errno, "clone3", options.cgroup);
  return {static_cast<pid_t>(pid), Fd(pidfd)};
}

// Starts the program; report is the write end, ours to close afterwards.
Child StartInit(Options& options, const Fd& report) {
  Fd spec = SpecMemory(options.spec);
  Fd null;
  if (!options.inherit) {
    Fd file(Retry([&] { return open("/dev/null", O_RDWR | O_CLOEXEC); }));
    if (!file) throw SysError(errno, "open", "/dev/null");
    null = Aside(file);
  }
  Fd cgroup;
  if (!options.cgroup.empty()) {
    cgroup.reset(Retry([&] { return open(options.cgroup.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (!cgroup) throw SysError(errno, "open", options.cgroup);
  }
  // The second argument is room for the title that the supervisor shows in ps.
  std::vector<std::string> args = {"tsbox-init", std::string(160, ' ')};
  std::vector<char*> argv = Pointers(args);
  std::vector<char*> envp = Pointers(options.env);
  ChildMemory memory;
  ChildPlan& plan = memory.plan();
  plan.spec = spec.get();
  plan.report = report.get();
  plan.null = null ? null.get() : -1;
  plan.argv = argv.data();
  plan.envp = envp.data();
  for (;;) {
    std::shared_ptr<Fd> program = AllPrograms().Get(options.init);
    plan.init = program->get();
    Child child = CloneChild(memory, options, cgroup);
    int err = plan.error;
    if (err == 0) return child;
    std::string step = plan.step;
    Reap(child.pidfd);
    // A security module may forbid to execute memory.
    bool refused = step == "execveat" && (err == EACCES || err == EPERM);
    if (refused && AllPrograms().Fallback(options.init, program)) continue;
    throw SysError(err, step, step == "write" ? options.cgroup + "/cgroup.procs" : options.init);
  }
}

Result Run(Options& options) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw SysError(errno, "pipe2");
  Fd reader(ends[0]);
  Fd end(ends[1]);
  Fd writer = Aside(end);
  end.reset();
  Child child = StartInit(options, writer);
  writer.reset();

  Result result = {child.pid, "", -1};
  try {
    if (!ReadReport(reader, child.pidfd, options.timeout, result.report)) {
      throw SysError(ETIMEDOUT, "spawn", options.init, "no report in " + std::to_string(options.timeout) + " ms");
    }
  } catch (...) {
    Kill(child.pidfd);
    Reap(child.pidfd);
    throw;
  }
  if (options.wait) {
    result.exit = Reap(child.pidfd);
  } else if (result.report.empty() || result.report.starts_with("error")) {
    ReapSoon(child.pidfd);
  }
  return result;
}

Options ReadOptions(const Napi::Object& object) {
  Options options;
  options.init = PathArg(object.Get("init"), "init");
  Napi::Uint8Array spec = BytesArg(object.Get("spec"), "spec");
  options.spec.assign(reinterpret_cast<const char*>(spec.Data()), spec.ByteLength());
  options.cgroup = PathArg(object.Get("cgroup"), "cgroup");
  std::string stdio = TextArg(object.Get("stdio"), "stdio");
  if (stdio != "null" && stdio != "inherit") {
    throw Napi::TypeError::New(object.Env(), "stdio must be 'null' or 'inherit'");
  }
  options.inherit = stdio == "inherit";
  options.timeout = IntArg(object.Get("timeoutMs"), "timeoutMs");
  Napi::Value wait = object.Get("wait");
  if (!wait.IsBoolean()) throw Napi::TypeError::New(object.Env(), "wait must be a boolean");
  options.wait = wait.As<Napi::Boolean>().Value();
  // Copied on the main thread, the only one that changes it.
  for (char** variable = environ; *variable != nullptr; variable++) options.env.emplace_back(*variable);
  return options;
}

// spawn: man 2 clone3, execveat, memfd_create, waitid
Napi::Value Spawn(const Napi::CallbackInfo& info) {
  auto options = std::make_shared<Options>(ReadOptions(ObjectArg(info[0], "options")));
  auto work = [options] { return Run(*options); };
  auto done = [](Napi::Env env, const Result& result) -> Napi::Value {
    Napi::Object object = Napi::Object::New(env);
    object.Set("pid", Int(env, result.pid));
    object.Set("report", Napi::String::New(env, result.report));
    object.Set("exit", Int(env, result.exit));
    return object;
  };
  return Task<Result>::Start(info.Env(), std::move(work), std::move(done));
}

}  // namespace

void InitSpawn(Napi::Env env, Napi::Object exports) { Export<Spawn>(env, exports, "spawn"); }

}  // namespace tsbox
