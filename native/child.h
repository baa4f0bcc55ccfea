// Starting a process on a stack of its own, sharing our memory until it executes.
#pragma once

#include <cstdint>

namespace tsbox {

// Everything the child needs, made before the clone: between clone and exec it may not allocate, lock or touch stdio.
// All descriptors are 10 or higher, so that moving one to 0..5 never overwrites another still to be moved.
struct ChildPlan {
  int spec;    // becomes 3
  int report;  // becomes 4
  int init;    // becomes 5, close-on-exec: the program
  int null;    // becomes 0, 1 and 2; -1 leaves those alone
  int procs;   // cgroup.procs to enter by writing, -1 for none
  char* const* argv;
  char* const* envp;
  // Filled in by the child when it cannot execute.
  volatile int error;
  const char* volatile step;
};

// The plan and the child's stack in one shared mapping: on architectures without a trampoline of ours the child has a
// copy of all other memory, and this is how its error comes back.
class ChildMemory {
 public:
  ChildMemory();  // throws SysError
  ~ChildMemory();
  ChildMemory(const ChildMemory&) = delete;
  ChildMemory& operator=(const ChildMemory&) = delete;
  ChildPlan& plan() { return *static_cast<ChildPlan*>(base_); }

  // Clones and executes. Returns when the child has executed or ended (see plan().error): its pid, or -1 and errno.
  // cgroup: a cgroup2 directory to be born in, -1 for ours. pidfd is close-on-exec. man 2 clone3, vfork
  long Start(int cgroup, int& pidfd);

 private:
  void* base_;
};

}  // namespace tsbox
