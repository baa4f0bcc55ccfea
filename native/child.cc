#include "child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "errno.h"

namespace tsbox {

namespace {

constexpr size_t kMapping = size_t{64} << 10;
constexpr size_t kPlanRoom = 4096;
static_assert(sizeof(ChildPlan) <= kPlanRoom);

constexpr uint64_t kCloneVm = 0x100;
constexpr uint64_t kClonePidfd = 0x1000;
constexpr uint64_t kCloneVfork = 0x4000;
constexpr uint64_t kCloneIntoCgroup = 0x200000000;

// struct clone_args, whose header cannot be included together with sched.h. man 2 clone
struct CloneArgs {
  alignas(8) uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size,
      cgroup;
};
constexpr size_t kSizeWithoutCgroup = 80;

// The C library's wrappers refuse or skip its own two signals (32 and 33), so the system calls are made directly.
constexpr size_t kSignalSetBytes = _NSIG / 8;
using KernelSignals = uint64_t[kSignalSetBytes / sizeof(uint64_t)];

void SetSignalMask(const KernelSignals& mask, KernelSignals* old) {
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, old, kSignalSetBytes);
}

int FailChild(ChildPlan* plan, const char* step) {
  plan->error = errno;
  plan->step = step;
  return 127;
}

// Only system calls from here on. errno is the suspended thread's, which does not mind.
int ChildMain(void* argument) {
  auto* plan = static_cast<ChildPlan*>(argument);
  // A handler must not run here: it would act on the parent's memory. All zero is SIG_DFL in every layout.
  const uint64_t action[8] = {};
  for (int signal = 1; signal < _NSIG; signal++) {
    syscall(SYS_rt_sigaction, signal, action, nullptr, kSignalSetBytes);
  }
  if (plan->null >= 0) {
    for (int fd = 0; fd < 3; fd++) {
      if (syscall(SYS_dup3, plan->null, fd, 0) < 0) return FailChild(plan, "dup3");
    }
  } else {
    // Node makes its own standard streams close-on-exec once it uses them.
    for (int fd = 0; fd < 3; fd++) syscall(SYS_fcntl, fd, F_SETFD, 0);
  }
  if (syscall(SYS_dup3, plan->spec, 3, 0) < 0 || syscall(SYS_dup3, plan->report, 4, 0) < 0 ||
      syscall(SYS_dup3, plan->init, 5, O_CLOEXEC) < 0) {
    return FailChild(plan, "dup3");
  }
  if (plan->procs >= 0 && syscall(SYS_write, plan->procs, "0", 1) != 1) return FailChild(plan, "write");
#ifdef SYS_close_range
  // Before Linux 5.9 there is none; what we and node open is close-on-exec anyway.
  syscall(SYS_close_range, 6U, ~0U, 0U);
#endif
  const KernelSignals none = {};
  SetSignalMask(none, nullptr);
  syscall(SYS_execveat, 5, "", plan->argv, plan->envp, AT_EMPTY_PATH);
  return FailChild(plan, "execveat");
}

#if defined(__x86_64__)

constexpr bool kSharesMemory = true;

// The child returns from the system call onto an empty stack, so it cannot return from a C function: it calls run and
// exits right here.
long Clone(CloneArgs* args, size_t size, int (*run)(void*), void* argument) {
  long result;
  register auto function __asm__("r8") = run;
  register auto data __asm__("r9") = argument;
  __asm__ volatile(
      "syscall\n\t"
      "testq %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xorl %%ebp, %%ebp\n\t"
      "movq %%r9, %%rdi\n\t"
      "callq *%%r8\n\t"
      "movl %%eax, %%edi\n\t"
      "movl %[exit], %%eax\n\t"
      "syscall\n\t"
      "hlt\n"
      "1:"
      : "=a"(result)
      : "0"(static_cast<long>(SYS_clone3)), "D"(args), "S"(size), "r"(function), "r"(data), [exit] "i"(SYS_exit_group)
      : "rcx", "r11", "memory", "cc");
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  return -1;
}

#elif defined(__aarch64__)

constexpr bool kSharesMemory = true;

// As above.
long Clone(CloneArgs* args, size_t size, int (*run)(void*), void* argument) {
  register long result __asm__("x0") = reinterpret_cast<long>(args);
  register size_t length __asm__("x1") = size;
  register auto function __asm__("x2") = run;
  register auto data __asm__("x3") = argument;
  register long number __asm__("x8") = SYS_clone3;
  __asm__ volatile(
      "svc #0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, #0\n\t"
      "mov x30, #0\n\t"
      "mov x0, x3\n\t"
      "blr x2\n\t"
      "mov x8, %[exit]\n\t"
      "svc #0\n\t"
      "brk #1\n"
      "1:"
      : "+r"(result)
      : "r"(length), "r"(function), "r"(data), "r"(number), [exit] "i"(SYS_exit_group)
      : "memory", "cc");
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  return -1;
}

#else

constexpr bool kSharesMemory = false;

// Like fork, with a copy of the stack.
long Clone(CloneArgs* args, size_t size, int (*run)(void*), void* argument) {
  long result = syscall(SYS_clone3, args, size);
  if (result != 0) return result;
  syscall(SYS_exit_group, run(argument));
  __builtin_unreachable();
}

#endif

}  // namespace

ChildMemory::ChildMemory() : base_(mmap(nullptr, kMapping, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
  if (base_ == MAP_FAILED) throw SysError(errno, "mmap");
}

ChildMemory::~ChildMemory() { munmap(base_, kMapping); }

long ChildMemory::Start(int cgroup, int& pidfd) {
  CloneArgs args = {};
  int fd = -1;
  args.flags = kClonePidfd | kCloneVfork;
  args.pidfd = reinterpret_cast<uintptr_t>(&fd);
  args.exit_signal = SIGCHLD;
  if (kSharesMemory) {
    args.flags |= kCloneVm;
    args.stack = reinterpret_cast<uintptr_t>(base_) + kPlanRoom;
    args.stack_size = kMapping - kPlanRoom;
  }
  if (cgroup >= 0) {
    args.flags |= kCloneIntoCgroup;
    args.cgroup = static_cast<uint64_t>(cgroup);
  }
  plan().error = 0;
  plan().step = nullptr;

  // Until the child has reset its dispositions no signal may run a handler of ours in it.
  KernelSignals all, old;
  for (uint64_t& word : all) word = ~uint64_t{0};
  SetSignalMask(all, &old);
  long pid = Clone(&args, cgroup >= 0 ? sizeof args : kSizeWithoutCgroup, ChildMain, &plan());
  int saved = errno;
  SetSignalMask(old, nullptr);
  errno = saved;
  pidfd = fd;
  return pid;
}

}  // namespace tsbox
