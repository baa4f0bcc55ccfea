/** Describing a further process in a running container: all its namespaces, its cgroup, its privileges, no more. */
import { TsboxError } from '../errors.ts';
import { NAMESPACE_TYPES, type ExecSpec, type JoinNamespace } from '../kernel/init-spec.ts';
import type { RunState } from '../kernel/run-state.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { parseStatus } from '../kernel/proc.ts';
import { resolveAccount, type Account } from '../resources/container/accounts.ts';
import { allCapabilities, CAPABILITIES } from '../resources/container/capabilities.ts';
import { filterOf, takenFilter, type Filter } from '../resources/container/seccomp/use.ts';
import { confinementOf } from '../resources/container/process/confine.ts';
import { settingsFrom, settingsText } from '../resources/container/process/settings.ts';
import { personalityNumber, START_DEFAULTS } from '../resources/container/process/start.ts';
import { userSchema } from '../resources/container/user.ts';
import { SECCOMP_XATTR } from '../resources/label.ts';
import type { ScopeEntry } from '../resources/scope.ts';
import { directoryIn } from '../resources/scope.ts';
import { executionContext, primaryDirectory } from './context.ts';
import { isFrozen } from './control.ts';
import { ownSettings } from './launch.ts';
import { JOIN_ORDER } from './launch.ts';

export interface ExecOptions {
  readonly argv: readonly string[];
  /** USER[:GROUP] by number or as the container's own passwd and group files name them; else the container's account. */
  readonly user: string | undefined;
  readonly workdir: string | undefined;
  readonly env: readonly string[];
  readonly tty: boolean;
  /** Nobody waits for it. */
  readonly detach: boolean;
  /** All capabilities of the container's user namespace, and no filter of system calls. */
  readonly privileged: boolean;
  readonly detachKeys: Uint8Array;
}

const NO_FILTER: Filter = { code: new Uint8Array(0), flags: 0 };

/** Builds the description from the live process: what it has is what the new one gets. */
export function execSpec(kernel: Kernel, stack: string, entry: ScopeEntry, options: ExecOptions): ExecSpec {
  const run = entry.run;
  if (run === undefined) {
    throw new TsboxError('TSB2004', 'the container is not running');
  }
  if (isFrozen(executionContext(kernel, stack, undefined), entry.path)) {
    throw new TsboxError('TSB2004', 'the container is frozen: a process that joins it would never start', {
      hint: 'tsbox thaw lets it run',
    });
  }
  const [statusText] = kernel.readFiles([`/proc/${run.pid}/status`]);
  if (typeof statusText !== 'string') {
    throw new TsboxError('TSB2004', 'the container has just ended');
  }
  const status = parseStatus(statusText);
  const links = kernel.readLinks([
    ...NAMESPACE_TYPES.map((t) => `/proc/self/ns/${t}`),
    ...NAMESPACE_TYPES.map((t) => `/proc/${run.pid}/ns/${t}`),
  ]);
  const join = JOIN_ORDER.filter((type) => {
    const i = NAMESPACE_TYPES.indexOf(type);
    return links[i] !== links[NAMESPACE_TYPES.length + i];
  }).map((type): JoinNamespace => ({ type, path: `/proc/${run.pid}/ns/${type}`, startTime: run.startTime }));
  const bounding = options.privileged ? everyRight(kernel, join) : BigInt(`0x${status.get('CapBnd') ?? '0'}`);
  const account = accountFrom(kernel, entry, run, options.user);
  const applied = entry.label?.applied ?? {};
  const env =
    typeof applied['env'] === 'object' && !Array.isArray(applied['env'])
      ? (applied['env'] as Record<string, string>)
      : {};
  const workdir = options.workdir ?? (typeof applied['working_dir'] === 'string' ? applied['working_dir'] : '/');
  const ambient = account.uid === 0 ? 0n : bounding;
  const own = ownSettings({ kernel });
  const filter = options.privileged
    ? NO_FILTER
    : filterFrom(kernel, stack, entry, status.get('Seccomp') === '2', bounding);
  return {
    mode: 'exec',
    title: `tsbox: exec ${stack}/${entry.path}`,
    cgroup:
      kernel.layout.primary?.version === 2
        ? directoryIn(kernel.layout.primary.mount, kernel.settings.cgroupRoot, stack, entry.path)
        : '',
    cgroupProcs: kernel.layout.hierarchies
      .filter((h) => h.version === 1)
      .map((h) => `${directoryIn(h.mount, kernel.settings.cgroupRoot, stack, entry.path)}/cgroup.procs`),
    namespaces: {
      create: [],
      join,
      uidMap: '',
      gidMap: '',
      setgroups: 'allow',
      timeOffsets: '',
      hostname: '',
      domainname: '',
    },
    process: {
      argv: options.argv,
      env: [
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        ...(options.tty && process.env['TERM'] !== undefined ? [`TERM=${process.env['TERM']}`] : []),
        ...Object.entries(env).map(([k, v]) => `${k}=${v}`),
        ...options.env,
      ],
      cwd: workdir,
      uid: account.uid,
      gid: account.gid,
      groups: account.groups,
      umask: parseInt(String(applied['umask'] ?? START_DEFAULTS.umask), 8),
      personality: personalityNumber(String(applied['personality'] ?? START_DEFAULTS.personality)),
      keyring: applied['keyring'] !== 'shared',
      settings: settingsText(settingsFrom(applied), own.scheduling, own.score),
      capabilities: { bounding, permitted: bounding, effective: bounding, inheritable: ambient, ambient },
      noNewPrivs: status.get('NoNewPrivs') === '1' && !options.privileged,
      seccomp: filter.code,
      seccompFlags: filter.flags,
      confinement: confinementOf(applied, () => kernel.landlockAbi(), { pid: run.pid }),
    },
    tty: options.tty,
    background: options.detach,
    detachKeys: options.detachKeys,
  };
}

