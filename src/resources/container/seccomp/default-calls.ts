/**
 * What the built-in filter lets through, and which capability gives the rest.
 *
 * A list of what is allowed, in the shape of the profiles the engines ship (containers/common seccomp.json, moby
 * default.json): allowed is what both of them allow without a capability, and of calls newer than the one, what the other
 * allows. Capabilities are checked by the kernel as well; the filter keeps the code behind them out of reach. What is
 * named nowhere here is answered ENOSYS, as by a kernel that lacks it, so that a C library falls back to an older call.
 */

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

/** Whatever the arguments and capabilities. */
export const ALLOWED: readonly string[] = [
  // Files by name.
  ...words(`
    access chdir chmod chown creat execve execveat faccessat faccessat2 fchdir fchmod fchmodat fchmodat2 fchown fchownat
    futimesat getcwd lchown link linkat lstat mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2
    readlink readlinkat rename renameat renameat2 rmdir stat statfs statx symlink symlinkat truncate umask unlink unlinkat
    utime utimensat utimes listmount statmount
    fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr
    lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat`),
  // Open files.
  ...words(`
    cachestat close close_range copy_file_range dup dup2 dup3 fadvise64 fallocate fcntl fdatasync flock fstat fstatfs fsync
    ftruncate getdents getdents64 lseek pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readv
    sendfile splice sync sync_file_range syncfs tee write writev`),
  // Events.
  ...words(`
    epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2
    fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents
    io_pgetevents io_setup io_submit poll ppoll pselect6 select signalfd signalfd4
    timerfd_create timerfd_gettime timerfd_settime`),
  // Memory.
  ...words(`
    brk madvise map_shadow_stack memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mprotect mremap mseal msync
    munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages`),
  // Processes and threads. Linux checks a filter after the tracer, so ptrace opens no way round it.
  ...words(`
    alarm arch_prctl exit exit_group fork futex futex_requeue futex_wait futex_waitv futex_wake get_robust_list
    get_thread_area getcpu getitimer getpgid getpgrp getpid getppid getpriority getrlimit getrusage getsid gettid
    ioprio_get ioprio_set kill membarrier modify_ldt pause pidfd_open pidfd_send_signal prctl prlimit64
    process_vm_readv process_vm_writev ptrace restart_syscall rseq set_robust_list set_thread_area set_tid_address
    setitimer setpgid setpriority setrlimit setsid tgkill times tkill uprobe uretprobe vfork wait4 waitid
    rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
    rt_tgsigqueueinfo sigaltstack
    sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
    sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield`),
  // Who a process is, and what it may.
  ...words(`
    capget capset getegid geteuid getgid getgroups getresgid getresuid getuid setfsgid setfsuid setgid setgroups setregid
    setresgid setresuid setreuid setuid landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp`),
  // The machine and its clocks: adjtimex and clock_adjtime also only read them.
  ...words(`
    adjtimex clock_adjtime clock_getres clock_gettime clock_nanosleep getrandom gettimeofday nanosleep sysinfo time
    timer_create timer_delete timer_getoverrun timer_gettime timer_settime uname`),
  // Sockets; socket itself is decided by its arguments.
  ...words(`
    accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg sendmsg sendto
    setsockopt shutdown socketpair`),
  // Queues, semaphores and shared memory.
  ...words(`
    mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop
    semtimedop shmat shmctl shmdt shmget`),
];

export interface Group {
  /** Any of these lets the calls through; none means that nothing does. */
  readonly capabilities: readonly string[];
  readonly calls: readonly string[];
}

/** Answered EPERM without a capability of the group. */
export const GROUPS: readonly Group[] = [
  {
    capabilities: ['SYS_ADMIN'],
    calls: words(`
      mount umount2 pivot_root fsopen fsconfig fsmount fspick move_mount open_tree open_tree_attr mount_setattr setns
      sethostname setdomainname quotactl quotactl_fd lookup_dcookie fanotify_init
      lsm_get_self_attr lsm_list_modules lsm_set_self_attr`),
  },
  { capabilities: ['SYS_ADMIN', 'BPF'], calls: ['bpf'] },
  { capabilities: ['SYS_ADMIN', 'PERFMON'], calls: ['perf_event_open'] },
  { capabilities: ['SYS_ADMIN', 'SYSLOG'], calls: ['syslog'] },
  { capabilities: ['SYS_BOOT'], calls: ['reboot'] },
  { capabilities: ['SYS_CHROOT'], calls: ['chroot'] },
  { capabilities: ['SYS_MODULE'], calls: words('init_module finit_module delete_module') },
  { capabilities: ['SYS_PACCT'], calls: ['acct'] },
  { capabilities: ['SYS_PTRACE'], calls: words('kcmp pidfd_getfd process_madvise') },
  { capabilities: ['SYS_RAWIO'], calls: words('ioperm iopl') },
  { capabilities: ['SYS_TIME'], calls: words('clock_settime settimeofday') },
  { capabilities: ['SYS_TTY_CONFIG'], calls: ['vhangup'] },
  { capabilities: ['SYS_NICE'], calls: words('get_mempolicy mbind set_mempolicy set_mempolicy_home_node') },
  { capabilities: ['DAC_READ_SEARCH'], calls: ['open_by_handle_at'] },
  // They change the machine as a whole, or where the memory of others lies.
  { capabilities: [], calls: words('kexec_load kexec_file_load swapon swapoff migrate_pages move_pages') },
  // Keyrings have no namespace; io_uring does what calls do without being seen by a filter; the others are known from exploits.
  {
    capabilities: [],
    calls: words('add_key keyctl request_key io_uring_setup io_uring_enter io_uring_register userfaultfd vmsplice'),
  },
  { capabilities: [], calls: words('sysfs uselib ustat') },
];

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (clone(2)). */
export const CLONE_NAMESPACES = 0x7e020000;
/** unshare takes CLONE_NEWTIME as well; for clone that bit is part of the exit signal. */
export const UNSHARE_NAMESPACES = CLONE_NAMESPACES | 0x80;
/** PER_LINUX, PER_LINUX32, each with UNAME26, and the query: nothing that switches off address randomisation. */
export const PERSONALITIES = [0, 8, 0x20000, 0x20008, 0xffffffff] as const;
/** TIOCSTI and TIOCLINUX type into a terminal for its owner. */
export const IOCTLS = [0x5412, 0x541c] as const;
/** AF_ALG is the kernel's cryptography for everybody; AF_VSOCK reaches the hypervisor and its other guests. */
export const SOCKET_FAMILIES = [38, 40] as const;
/** AF_NETLINK and NETLINK_AUDIT: a program that finds no audit there goes on without. */
export const AUDIT_SOCKET = { family: 16, protocol: 9 } as const;
