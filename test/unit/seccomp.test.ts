/** The default filter's decisions, number by number, against a table of its own; and what becomes of flags. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CALL_NUMBERS } from '../../src/resources/container/seccomp/call-numbers.ts';
import { compileProfile, type SeccompArch } from '../../src/resources/container/seccomp/compile.ts';
import { ALLOWED, GROUPS } from '../../src/resources/container/seccomp/default-calls.ts';
import { defaultFilter } from '../../src/resources/container/seccomp/default.ts';
import { parseProfile } from '../../src/resources/container/seccomp/profile.ts';
import { filterOf, keptFilter, takenFilter } from '../../src/resources/container/seccomp/use.ts';
import { runFilter, traceFilter } from '../support/classic-bpf.ts';

const [ALLOW, EPERM, EINVAL, ENOSYS, KILL] = [0x7fff0000, 0x00050001, 0x00050016, 0x00050026, 0x80000000];
const AUDIT = { x86_64: 0xc000003e, aarch64: 0xc00000b7 } as const;
const ARCHES = ['x86_64', 'aarch64'] as const;
/** Past the last call of any kernel so far. */
const BEYOND = 600;

/** What is refused, and to whom it is not: `call: capabilities`. Every other call the kernel has is allowed. */
const REFUSED = `
mount umount2 pivot_root fsopen fsconfig fsmount fspick move_mount open_tree open_tree_attr mount_setattr: SYS_ADMIN
setns sethostname setdomainname quotactl quotactl_fd lookup_dcookie fanotify_init: SYS_ADMIN
lsm_get_self_attr lsm_set_self_attr lsm_list_modules: SYS_ADMIN
syslog: SYS_ADMIN SYSLOG
bpf: SYS_ADMIN BPF
perf_event_open: SYS_ADMIN PERFMON
reboot: SYS_BOOT
chroot: SYS_CHROOT
init_module finit_module delete_module: SYS_MODULE
acct: SYS_PACCT
kcmp pidfd_getfd process_madvise: SYS_PTRACE
iopl ioperm: SYS_RAWIO
settimeofday clock_settime: SYS_TIME
vhangup: SYS_TTY_CONFIG
mbind get_mempolicy set_mempolicy set_mempolicy_home_node: SYS_NICE
open_by_handle_at: DAC_READ_SEARCH
kexec_load kexec_file_load swapon swapoff migrate_pages move_pages userfaultfd vmsplice:
keyctl add_key request_key io_uring_setup io_uring_enter io_uring_register sysfs uselib ustat:
`;
/** Answered as by a kernel without them: mostly it is one. The last two do what an ioctl does. */
const ABSENT = `
_sysctl afs_syscall create_module get_kernel_syms getpmsg nfsservctl putpmsg query_module security tuxcall vserver
file_getattr file_setattr
`;
const CAPABILITIES = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE ' +
  'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN ' +
  'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE ' +
  'MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
).split(' ');

const withheld = new Map(
  REFUSED.trim()
    .split('\n')
    .flatMap((line) => {
      const [calls = '', capabilities = ''] = line.split(':');
      return calls.split(' ').map((call) => [call, capabilities.split(' ').filter((c) => c !== '')] as const);
    }),
);
const absent = new Set(ABSENT.trim().split(/\s/));

/** For arguments that are all zero. */
function expected(call: string | undefined, capabilities: readonly string[]): number {
  if (call === undefined || absent.has(call)) {
    return ENOSYS;
  }
  if (call === 'clone3') {
    return capabilities.includes('SYS_ADMIN') ? ALLOW : ENOSYS;
  }
  return withheld.get(call)?.every((c) => !capabilities.includes(c)) ? EPERM : ALLOW;
}

function answer(
  arch: SeccompArch,
  call: string,
  args: readonly bigint[],
  capabilities: readonly string[] = [],
): number {
  const nr = CALL_NUMBERS[arch].get(call) ?? -1;
  return runFilter(defaultFilter(arch, new Set(capabilities)), { nr, arch: AUDIT[arch], args });
}

