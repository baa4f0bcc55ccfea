/** The rest of `linux` in a bundle: seccomp, sysctls, paths, personality, memory policy, and what no stack does. */
import { memoryPolicySchema } from '../../resources/container/process/memory-policy.ts';
import type { Fields } from './fields.ts';

type Out = Record<string, unknown>;

/** What the language leaves to somebody else, with the reason. */
const LEFT: Readonly<Record<string, string>> = {
  cgroupsPath: "is not taken over: a container's cgroup is below its stack's, where it can be found again",
  mountLabel: 'is a mount option of SELinux that stacks do not set; label the files instead',
  intelRdt: 'is resctrl, which a stack does not manage',
  netDevices: 'moves interfaces of the host, which a stack does not do',
};

export function convertLinux(linux: Fields, out: Out): void {
  out['masked_paths'] = linux.strings('maskedPaths') ?? [];
  out['readonly_paths'] = linux.strings('readonlyPaths') ?? [];
  const seccomp = linux.take('seccomp');
  out['seccomp'] = seccomp === undefined ? 'unconfined' : seccomp;
  const sysctl = linux.texts('sysctl') ?? {};
  if (Object.keys(sysctl).length > 0) {
    out['sysctls'] = sysctl;
  }
  const personality = linux.object('personality');
  if (personality !== undefined) {
    const domain = (personality.string('domain') ?? 'LINUX').toLowerCase();
    if (domain !== 'linux') {
      out['personality'] = domain;
    }
    if ((personality.strings('flags') ?? []).length > 0) {
      personality.note('flags', 'are not defined by the specification');
    }
    personality.finish();
  }
  convertMemoryPolicy(linux, out);
  const propagation = linux.string('rootfsPropagation');
  if (propagation !== undefined && !['', 'private', 'rprivate'].includes(propagation)) {
    linux.note(
      'rootfsPropagation',
      `'${propagation}': the root of a container is always private; propagation is of single mounts`,
    );
  }
  for (const [key, why] of Object.entries(LEFT)) {
    if (linux.take(key) !== undefined) {
      linux.note(key, why);
    }
  }
}

/** Modes and flags are those of set_mempolicy(2), with its prefixes. */
function convertMemoryPolicy(linux: Fields, out: Out): void {
  const policy = linux.object('memoryPolicy');
  if (policy === undefined) {
    return;
  }
  const mode = (policy.string('mode') ?? '').replace(/^MPOL_/, '').toLowerCase();
  const nodes = policy.string('nodes') ?? '';
  const flags = (policy.strings('flags') ?? []).map((f) => f.replace(/^MPOL_F_/, '').toLowerCase());
  const value = { mode, ...(nodes === '' ? {} : { nodes }), ...(flags.length === 0 ? {} : { flags }) };
  const parsed = memoryPolicySchema.safeParse(Object.keys(value).length === 1 ? mode : value);
  if (parsed.success) {
    out['memory_policy'] = Object.keys(value).length === 1 ? mode : value;
  } else {
    linux.note('memoryPolicy', parsed.error.issues[0]?.message ?? 'is none of set_mempolicy(2)');
  }
  policy.finish();
}