/** All capabilities there are in a user namespace that is joined, and all of our own where it is ours. */
function everyRight(kernel: Kernel, join: readonly JoinNamespace[]): bigint {
  const [last, own] = kernel.readFiles(['/proc/sys/kernel/cap_last_cap', '/proc/self/status']).map(String);
  const all = allCapabilities(last ?? '');
  const ours = parseStatus(own ?? '');
  return join.some((j) => j.type === 'user')
    ? all
    : all & BigInt(`0x${ours.get('CapPrm') ?? '0'}`) & BigInt(`0x${ours.get('CapBnd') ?? '0'}`);
}

/** The container's own filter: made from its capabilities, or that of its profile as kept beside its label. */
function filterFrom(kernel: Kernel, stack: string, entry: ScopeEntry, filtered: boolean, bounding: bigint): Filter {
  const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const applied = entry.label?.applied?.['seccomp'] ?? 'default';
  if (typeof applied !== 'string' || !applied.startsWith('profile ')) {
    const names = CAPABILITIES.filter((_, bit) => ((bounding >> BigInt(bit)) & 1n) === 1n);
    return filterOf({ kind: filtered ? 'default' : 'unconfined' }, arch, new Set<string>(names));
  }
  const directory = primaryDirectory(executionContext(kernel, stack, undefined), entry.path);
  const [kept] = kernel.getXattrs([directory], SECCOMP_XATTR);
  const filter = typeof kept === 'string' ? takenFilter(kept) : undefined;
  if (filter === undefined) {
    throw new TsboxError('TSB2004', "the record of the container's system call filter is gone", {
      hint: 'a process without it could do what the container may not; tsbox stop and then apply write it again',
    });
  }
  return filter;
}

/** The account recorded at the start (ids as seen inside), or the one asked for. */
function accountFrom(kernel: Kernel, entry: ScopeEntry, run: RunState, wanted: string | undefined): Account {
  if (wanted !== undefined) {
    return accountNamed(kernel, run, wanted);
  }
  const recorded = String(entry.label?.applied?.['user'] ?? '0:0');
  const [, uid, gid, groups = ''] = /^(\d+):(\d+)((?:,\d+)*)$/.exec(recorded) ?? [];
  if (uid === undefined || gid === undefined) {
    throw new TsboxError('TSB2004', `the record of the container's user is damaged: '${recorded}'`);
  }
  return { uid: Number(uid), gid: Number(gid), groups: groups.split(',').slice(1).map(Number) };
}

/** Looked up in the files of its root as it is at this moment. */
function accountNamed(kernel: Kernel, run: RunState, wanted: string): Account {
  const parsed = userSchema.safeParse(wanted);
  if (!parsed.success) {
    throw new TsboxError('TSB2001', `--user '${wanted}' is not USER or USER:GROUP, by name or number`);
  }
  const roots = [`/proc/${run.pid}/root`];
  const account = resolveAccount(parsed.data, kernel.accountFile(roots, 'passwd'), kernel.accountFile(roots, 'group'));
  // Read before this: a pid that was given again in between is noticed.
  const process = kernel.openProcess(run.pid, run.startTime);
  if (process === undefined) {
    throw new TsboxError('TSB2004', 'the container has just ended');
  }
  kernel.close(process);
  if ('missing' in account) {
    throw new TsboxError('TSB2001', `--user '${wanted}': the container has no ${account.missing}`, {
      hint: 'its own /etc/passwd and /etc/group are read; numbers need no entry',
    });
  }
  return account;
}