for (const arch of ARCHES) {
  const names = new Map([...CALL_NUMBERS[arch]].map(([name, nr]) => [nr, name]));

  test(`${arch}: every number, without capabilities, with each one and with all`, () => {
    for (const capabilities of [[], ...CAPABILITIES.map((c) => [c]), CAPABILITIES]) {
      const filter = defaultFilter(arch, new Set(capabilities));
      for (let nr = 0; nr < BEYOND; nr++) {
        const call = names.get(nr);
        const got = runFilter(filter, { nr, arch: AUDIT[arch] });
        if (got !== expected(call, capabilities)) {
          assert.unreachable(`${call ?? nr} with ${capabilities.join() || 'none'}: ${got.toString(16)}`);
        }
      }
    }
  });

  test(`${arch}: clone and unshare by their flags, personality by its values`, () => {
    for (const flag of [0x20000n, 0x2000000n, 0x4000000n, 0x8000000n, 0x10000000n, 0x20000000n, 0x40000000n]) {
      assert.is(answer(arch, 'clone', [flag | 17n]), EPERM);
      assert.is(answer(arch, 'unshare', [flag]), EPERM);
      assert.is(answer(arch, 'clone', [flag], ['SYS_ADMIN']), ALLOW);
      assert.is(answer(arch, 'unshare', [flag], ['SYS_ADMIN']), ALLOW);
      assert.is(answer(arch, 'clone', [flag], ['SYS_PTRACE', 'NET_ADMIN']), EPERM);
    }
    assert.is(answer(arch, 'clone', [0x3d0f00n]), ALLOW, 'a thread');
    assert.is(answer(arch, 'clone', [0x11n]), ALLOW, 'fork');
    assert.is(answer(arch, 'clone', [0xff_0000_0011n]), ALLOW, 'no namespace is in the high half');
    assert.is(answer(arch, 'unshare', [0x80n]), EPERM, 'time namespace');
    assert.is(answer(arch, 'unshare', [0x600n]), ALLOW, 'files and fs');
    for (const persona of [0n, 8n, 0x20000n, 0x20008n, 0xffffffffn, 0xffffffff_ffffffffn]) {
      assert.is(answer(arch, 'personality', [persona]), ALLOW);
    }
    for (const persona of [0x40000n, 0x40008n, 0x400000n, 0x100000000_00040000n, 3n]) {
      assert.is(answer(arch, 'personality', [persona], CAPABILITIES), EPERM, persona.toString(16));
    }
  });

  test(`${arch}: ioctl by its request, socket by family and protocol`, () => {
    for (const request of [0x5412n, 0xdead_0000_5412n, 0x541cn]) {
      assert.is(answer(arch, 'ioctl', [0n, request], CAPABILITIES), EPERM, 'the kernel drops the high half');
    }
    assert.is(answer(arch, 'ioctl', [0x5412n, 0x5413n]), ALLOW);
    for (let family = 0n; family < 50n; family++) {
      const got = answer(arch, 'socket', [family, 2n, 0n]);
      assert.is(got, family === 38n || family === 40n ? EPERM : ALLOW, `family ${family}`);
    }
    const high = 0x7_0000_0000n;
    for (const [family, protocol] of [
      [16n, 9n],
      [high | 16n, high | 9n],
    ] as const) {
      assert.is(answer(arch, 'socket', [family, 3n, protocol]), EINVAL);
      assert.is(answer(arch, 'socket', [family, 0x80003n, protocol], ['AUDIT_WRITE']), ALLOW);
    }
    assert.is(answer(arch, 'socket', [16n, 3n, 0n]), ALLOW, 'routes');
    assert.is(answer(arch, 'socket', [2n, 3n, 9n]), ALLOW, 'another protocol 9');
    assert.is(answer(arch, 'socket', [high | 38n, 5n, 0n], CAPABILITIES), EPERM);
  });

  test(`${arch}: what is newer or of another ABI`, () => {
    const filter = defaultFilter(arch, new Set(CAPABILITIES));
    for (const nr of [470, 1000, 0x3fffffff, 0x40000000, 0x40000027, 0x7fffffff, -1]) {
      assert.is(runFilter(filter, { nr, arch: AUDIT[arch] }), ENOSYS, `call ${nr}`);
    }
    for (const foreign of [0, 0x40000003, 0x40000028, AUDIT[arch === 'x86_64' ? 'aarch64' : 'x86_64']]) {
      assert.is(runFilter(filter, { nr: 0, arch: foreign }), KILL);
    }
  });

  test(`${arch}: it is short, and each call takes few steps`, () => {
    const filter = defaultFilter(arch, new Set());
    assert.ok(filter.length / 8 <= 200, `${filter.length / 8} instructions`);
    for (let nr = 0; nr < BEYOND; nr++) {
      const { steps } = traceFilter(filter, { nr, arch: AUDIT[arch], args: [1n, 1n, 1n] });
      assert.ok(steps <= 24, `${names.get(nr) ?? nr}: ${steps}`);
    }
  });
}

