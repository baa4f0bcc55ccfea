/** The rest of `linux` in a bundle: seccomp, sysctls, paths, personality, and what no stack does. */
import type { Fields } from './fields.ts';

type Out = Record<string, unknown>;

/** What the language leaves to somebody else, with the reason. */
const LEFT: Readonly<Record<string, string>> = {
  cgroupsPath: "is not taken over: a container's cgroup is below its stack's, where it can be found again",
  mountLabel: 'is a mount option of SELinux that stacks do not set; label the files instead',
  intelRdt: 'is resctrl, which a stack does not manage',
  netDevices: 'moves interfaces of the host, which a stack does not do',
  memoryPolicy: 'is set by a process for itself (set_mempolicy(2)); cpuset.mems confines the memory of a container',
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
