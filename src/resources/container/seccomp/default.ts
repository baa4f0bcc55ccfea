/** The built-in system call filter of a container: the default profile for the capabilities it has. */
import { compileProfile, type SeccompArch } from './compile.ts';
import {
  ALLOWED,
  AUDIT_SOCKET,
  CLONE_NAMESPACES,
  GROUPS,
  IOCTLS,
  PERSONALITIES,
  SOCKET_FAMILIES,
  UNSHARE_NAMESPACES,
} from './default-calls.ts';
import type { CallRule, Condition, Profile } from './profile.ts';

/** SECCOMP_RET_ALLOW, and SECCOMP_RET_ERRNO with the errno in the low half. */
const [ALLOW, EPERM, EINVAL, ENOSYS] = [0x7fff0000, 0x50001, 0x50016, 0x50026] as const;

/** The kernel itself looks only at the low half of these arguments. */
const masked = (index: number, mask: number, value: number): Condition => ({
  index,
  op: 'MASKED_EQ',
  value: BigInt(mask >>> 0),
  valueTwo: BigInt(value >>> 0),
});
const equals = (index: number, value: number): Condition => masked(index, 0xffffffff, value);
const rule = (names: readonly string[], action: number, ...args: readonly Condition[]): CallRule => ({
  names,
  action,
  args,
});
/** What the rules before it leave: a rule without conditions would decide before them. */
const otherwise = (name: string, action: number): CallRule => rule([name], action, masked(0, 0, 0));

/** Calls decided by their arguments. */
function byArguments(capabilities: ReadonlySet<string>): CallRule[] {
  // The flags of clone3 are behind a pointer, out of a filter's sight: with ENOSYS the C library falls back to clone.
  const namespaces = capabilities.has('SYS_ADMIN')
    ? [rule(['clone', 'clone3', 'unshare'], ALLOW)]
    : [
        rule(['clone'], ALLOW, masked(0, CLONE_NAMESPACES, 0)),
        rule(['unshare'], ALLOW, masked(0, UNSHARE_NAMESPACES, 0)),
        ...['clone', 'unshare'].map((name) => otherwise(name, EPERM)),
      ];
  const audit = capabilities.has('AUDIT_WRITE')
    ? []
    : [rule(['socket'], EINVAL, equals(0, AUDIT_SOCKET.family), equals(2, AUDIT_SOCKET.protocol))];
  return [
    ...namespaces,
    ...PERSONALITIES.map((value) => rule(['personality'], ALLOW, equals(0, value))),
    otherwise('personality', EPERM),
    ...IOCTLS.map((request) => rule(['ioctl'], EPERM, equals(1, request))),
    otherwise('ioctl', ALLOW),
    ...SOCKET_FAMILIES.map((family) => rule(['socket'], EPERM, equals(0, family))),
    ...audit,
    otherwise('socket', ALLOW),
  ];
}

/** The default profile; capabilities by name without CAP_. */
export function defaultProfile(capabilities: ReadonlySet<string>): Profile {
  return {
    defaultAction: ENOSYS,
    architectures: [],
    flags: 0,
    rules: [
      rule(ALLOWED, ALLOW),
      ...GROUPS.map((group) => rule(group.calls, group.capabilities.some((c) => capabilities.has(c)) ? ALLOW : EPERM)),
      ...byArguments(capabilities),
    ],
  };
}

/**
 * struct sock_filter[] for seccomp(SECCOMP_SET_MODE_FILTER).
 *
 * Programs for another architecture (i386, 32-bit arm) are killed at their first call: their numbers mean other things, and
 * the kernel's code for them is one more way in.
 */
export function defaultFilter(arch: SeccompArch, capabilities: ReadonlySet<string>): Uint8Array {
  return compileProfile(defaultProfile(capabilities), arch);
}
