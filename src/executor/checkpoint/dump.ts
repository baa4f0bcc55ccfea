/** Writing a running container into files. */
import { TsboxError } from '../../errors.ts';
import { checkCriu, criuErrors } from '../../kernel/criu.ts';
import { NAMESPACE_TYPES, type NamespaceType } from '../../kernel/init-spec.ts';
import { runStateText, type RunState } from '../../kernel/run-state.ts';
import { overlayLowers, parseMountInfo } from '../../kernel/proc.ts';
import { freshDirectory, readText, removePath, replaceDirectory, writePrivate } from '../../kernel/private-files.ts';
import { findProgram, runProgram } from '../../kernel/program.ts';
import { compareTrees, isSameFile } from '../../kernel/tree.ts';
import { POLICY_XATTR, RUN_XATTR, type Label } from '../../resources/label.ts';
import type { ScopeEntry } from '../../resources/scope.ts';
import { primaryDirectory, type ExecutionContext } from '../context.ts';
import { isFrozen } from '../control.ts';
import { killAll, membersBelow } from '../steps/cgroup.ts';
import { fileKey, joinedNamespaces, splitMounts, type MountSplit } from './inspect.ts';
import { IMAGES, META_FILE, UPPER_FILE, type CheckpointMeta } from './meta.ts';

export interface DumpOptions {
  readonly directory: string;
  readonly leaveRunning: boolean;
  /** Options of criu that dump and restore have to agree on. */
  readonly criu: readonly string[];
}

/** The path of a criu that works here. @throws TsboxError TSB3020 with what criu check said */
export async function requireCriu(): Promise<string> {
  const criu = await checkCriu();
  if (!criu.works) {
    throw new TsboxError('TSB3020', criu.reason, { hint: criu.remedy });
  }
  return criu.path;
}

/** What is read of the process before anything is stopped. */
interface Subject {
  readonly pid: number;
  readonly run: RunState;
  readonly label: Label;
  readonly mounts: MountSplit | undefined;
  readonly fds: CheckpointMeta['fds'];
  readonly namespaces: CheckpointMeta['namespaces'];
  readonly inodes: ReadonlyMap<NamespaceType, string>;
}

/**
 * Checkpoints a container: its processes stand still from the first step to the last, and then go on or are gone.
 * @throws TsboxError TSB2004, TSB3020; the container then goes on as before
 */
export async function dumpContainer(context: ExecutionContext, entry: ScopeEntry, options: DumpOptions): Promise<void> {
  const criu = await requireCriu();
  const subject = inspect(context, entry);
  const partial = `${options.directory}.partial`;
  freshDirectory(partial);
  // Searchable: within a user namespace criu looks images up without the rights to pass a closed directory.
  freshDirectory(`${partial}/${IMAGES}`, 0o711);
  const stopped = new Set(stoppedMembers(context, entry.path));
  await runDump(criu, subject, options, partial);
  try {
    if (subject.label.applied?.['namespace.time'] === 'host') {
      // Without the clocks' values criu leaves the clocks to the host, as they were, instead of making a namespace.
      removePath(`${partial}/${IMAGES}/timens-0.img`);
    }
    const upper = await saveUpper(context, subject, partial);
    writePrivate(`${partial}/${META_FILE}`, `${JSON.stringify(metaOf(context, subject, options, upper), null, 2)}\n`);
    replaceDirectory(partial, options.directory);
  } catch (error) {
    resume(context, entry.path, stopped);
    throw error;
  }
  if (options.leaveRunning) {
    resume(context, entry.path, stopped);
  } else {
    await end(context, entry.path, subject.run);
  }
}

function inspect(context: ExecutionContext, entry: ScopeEntry): Subject {
  const { kernel } = context;
  const { run, label } = entry;
  const address = label?.address ?? entry.path;
  const [stat] = run === undefined ? [] : kernel.readFiles([`/proc/${run.pid}/stat`]);
  if (run === undefined || run.pid === 0 || typeof stat !== 'string' || !label || !label.applied) {
    throw new TsboxError('TSB2004', `${address} is not running as applied`, { hint: 'tsbox ps shows its state' });
  }
  if (isFrozen(context, entry.path)) {
    throw new TsboxError('TSB2004', `${address} is frozen: criu cannot look into it`, { hint: 'tsbox thaw it first' });
  }
  const { pid } = run;
  const proc = `/proc/${pid}`;
  const [mountinfo, own] = kernel.readFiles([`${proc}/mountinfo`, '/proc/self/mountinfo']).map(String);
  const uses = Object.fromEntries(
    NAMESPACE_TYPES.map((type) => [type, String(label.applied?.[`namespace.${type}`] ?? 'host')]),
  );
  const joined = joinedNamespaces(uses);
  const links = kernel.readLinks(NAMESPACE_TYPES.map((type) => `${proc}/ns/${type}`));
  return {
    pid,
    run,
    label,
    mounts:
      uses['mnt'] === 'host'
        ? undefined
        : splitMounts(mountinfo ?? '', own ?? '', (path, target) => isSameFile(path, `${proc}/root${target}`)),
    fds: heldDescriptors(context, pid, mountinfo ?? ''),
    namespaces: [...joined].map(([type, way]) => ({ type, way })),
    inodes: new Map(NAMESPACE_TYPES.map((type, i) => [type, /\d+/.exec(String(links[i]))?.[0] ?? ''])),
  };
}

