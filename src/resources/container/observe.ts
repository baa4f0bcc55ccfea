/** The live state of containers: their processes, namespaces and cgroups, read in a few batches. */
import { NAMESPACE_TYPES, type NamespaceType } from '../../kernel/init-spec.ts';
import { parseRunState } from '../../kernel/run-state.ts';
import { namespaceInode, parseMountInfo, parseProcCgroup, parseStatus } from '../../kernel/proc.ts';
import { textOrNone, type KernelReader } from '../../kernel/reader.ts';
import { entriesOf, type Value } from '../attribute.ts';
import { knobCandidates } from '../cgroup/index.ts';
import { observeKnobs, observePresence } from '../cgroup/observe.ts';
import { observeDevices } from '../devices/observe.ts';
import type { Declared, Extra, Observed } from '../kind.ts';
import { HEALTH_XATTR, POLICY_XATTR, RUN_XATTR, type Label } from '../label.ts';
import { recordedLifecycle } from '../lifecycle.ts';
import { observeNetwork, usesNetwork } from '../network/observe.ts';
import { NAMESPACE_ROW } from '../namespace/registry.ts';
import { readSysctls, sysctlKeys } from '../namespace/sysctls.ts';
import { isAlive, readStats } from '../processes.ts';
import { directoryIn, type ScopeEntry, type StackScope } from '../scope.ts';
import { signalName } from '../signals.ts';
import { namespaceLinks, ownedContainers, PROC_FILES, procFiles } from './ahead.ts';
import { PREFIX, policyValues } from './declare.ts';
import { liveHealth } from './health.ts';
import type { Stack } from '../../stack/types.ts';
import { FILE_SECTIONS, liveFiles, type FileSection } from './files.ts';
import { foreignMembers } from './members.ts';
import { effectiveCpus, type EffectiveCpus } from './process/affinity.ts';
import { CONFINE_DEFAULTS, labelFiles, liveConfine } from './process/confine.ts';
import { IDENTITY_DEFAULTS, liveIdentity } from './process/identity.ts';
import { liveSettings } from './process/settings.ts';
import { mountsReading, observeMounts } from './mounts/live.ts';
import { targetInode } from './namespaces.ts';
import { RESTING, restingFact, rests } from './rest.ts';

interface Subject {
  readonly address: string;
  readonly entry: ScopeEntry;
  readonly label: Label;
  readonly declared: Declared | undefined;
  readonly path: string;
  readonly pid: number;
  readonly alive: boolean;
  readonly supervised: boolean;
}

/** Observes every declared or owned container. */
export async function observeContainers(
  reader: KernelReader,
  scope: StackScope,
  declared: readonly Declared[],
  volumes?: Stack['volumes'],
): Promise<Observed[]> {
  const wanted = new Map(declared.map((d) => [d.address, d]));
  const own = ownedContainers(scope);
  const stats = readStats(
    reader,
    own.flatMap(([, e]) => [e.run?.pid ?? 0, e.run?.supervisor ?? 0]),
  );
  const subjects = own.map(([address, entry], i): Subject => ({
    address,
    entry,
    label: entry.label as Label,
    declared: wanted.get(address),
    path: entry.path,
    pid: entry.run?.pid ?? 0,
    alive: (entry.run?.pid ?? 0) > 0 && isAlive(stats[2 * i], entry.run?.startTime ?? ''),
    supervised: (entry.run?.supervisor ?? 0) > 0 && isAlive(stats[2 * i + 1], entry.run?.supervisorStartTime ?? ''),
  }));
  const lives = await observeSubjects(reader, scope, withLastWord(reader, scope, subjects), volumes);
  const absent = declared
    .filter((d) => !scope.byAddress.has(d.address))
    .map((d): Observed => ({
      address: d.address,
      exists: false,
      live: {},
      applied: null,
      extras: [],
      unreadable: [],
      facts: {},
    }));
  return [...lives, ...absent];
}

/** A supervisor that ended after its record was read has written how: that is read again. */
function withLastWord(reader: KernelReader, scope: StackScope, subjects: readonly Subject[]): Subject[] {
  const early = subjects.filter((s) => !s.alive && !s.supervised && s.entry.run !== undefined);
  const primary = reader.layout.primary?.mount ?? '';
  const texts = reader.getXattrs(
    early.map((s) => directoryIn(primary, reader.settings.cgroupRoot, scope.stack, s.path)),
    RUN_XATTR,
  );
  const runs = new Map(early.map((s, i) => [s.address, texts[i]]));
  return subjects.map((s) => {
    const text = runs.get(s.address);
    return typeof text === 'string' ? { ...s, entry: { ...s.entry, run: parseRunState(text) } } : s;
  });
}

