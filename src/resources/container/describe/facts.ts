/** Everything that /proc tells of one process, read once. */
import { TsboxError } from '../../../errors.ts';
import type { NamespaceType } from '../../../kernel/init-spec.ts';
import {
  idInside,
  parseIdMap,
  parseMountInfo,
  parseProcCgroup,
  parseStat,
  parseStatus,
  type ProcStatus,
} from '../../../kernel/proc.ts';
import type { MountInfo, ProcStat } from '../../../kernel/proc.ts';
import type { KernelReader, Scheduling } from '../../../kernel/reader.ts';
import { namespacesOf, readMembers, type Inodes, type Member } from '../../namespace/members.ts';

/** Something that the stack does not say, or says otherwise. */
export interface Remark {
  readonly field: string;
  readonly text: string;
}

export type Tell = (field: string, text: string) => void;

export interface ProcessFacts {
  readonly pid: number;
  readonly stat: ProcStat;
  readonly status: ProcStatus;
  /** Texts of /proc/PID files; undefined for one that cannot be read. */
  readonly text: (file: ProcFile) => string | undefined;
  /** Where /proc/PID/exe, cwd and root lead, in its own mount namespace. */
  readonly link: (name: 'exe' | 'cwd' | 'root') => string | undefined;
  readonly cgroups: ReadonlyMap<string, string>;
  readonly mounts: readonly MountInfo[];
  /** Ours, which a stack starts from. */
  readonly hostMounts: readonly MountInfo[];
  readonly hostLimits: string;
  /** Label of a security module that tsbox itself has, which what it starts inherits. */
  readonly hostLabel: string;
  readonly namespaces: Inodes;
  readonly hostNamespaces: Inodes;
  readonly members: readonly Member[];
  readonly scheduling: Scheduling | undefined;
}

const FILES = [
  'stat',
  'status',
  'cmdline',
  'environ',
  'cgroup',
  'mountinfo',
  'limits',
  'oom_score_adj',
  'personality',
  'uid_map',
  'gid_map',
  'setgroups',
  'timens_offsets',
  'net/dev',
  'attr/current',
] as const;
export type ProcFile = (typeof FILES)[number];

/** @throws TsboxError TSB2003 when there is no such process, or it has none of what a container has */
export function readProcess(reader: KernelReader, pid: number): ProcessFacts {
  const texts = reader.readFiles([
    ...FILES.map((f) => `/proc/${pid}/${f}`),
    '/proc/self/mountinfo',
    '/proc/self/limits',
    '/proc/self/attr/current',
  ]);
  const at = (i: number): string | undefined => {
    const found = texts[i];
    return typeof found === 'string' ? found : undefined;
  };
  const text = (file: ProcFile): string | undefined => at(FILES.indexOf(file));
  const stat = parseStat(text('stat') ?? '');
  if (stat === undefined) {
    throw new TsboxError('TSB2003', `there is no process ${pid}`);
  }
  const links = reader.readLinks(['exe', 'cwd', 'root'].map((name) => `/proc/${pid}/${name}`));
  const link = (name: 'exe' | 'cwd' | 'root'): string | undefined => {
    const found = links[['exe', 'cwd', 'root'].indexOf(name)];
    return typeof found === 'string' ? found : undefined;
  };
  if (stat.exiting || stat.state === 'Z' || stat.state === 'X') {
    throw new TsboxError('TSB2003', `process ${pid} (${stat.comm}) has ended, and only its exit status is left`);
  }
  if (link('exe') === undefined && (text('cmdline') ?? '') === '') {
    throw new TsboxError('TSB2003', `process ${pid} (${stat.comm}) runs no program: it is a thread of the kernel`);
  }
  const [namespaces = {}, hostNamespaces = {}] = namespacesOf(reader, [pid, 'self']);
  const scheduling = reader.scheduling([pid])[0];
  return {
    pid,
    stat,
    status: parseStatus(text('status') ?? ''),
    text,
    link,
    cgroups: parseProcCgroup(text('cgroup') ?? ''),
    mounts: parseMountInfo(text('mountinfo') ?? ''),
    hostMounts: parseMountInfo(at(FILES.length) ?? ''),
    hostLimits: at(FILES.length + 1) ?? '',
    hostLabel: labelText(at(FILES.length + 2)),
    namespaces,
    hostNamespaces,
    members: readMembers(reader),
    scheduling: typeof scheduling === 'object' ? scheduling : undefined,
  };
}

/** The text of an attr file without its end. */
export function labelText(text: string | undefined): string {
  return (text ?? '').replace(/[\0\n]+$/, '');
}

/** Whether it is in the namespace of the type that tsbox itself is in. */
export function isHosts(facts: ProcessFacts, type: NamespaceType): boolean {
  return facts.namespaces[type] === facts.hostNamespaces[type];
}

/** The id inside for one that /proc shows; undefined where it has none. */
export function insideId(map: string | undefined, id: string): number | undefined {
  return idInside(parseIdMap(map ?? ''), Number(id));
}