/** Descriptors whose other end, or whose file, is the supervisor's and not the container's. */
function heldDescriptors(context: ExecutionContext, pid: number, mountinfo: string): CheckpointMeta['fds'] {
  const { kernel } = context;
  const names = ['stdin', 'stdout', 'stderr'] as const;
  const links = kernel.readLinks(names.map((_, i) => `/proc/${pid}/fd/${i}`));
  const infos = kernel.readFiles(names.map((_, i) => `/proc/${pid}/fdinfo/${i}`));
  const mountIds = new Set(parseMountInfo(mountinfo).map((m) => String(m.id)));
  return names.flatMap((fd, i) => {
    const link = links[i];
    const info = infos[i];
    if (typeof link !== 'string' || typeof info !== 'string') {
      return [];
    }
    if (fd !== 'stdin' && link.startsWith('pipe:[')) {
      return [{ fd, key: link }];
    }
    const foreign = !mountIds.has(/^mnt_id:\s*(\d+)/m.exec(info)?.[1] ?? '');
    const key = link === '/dev/null' && foreign ? fileKey(info) : undefined;
    return key === undefined ? [] : [{ fd, key }];
  });
}

async function runDump(criu: string, subject: Subject, options: DumpOptions, partial: string): Promise<void> {
  const external = [
    ...(subject.mounts?.external ?? []).map((m) => `mnt[${m.target}]:${m.target}`),
    ...subject.fds.filter((f) => f.key.startsWith('file[')).map((f) => f.key),
    ...subject.namespaces
      .filter((n) => n.way === 'external')
      .map((n) => `${n.type}[${subject.inodes.get(n.type)}]:${namespaceKey(n.type)}`),
  ];
  const { code, stderr } = await runProgram(criu, [
    'dump',
    ...['--tree', String(subject.pid), '--images-dir', `${partial}/${IMAGES}`, '-o', 'dump.log', '-v4'],
    '--leave-stopped',
    '--manage-cgroups=none',
    ...external.flatMap((e) => ['--external', e]),
    ...options.criu,
  ]);
  if (code !== 0) {
    const log = `${partial}/${IMAGES}/dump.log`;
    const errors = criuErrors(readText(log) ?? stderr);
    throw new TsboxError('TSB3020', `criu dump: ${errors.join('; ') || stderr.trim() || `exit code ${code}`}`, {
      hint: `all of it is in ${log}`,
      subject: log,
    });
  }
}

/** The name under which dump and restore speak of a namespace. */
export function namespaceKey(type: NamespaceType): string {
  return `tsbox-${type}`;
}