/** The subjects with those dead that ended while they were looked at: what was read of them is of no process. */
function stillAlive(reader: KernelReader, subjects: readonly Subject[]): Subject[] {
  const running = subjects.filter((s) => s.alive);
  const stats = readStats(
    reader,
    running.map((s) => s.pid),
  );
  const ended = new Set(running.filter((s, i) => !isAlive(stats[i], s.entry.run?.startTime ?? '')));
  return subjects.map((s) => (ended.has(s) ? { ...s, alive: false } : s));
}

async function observeSubjects(
  reader: KernelReader,
  scope: StackScope,
  found: readonly Subject[],
  volumes: Stack['volumes'] | undefined,
): Promise<Observed[]> {
  const running = found.filter((s) => s.alive);
  const index = new Map(running.map((s, i) => [s.address, i]));
  const pids = running.map((s) => s.pid);
  const utsSubjects = running.filter((s) => ownsUts(s));
  // By a child, while the rest is read here.
  const utsRead = reader.readUts(utsSubjects.map((s) => `/proc/${s.pid}/ns/uts`));
  const procs = reader.readFiles(procFiles(pids));
  const links = reader.readLinks(namespaceLinks(pids));
  const inodes = links.map((l) => (typeof l === 'string' ? namespaceInode(l) : undefined));
  const inodeOf = (i: number | undefined, type: NamespaceType): string | undefined =>
    inodes[((i ?? -1) + 1) * NAMESPACE_TYPES.length + NAMESPACE_TYPES.indexOf(type)];
  const labels = labelFiles(reader, running);
  const scheduling = reader.scheduling(pids);
  const cpus = effectiveCpus(
    reader,
    running.map((s) => directoryIn('', reader.settings.cgroupRoot, scope.stack, s.path)),
  );
  const utsNames = await utsRead;
  const uts = new Map(utsSubjects.map((s, i) => [s.address, utsNames[i]]));

  const tuned = running.flatMap((s) => {
    const keys = sysctlKeys(s.declared?.desired['sysctls'], s.label.applied?.['sysctls']);
    const startTime = s.entry.run?.startTime ?? '';
    const file = (type: NamespaceType) => ({ path: `/proc/${s.pid}/ns/${type}`, startTime });
    return keys.length === 0 ? [] : [{ address: s.address, keys, file }];
  });
  const tunedTo = await readSysctls(reader, tuned);
  const sysctls = new Map(tuned.map((t, i) => [t.address, tunedTo[i]]));

  const subjects = stillAlive(reader, found);
  const reading = mountsReading(reader, scope.stack, volumes);
  const paths = subjects.map((s) => s.path);
  const knobs = observeKnobs(
    reader,
    scope.stack,
    subjects.map((s) => ({ path: s.path, knobs: knobCandidates(s.declared?.desired, s.label.applied) })),
  );
  const presence = observePresence(reader, scope.stack, paths);
  const devices = observeDevices(reader, scope.stack, paths);
  const network = observeNetwork(
    reader,
    scope.stack,
    paths,
    subjects.map((s) => usesNetwork(s.declared?.desired, s.label.applied)),
  );
  const primary = reader.layout.primary?.mount ?? '';
  const directories = paths.map((p) => directoryIn(primary, reader.settings.cgroupRoot, scope.stack, p));
  const policies = reader.getXattrs(directories, POLICY_XATTR);
  const checks = reader.getXattrs(directories, HEALTH_XATTR);

  return subjects.map((s, at): Observed => {
    const i = s.alive ? index.get(s.address) : undefined;
    const resting = s.alive || s.supervised ? {} : restingFact(s.label, s.declared?.desired['restart']);
    const state = rests(resting) ? RESTING : stateOf(s);
    const live: Record<string, Value | undefined> = {
      sysctls: {},
      ...IDENTITY_DEFAULTS,
      ...CONFINE_DEFAULTS,
      ...s.label.applied,
      state,
      supervisor: s.supervised ? 'present' : s.alive ? 'missing' : 'done',
      hierarchies: presence[at]?.hierarchies ?? [],
      devices: devices[at] ?? [],
      ...liveHealth(textOrNone(checks[at]), s.entry.run),
      ...network[at]?.live,
      ...knobs[at],
    };
    const policy = policies[at];
    if (typeof policy === 'string') {
      Object.assign(live, policyValues(policy));
    }
    const extras: Extra[] = [...(network[at]?.extras ?? [])];
    const unreadable: string[] = [...(network[at]?.unreadable ?? [])];
    const facts: Record<string, string> = {
      path: directoryIn('', reader.settings.cgroupRoot, scope.stack, s.path),
      leaf: s.path,
      ...resting,
    };
    if (rests(resting)) {
      live['health'] = 'none';
    }
    if (i !== undefined) {
      facts['pid'] = String(s.pid);
      live['sysctls'] = sysctls.get(s.address) ?? {};
      if (sysctls.has(s.address) && sysctls.get(s.address) === undefined) {
        unreadable.push('sysctls');
      }
      const files = new Map(
        PROC_FILES.map((f, j) => {
          const text = procs[i * PROC_FILES.length + j];
          return [f as string, typeof text === 'string' ? text : undefined];
        }),
      );
      Object.assign(live, processValues(reader, scope, s, files), liveRootMap(files.get('mountinfo')));
      const thread = scheduling[i];
      Object.assign(
        live,
        liveSettings(
          files,
          typeof thread === 'object' ? thread : undefined,
          cpus[i] as EffectiveCpus,
          s.label,
          s.declared?.desired,
        ),
        liveConfine(labels.get(s.pid) ?? new Map(), s.label, typeof thread === 'object' ? thread.core : undefined, () =>
          coreOfSupervisor(reader, s),
        ),
      );
      for (const type of NAMESPACE_TYPES) {
        const inode = inodeOf(i, type);
        if (inode === undefined) {
          unreadable.push(`namespace.${type}`);
          continue;
        }
        live[`namespace.${type}`] = namespaceValue(reader, scope, s, type, inode, inodeOf(undefined, type));
        if (live[`namespace.${type}`] === 'new') {
          const row = NAMESPACE_ROW[type];
          Object.assign(
            live,
            row.live(
              row.procFiles.map((f) => files.get(f)),
              uts.get(s.address),
            ),
          );
        }
      }
      if (ownsUts(s) && uts.get(s.address) === undefined) {
        unreadable.push('hostname', 'domainname');
        Object.assign(live, { hostname: s.label.applied?.['hostname'], domainname: s.label.applied?.['domainname'] });
      }
      // Whose mounts they are sees to them; others only look on.
      if (live['namespace.mnt'] === 'new') {
        const mounts = observeMounts(reading, {
          container: s.address.slice(PREFIX.length),
          path: s.path,
          mountinfo: files.get('mountinfo') ?? '',
          uidMap: files.get('uid_map') ?? '',
          gidMap: files.get('gid_map') ?? '',
          desired: s.declared?.desired,
          applied: s.label.applied,
          recorded: s.label.mounts,
        });
        Object.assign(live, mounts.live, filesOf(reader, s, files));
        extras.push(...mounts.extras);
      }
    }
    extras.push(
      ...foreignMembers(reader, {
        path: s.path,
        members: presence[at]?.members ?? new Map(),
        pid: s.alive ? s.pid : 0,
        supervisor: s.supervised ? (s.entry.run?.supervisor ?? 0) : 0,
        sharesHostPids: live['namespace.pid'] === 'host',
      }),
    );
    return {
      address: s.address,
      exists: true,
      live,
      applied: s.label.applied,
      ...recordedLifecycle(s.label),
      extras,
      unreadable,
      facts,
    };
  });
}

