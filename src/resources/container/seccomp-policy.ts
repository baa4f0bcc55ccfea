/**
 * What the default filter withholds, and which capability gives it back.
 *
 * It follows the default profile the common container engines share (containers/common seccomp.json), turned round:
 * everything is allowed except calls that reach kernel-wide state, need privilege over the host, or have been the way
 * out of containers. Capabilities are checked by the kernel as well; the filter keeps the code behind them out of reach.
 */
import type { Syscall } from './seccomp-syscalls.ts';

export type Action = 'allow' | 'eperm' | 'enosys';
/** A call decided by its arguments. */
export type Check = 'clone' | 'unshare' | 'personality' | 'ioctl' | 'socket';

interface Group {
  /** Any of these gives the calls back; none means they are always withheld. */
  readonly unless: readonly string[];
  readonly action: Action | 'by-argument';
  readonly calls: readonly Syscall[];
}

export const GROUPS: readonly Group[] = [
  {
    unless: ['SYS_ADMIN'],
    action: 'eperm',
    calls: [
      'mount',
      'umount2',
      'pivot_root',
      'fsopen',
      'fsconfig',
      'fsmount',
      'fspick',
      'move_mount',
      'open_tree',
      'open_tree_attr',
      'mount_setattr',
      'setns',
      'sethostname',
      'setdomainname',
      'swapon',
      'swapoff',
      'quotactl',
      'quotactl_fd',
      'lookup_dcookie',
      'fanotify_init',
    ],
  },
  // Its flags are behind a pointer, out of a filter's sight: with ENOSYS the C library falls back to clone.
  { unless: ['SYS_ADMIN'], action: 'enosys', calls: ['clone3'] },
  { unless: ['SYS_ADMIN'], action: 'by-argument', calls: ['clone', 'unshare'] },
  { unless: ['SYS_ADMIN', 'BPF'], action: 'eperm', calls: ['bpf'] },
  { unless: ['SYS_ADMIN', 'PERFMON'], action: 'eperm', calls: ['perf_event_open'] },
  { unless: ['SYS_ADMIN', 'SYSLOG'], action: 'eperm', calls: ['syslog'] },
  { unless: ['SYS_BOOT'], action: 'eperm', calls: ['reboot', 'kexec_load', 'kexec_file_load'] },
  { unless: ['SYS_CHROOT'], action: 'eperm', calls: ['chroot'] },
  { unless: ['SYS_MODULE'], action: 'eperm', calls: ['init_module', 'finit_module', 'delete_module'] },
  { unless: ['SYS_PACCT'], action: 'eperm', calls: ['acct'] },
  {
    // ptrace itself stays: since Linux 4.8 seccomp is checked after the tracer, so it opens no way round the filter.
    unless: ['SYS_PTRACE'],
    action: 'eperm',
    calls: ['process_vm_readv', 'process_vm_writev', 'process_madvise', 'pidfd_getfd', 'kcmp', 'userfaultfd'],
  },
  { unless: ['SYS_RAWIO'], action: 'eperm', calls: ['iopl', 'ioperm'] },
  { unless: ['SYS_TIME'], action: 'eperm', calls: ['settimeofday', 'clock_settime', 'adjtimex', 'clock_adjtime'] },
  { unless: ['SYS_TTY_CONFIG'], action: 'eperm', calls: ['vhangup'] },
  {
    unless: ['SYS_NICE'],
    action: 'eperm',
    calls: ['mbind', 'get_mempolicy', 'set_mempolicy', 'set_mempolicy_home_node', 'migrate_pages', 'move_pages'],
  },
  { unless: ['DAC_READ_SEARCH'], action: 'eperm', calls: ['open_by_handle_at'] },
  {
    // Keyrings are not namespaced; io_uring does what calls do without being seen by this filter.
    unless: [],
    action: 'eperm',
    calls: ['keyctl', 'add_key', 'request_key', 'io_uring_setup', 'io_uring_enter', 'io_uring_register'],
  },
  {
    unless: [],
    action: 'enosys',
    calls: ['nfsservctl', 'create_module', 'query_module', 'get_kernel_syms', 'uselib', '_sysctl', 'sysfs', 'ustat'],
  },
  { unless: [], action: 'by-argument', calls: ['personality', 'ioctl', 'socket'] },
];

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (clone(2)). */
export const CLONE_NAMESPACES = 0x7e020000;
/** unshare takes CLONE_NEWTIME as well; for clone that bit is part of the exit signal. */
export const UNSHARE_NAMESPACES = CLONE_NAMESPACES | 0x80;
/** PER_LINUX, PER_LINUX32, each with UNAME26, and the query: nothing that switches off address randomisation. */
export const PERSONALITIES = [0, 8, 0x20000, 0x20008, 0xffffffff] as const;
/** TIOCSTI and TIOCLINUX type into a terminal for its owner; the kernel looks at 32 bits of the request. */
export const IOCTLS = [0x5412, 0x541c] as const;
/** AF_VSOCK reaches the hypervisor and its other guests. */
export const SOCKET_FAMILIES = [40] as const;
