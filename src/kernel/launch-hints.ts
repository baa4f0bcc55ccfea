/** Hints for failures that native/init reports, by step and errno. */

/** What may help where native/init failed; undefined where the error says it all. */
export function launchHint(step: string, errno: string, path: string, fileSystem: () => string): string | undefined {
  if (step === 'idmap' && errno === 'EINVAL') {
    return `mounts of ${fileSystem()} cannot be idmapped here: idmap: false leaves their ids as they are`;
  }
  if (step === 'join' && errno === 'EPERM') {
    return 'another user namespace owns it than the one that the container is in';
  }
  if (step === 'mount' && errno === 'EPERM' && path === '/proc') {
    return "in a user namespace the kernel mounts /proc only where nothing covers parts of the host's own";
  }
  if (['bind', 'mount', 'file'].includes(step) && errno === 'EROFS') {
    return 'the target is not there and what it is on is read-only: make it first, mount a tmpfs above it, or let the start of a new one make it: apply --replace with the container';
  }
  if (['unmount', 'remount', 'reconfigure', 'expect'].includes(step) && errno === 'ESTALE') {
    return 'the mount is not the one that was planned for: plan again';
  }
  if (step === 'exec' && errno === 'ENOENT') {
    return "the command is not in the container's root; write its full path or check rootfs";
  }
  if (step === 'exec' && errno === 'EACCES') {
    return 'the command is not executable, or its user may not reach it';
  }
  if (step === 'settings' && path === 'sched') {
    return SCHEDULER_HINTS[errno];
  }
  if (step === 'label') {
    return LABEL_HINTS[errno];
  }
  if (step === 'owner') {
    return 'the user namespace that owns it was made by another user, who commands what lives there: join that one too (namespaces: { user: … })';
  }
  if (step === 'mount' && errno === 'EPERM') {
    return 'in a user namespace only what belongs to it may be mounted: /proc needs a pid namespace that it owns';
  }
  if (step === 'pivot_root' && errno === 'EINVAL') {
    return 'the root cannot be moved away from: rootfs: { dir: …, pivot: false } enters by chroot instead, and is warned of';
  }
  if (step === 'sysctl') {
    return SYSCTL_HINTS[errno];
  }
  return undefined;
}

/** For a start and for a change in place. */
export const SCHEDULER_HINTS: Readonly<Record<string, string>> = {
  EPERM: 'it needs CAP_SYS_NICE; for fifo and rr a v1 cpu cgroup needs cpu.rt_runtime_us as well',
  EBUSY: 'the runtimes of all deadline processes together would be more than the processors have',
};

const LABEL_HINTS: Readonly<Record<string, string>> = {
  ENOENT: 'no such profile is loaded: apparmor_parser -r FILE loads one',
  EINVAL: 'the policy knows no such label, or not this user, role and type together',
  EACCES: 'the policy does not let tsbox ask for it',
};

const SYSCTL_HINTS: Readonly<Record<string, string>> = {
  ENOENT:
    'this kernel has no such parameter in a namespace: it may belong to the whole machine, or to a missing module',
  EACCES: 'it can be read in a namespace, and not be set there',
  EPERM: 'it can be read in a namespace, and not be set there',
  EINVAL: 'the kernel does not take this value',
};