/** The group that a container without one of its own inherited. */
function coreOfSupervisor(reader: KernelReader, s: Subject): string | number | undefined {
  const found = s.supervised ? reader.scheduling([s.entry.run?.supervisor ?? 0])[0] : undefined;
  return typeof found === 'object' ? found.core : undefined;
}

function ownsUts(s: Subject): boolean {
  const use = s.declared?.desired['namespace.uts'] ?? s.label.applied?.['namespace.uts'];
  return use === 'new';
}

/** The state attribute: what the process is, and how the last run ended. */
function stateOf(s: Subject): string {
  const run = s.entry.run;
  if (s.alive) {
    return 'running';
  }
  if (run === undefined) {
    return 'absent';
  }
  if (s.supervised) {
    return run.state === 'backoff' || run.state === 'starting' || run.state === 'running' ? 'restarting' : run.state;
  }
  if (run.state === 'stopped') {
    return run.health === 'unhealthy' ? 'stopped, unhealthy' : 'stopped';
  }
  if (run.state === 'exited' || run.state === 'failed') {
    if (run.signal > 0) {
      return `killed by SIG${signalName(run.signal)}`;
    }
    if (run.exit < 0) {
      return run.exit === -1 ? 'start failed' : 'ended';
    }
    return run.exit === 0 ? 'completed' : `exited ${run.exit}`;
  }
  return 'gone';
}