test('each call is in one place, by a name that has a number', () => {
  const calls = [...ALLOWED, ...GROUPS.flatMap((g) => g.calls)];
  assert.is(new Set(calls).size, calls.length);
  for (const call of calls) {
    assert.ok(
      ARCHES.some((arch) => CALL_NUMBERS[arch].has(call)),
      call,
    );
  }
  for (const capability of GROUPS.flatMap((g) => g.capabilities)) {
    assert.ok(CAPABILITIES.includes(capability), capability);
  }
});

test('numbers whose place in the tables is known', () => {
  const pairs = { read: [0, 63], openat: [257, 56], clone: [56, 220], socket: [41, 198], mseal: [462, 462] };
  for (const [call, numbers] of Object.entries(pairs)) {
    assert.equal([CALL_NUMBERS.x86_64.get(call), CALL_NUMBERS.aarch64.get(call)], numbers);
  }
  assert.is(CALL_NUMBERS.x86_64.get('uprobe'), 336);
  assert.is(CALL_NUMBERS.aarch64.get('uprobe'), undefined);
});

test('unconfined is no filter', () => {
  assert.is(filterOf({ kind: 'unconfined' }, 'x86_64', new Set()).code.length, 0);
});

test('flags are the bits of seccomp(2), and stay with the filter that is kept', () => {
  const flagsOf = (...flags: string[]): number =>
    parseProfile({ defaultAction: 'SCMP_ACT_ALLOW', flags: flags.map((f) => `SECCOMP_FILTER_FLAG_${f}`) }).flags;
  assert.is(flagsOf(), 0);
  assert.is(flagsOf('TSYNC'), 1);
  assert.is(flagsOf('LOG'), 2);
  assert.is(flagsOf('SPEC_ALLOW'), 4);
  assert.is(flagsOf('SPEC_ALLOW', 'LOG', 'TSYNC', 'LOG'), 7);
  // They belong to a listener.
  for (const flag of ['NEW_LISTENER', 'TSYNC_ESRCH', 'WAIT_KILLABLE_RECV']) {
    assert.throws(() => flagsOf(flag), /is not a flag/);
  }
  const use = {
    kind: 'profile',
    profile: parseProfile({ defaultAction: 'SCMP_ACT_LOG', flags: ['SECCOMP_FILTER_FLAG_LOG'] }),
  } as const;
  const filter = filterOf(use, 'x86_64', new Set());
  assert.is(filter.flags, 2);
  const taken = takenFilter(keptFilter(use, filter));
  assert.is(taken?.flags, 2);
  assert.equal(Buffer.from(taken?.code ?? []), Buffer.from(filter.code));
  assert.is(filterOf({ kind: 'default' }, 'x86_64', new Set()).flags, 0);
});

test('a profile that says one thing for all numbers, on several architectures', () => {
  const profile = parseProfile({
    defaultAction: 'SCMP_ACT_KILL_PROCESS',
    architectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_AARCH64'],
  });
  for (const machine of ARCHES) {
    const filter = compileProfile(profile, machine);
    for (const arch of [AUDIT.x86_64, AUDIT.aarch64, 0x40000003, 1]) {
      assert.is(runFilter(filter, { nr: 5, arch }) >>> 0, KILL);
    }
  }
});

test('a profile longer than the kernel takes is refused', () => {
  const syscalls = Array.from({ length: 1000 }, (_, i) => ({
    names: ['read'],
    action: 'SCMP_ACT_ALLOW',
    args: [{ index: 2, value: i, op: 'SCMP_CMP_EQ' }],
  }));
  const profile = (n: number): unknown => ({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: syscalls.slice(0, n) });
  assert.ok(compileProfile(parseProfile(profile(800)), 'x86_64').length / 8 <= 4096);
  assert.throws(() => compileProfile(parseProfile(profile(1000)), 'x86_64'), /takes 50\d\d instructions.*takes 4096/);
});

test.run();