/** Packs what the container wrote into the private layer of its root; null where its root has none. */
async function saveUpper(
  context: ExecutionContext,
  subject: Subject,
  partial: string,
): Promise<CheckpointMeta['upper']> {
  const { mounts, pid } = subject;
  const host = parseMountInfo(String(context.kernel.readFiles(['/proc/self/mountinfo'])[0]));
  if (mounts?.root.fstype !== 'overlay' || host.some((m) => m.device === mounts.root.device)) {
    return null;
  }
  const lowers = overlayLowers(mounts.root);
  const [lower] = lowers;
  if (lower === undefined || lowers.length !== 1) {
    throw new TsboxError('TSB3020', `its root is an overlay of ${lowers.length} directories; one can be checkpointed`);
  }
  const merged = `/proc/${pid}/root`;
  const targets = new Set(mounts.targets);
  const { changed, removed } = compareTrees(lower, merged, targets);
  // Mount points that the start made: only those on the root file system, the others are of a mount that CRIU makes.
  const made = mounts.targets.filter(
    (t) =>
      !mounts.targets.some((other) => t.startsWith(`${other}/`)) &&
      typeof context.kernel.stats([lower + t])[0] !== 'object',
  );
  // A directory that is only passed through keeps its owner and mode by being packed as well.
  const packed = [...new Set([...changed, ...removed, ...made.map((t) => t.slice(1))].flatMap(withParents))].filter(
    (path) => !removed.includes(path) && !targets.has(`/${path}`),
  );
  const tar = findProgram('tar');
  if (tar === undefined) {
    throw new TsboxError('TSB3020', 'tar is not installed, and the files a container wrote are packed with it');
  }
  const { code, stderr } = await runProgram(
    tar,
    [
      ...['--create', '--file', `${partial}/${UPPER_FILE}`, '--directory', merged, '--numeric-owner', '--xattrs'],
      ...['--no-recursion', '--null', '--verbatim-files-from', '--files-from', '-'],
    ],
    packed.map((path) => `./${path}\0`).join(''),
  );
  if (code !== 0) {
    throw new TsboxError('TSB3020', `tar: ${stderr.trim().split('\n')[0] ?? `exit code ${code}`}`);
  }
  return {
    changed: packed,
    removed,
    mountpoints: made.map((t) => ({
      path: t.slice(1),
      directory: /^d/.test(modeText(context, `${merged}${t}`)),
    })),
  };
}

function modeText(context: ExecutionContext, path: string): string {
  const stat = context.kernel.stats([path])[0];
  return typeof stat === 'object' && (stat.mode & 0o170000) === 0o040000 ? 'd' : '-';
}

function withParents(path: string): string[] {
  const parts = path.split('/');
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'));
}

function metaOf(
  context: ExecutionContext,
  subject: Subject,
  options: DumpOptions,
  upper: CheckpointMeta['upper'],
): CheckpointMeta {
  return {
    v: 1,
    stack: context.stackName,
    address: subject.label.address,
    at: new Date().toISOString(),
    kernel: context.kernel.release,
    applied: subject.label.applied ?? {},
    mounts: subject.mounts?.external ?? [],
    fds: subject.fds,
    namespaces: subject.namespaces,
    upper,
    options: options.criu,
  };
}

const SIGCONT = 18;

function stoppedMembers(context: ExecutionContext, path: string): string[] {
  return membersBelow(context, path)
    .filter((m) => {
      const stat = context.kernel.readFiles([`/proc/${m.pid}/stat`])[0];
      return typeof stat === 'string' && /\) T /.test(stat);
    })
    .map((m) => `${m.pid} ${m.startTime}`);
}

/** Lets go on what criu left stopped, but not what was stopped before. */
function resume(context: ExecutionContext, path: string, before: ReadonlySet<string>): void {
  for (const { pid, startTime } of membersBelow(context, path)) {
    const fd = before.has(`${pid} ${startTime}`) ? undefined : context.kernel.openProcess(pid, startTime);
    if (fd !== undefined) {
      context.kernel.signal(fd, SIGCONT);
      context.kernel.close(fd);
    }
  }
}

const SIGHUP = 1;
const SUPERVISOR_END = 10_000;

/** Ends the processes without the supervisor starting them again: it hears of the policy before it hears of the end. */
async function end(context: ExecutionContext, path: string, run: RunState): Promise<void> {
  const { kernel } = context;
  const directory = primaryDirectory(context, path);
  const policy = kernel.getXattrs([directory], POLICY_XATTR)[0];
  const supervisor = run.supervisor === 0 ? undefined : kernel.openProcess(run.supervisor, run.supervisorStartTime);
  if (supervisor !== undefined && typeof policy === 'string') {
    kernel.setXattr(directory, POLICY_XATTR, policy.replace(/^restart=\S+/, 'restart=no'));
    kernel.signal(supervisor, SIGHUP);
  }
  await killAll(context, path);
  if (supervisor !== undefined) {
    if (!(await kernel.waitProcess(supervisor, SUPERVISOR_END))) {
      throw new TsboxError('TSB3008', `the supervisor ${run.supervisor} did not end with its container`);
    }
    kernel.close(supervisor);
  }
  kernel.setXattr(
    directory,
    RUN_XATTR,
    runStateText({
      ...run,
      state: 'stopped',
      pid: 0,
      startTime: '',
      supervisor: 0,
      supervisorStartTime: '',
      exit: -1,
      signal: 0,
      sinceMs: Date.now(),
    }),
  );
  if (typeof policy === 'string') {
    kernel.setXattr(directory, POLICY_XATTR, policy);
  }
}