/** Values from /proc/PID/status and /proc/PID/cgroup. */
function processValues(
  reader: KernelReader,
  scope: StackScope,
  s: Subject,
  files: ReadonlyMap<string, string | undefined>,
): Record<string, Value | undefined> {
  const status = parseStatus(files.get('status') ?? '');
  const placement = parseProcCgroup(files.get('cgroup') ?? '');
  const expected = directoryIn('', reader.settings.cgroupRoot, scope.stack, s.path);
  const inLeaf = reader.layout.hierarchies
    .filter((h) => {
      const path = h.version === 2 ? placement.get('') : placement.get(h.name);
      return path !== undefined && (path === expected || path.startsWith(`${expected}/`));
    })
    .map((h) => h.name);
  return {
    ...(s.entry.run === undefined ? {} : liveIdentity(files, status, s.label, s.entry.run)),
    placement: inLeaf,
  };
}

/** A namespace as the plan writes it: the declared text while it still is that one, else its inode. */
function namespaceValue(
  reader: KernelReader,
  scope: StackScope,
  s: Subject,
  type: NamespaceType,
  inode: string,
  host: string | undefined,
): string {
  const applied = s.label.applied?.[`namespace.${type}`];
  const own = s.label.namespaces?.[type];
  if (applied === 'host' || (applied === undefined && inode === host)) {
    return inode === host ? 'host' : `${type}:[${inode}]`;
  }
  if (applied === 'new' || applied === undefined) {
    // A restart by the supervisor makes the root and the process numbers anew and keeps everything else.
    const renewed = (type === 'mnt' || type === 'pid') && s.label.process?.startTime !== s.entry.run?.startTime;
    if (inode === host) {
      return 'host';
    }
    return inode === own || renewed ? 'new' : `${type}:[${inode}]`;
  }
  const expected =
    typeof applied === 'string' && !isAnotherProcess(reader, s.label, applied, type)
      ? targetInode(reader, scope, applied, type)
      : undefined;
  // When the target is gone the label's own record says what was joined.
  return inode === (expected ?? own) && typeof applied === 'string' ? applied : `${type}:[${inode}]`;
}

/** Whether the number of a `pid:` use belongs to another process than the one whose namespace was joined. */
function isAnotherProcess(reader: KernelReader, label: Label, applied: string, type: NamespaceType): boolean {
  const joined = label.joined?.[type];
  return (
    applied.startsWith('pid:') &&
    joined !== undefined &&
    readStats(reader, [Number(applied.slice(4))])[0]?.startTime !== joined
  );
}

/** Whether the root mount is idmapped. The layers below an overlay are shown nowhere: there the label stands in. */
function liveRootMap(mountinfo: string | undefined): Record<string, Value | undefined> {
  const root = parseMountInfo(mountinfo ?? '').find((m) => m.target === '/');
  if (root === undefined || root.fstype === 'overlay') {
    return {};
  }
  return { rootfs_idmap: root.options.includes('idmapped') ? 'container' : 'none' };
}

/** The secrets and configs that are there. */
function filesOf(
  reader: KernelReader,
  s: Subject,
  files: ReadonlyMap<string, string | undefined>,
): Record<string, Value> {
  const targets = (section: FileSection): string[] =>
    Object.keys({ ...entriesOf(s.label.applied?.[section]), ...entriesOf(s.declared?.desired[section]) });
  const wanted = Object.fromEntries(FILE_SECTIONS.map((section) => [section, targets(section)])) as Record<
    FileSection,
    string[]
  >;
  const maps = { uid: files.get('uid_map') ?? '', gid: files.get('gid_map') ?? '' };
  return liveFiles(reader, s.pid, files.get('mountinfo') ?? '', maps, wanted);
}
