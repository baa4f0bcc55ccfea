/** Pure parsers of procfs text. Each names its manual page; none touches the system. */

/** One line of /proc/PID/mountinfo (proc_pid_mountinfo(5)). */
export interface MountInfo {
  readonly id: number;
  readonly parent: number;
  readonly device: string;
  /** Root of the mount within its filesystem. */
  readonly root: string;
  readonly target: string;
  readonly options: readonly string[];
  readonly optional: readonly string[];
  readonly fstype: string;
  readonly source: string;
  readonly superOptions: readonly string[];
}

const OCTAL = /\\([0-7]{3})/g;

function unescape(text: string): string {
  return text.includes('\\') ? text.replace(OCTAL, (_, o: string) => String.fromCharCode(parseInt(o, 8))) : text;
}

/** The last table that was parsed: several look at one container's in turn. */
let lastParsed: { readonly text: string; readonly mounts: readonly MountInfo[] } = { text: '', mounts: [] };

/** Parses mountinfo; malformed lines are skipped, as the format may gain fields. */
export function parseMountInfo(text: string): readonly MountInfo[] {
  if (lastParsed.text !== text) {
    lastParsed = { text, mounts: parseLines(text) };
  }
  return lastParsed.mounts;
}

/** A line without the numbers that each mount namespace has of its own. */
type Rest = Omit<MountInfo, 'id' | 'parent' | 'device'>;

/** What the lines of containers have in common is parsed once: tables of a thousand differ in their numbers alone. */
const rests = new Map<string, Rest | undefined>();
const MOST_RESTS = 10_000;

function parseLines(text: string): MountInfo[] {
  const mounts: MountInfo[] = [];
  for (const line of text.split('\n')) {
    const afterId = line.indexOf(' ');
    const afterParent = line.indexOf(' ', afterId + 1);
    const afterDevice = line.indexOf(' ', afterParent + 1);
    if (afterId < 0 || afterParent < 0 || afterDevice < 0) {
      continue;
    }
    const rest = restOf(line.slice(afterDevice + 1));
    if (rest !== undefined) {
      const { root, target, options, optional, fstype, source, superOptions } = rest;
      mounts.push({
        id: Number(line.slice(0, afterId)),
        parent: Number(line.slice(afterId + 1, afterParent)),
        device: line.slice(afterParent + 1, afterDevice),
        root,
        target,
        options,
        optional,
        fstype,
        source,
        superOptions,
      });
    }
  }
  return mounts;
}

function restOf(text: string): Rest | undefined {
  let rest = rests.get(text);
  if (rest === undefined && !rests.has(text)) {
    rest = parseRest(text);
    if (rests.size >= MOST_RESTS) {
      rests.clear();
    }
    rests.set(text, rest);
  }
  return rest;
}

function parseRest(text: string): Rest | undefined {
  const dash = text.indexOf(' - ');
  const right = text.slice(dash + 3).split(' ');
  const [root, target, options, ...optional] = text.slice(0, Math.max(dash, 0)).split(' ');
  if (dash < 0 || root === undefined || target === undefined || options === undefined) {
    return undefined;
  }
  return {
    root: unescape(root),
    target: unescape(target),
    options: options.split(','),
    optional,
    fstype: right[0] ?? '',
    source: unescape(right[1] ?? ''),
    superOptions: (right[2] ?? '').split(','),
  };
}

/** What a super block option says, as often as it is there; overlayfs escapes in octal what would end one. */
export function superOptions(mount: MountInfo, key: string): string[] {
  return mount.superOptions.flatMap((o) => (o.startsWith(`${key}=`) ? [unescape(o.slice(key.length + 1))] : []));
}

/**
 * Lower directories of an overlay, the topmost first: one 'lowerdir=a:b' in which \: and \\ are escaped, or a 'lowerdir+'
 * each, which is taken as it is (Documentation/filesystems/overlayfs.rst).
 */
export function overlayLowers(mount: MountInfo): string[] {
  const listed = superOptions(mount, 'lowerdir').flatMap((text) => text.match(/(?:\\.|[^:\\])+/g) ?? []);
  return [...listed.map((part) => part.replace(/\\(.)/g, '$1')), ...superOptions(mount, 'lowerdir+')];
}

const PF_EXITING = 0x4;

/** Fields of /proc/PID/stat that identify a process (proc_pid_stat(5)). */
export interface ProcStat {
  readonly pid: number;
  readonly comm: string;
  readonly state: string;
  readonly ppid: number;
  /** PF_EXITING of the flags (include/linux/sched.h): it is on its way out, and has no namespaces any more. */
  readonly exiting: boolean;
  /** Field 22, clock ticks since boot, as text: with the pid and the boot id it identifies a process. */
  readonly startTime: string;
}

/** Parses /proc/PID/stat; the command may itself hold spaces and parentheses, so the last ')' counts. */
export function parseStat(text: string): ProcStat | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) {
    return undefined;
  }
  const rest = text.slice(close + 2).split(' ');
  const startTime = rest[19];
  if (startTime === undefined) {
    return undefined;
  }
  return {
    pid: Number(text.slice(0, open)),
    comm: text.slice(open + 1, close),
    state: rest[0] ?? '?',
    ppid: Number(rest[1]),
    exiting: (Number(rest[6]) & PF_EXITING) !== 0,
    startTime,
  };
}

/** The lines of /proc/PID/status by their key. */
export interface ProcStatus {
  get(key: string): string | undefined;
}

/**
 * 'Key: value' lines of /proc/PID/status (proc_pid_status(5)), each looked up when it is asked for: there are sixty, of
 * which a plan wants ten. A name with a line feed is shown escaped, so no line is a process's own.
 */
export function parseStatus(text: string): ProcStatus {
  return {
    get(key) {
      const isFirst = text.startsWith(`${key}:`);
      const before = isFirst ? -1 : text.indexOf(`\n${key}:`);
      if (before < 0 && !isFirst) {
        return undefined;
      }
      const at = before + 1;
      const end = text.indexOf('\n', at);
      return text.slice(at + key.length + 1, end < 0 ? undefined : end).trim();
    },
  };
}

/** /proc/PID/cgroup (cgroups(7)): path by controller list, '' for the unified hierarchy. */
export function parseProcCgroup(text: string): Map<string, string> {
  const paths = new Map<string, string>();
  for (const line of text.split('\n')) {
    const first = line.indexOf(':');
    const second = line.indexOf(':', first + 1);
    if (second > 0) {
      paths.set(line.slice(first + 1, second), line.slice(second + 1));
    }
  }
  return paths;
}

/** Pids of a cgroup.procs file; the kernel may repeat and does not sort. */
export function parsePids(text: string): number[] {
  const pids = new Set<number>();
  for (const line of text.split('\n')) {
    if (line !== '' && line !== '0') {
      pids.add(Number(line));
    }
  }
  return [...pids].sort((a, b) => a - b);
}

/** Inode of an nsfs link text such as 'net:[4026531840]'. */
export function namespaceInode(link: string): string | undefined {
  const match = /^[a-z_]+:\[(\d+)\]$/.exec(link);
  return match?.[1];
}

/** uid_map or gid_map as 'inside outside count' lines with single spaces (user_namespaces(7)). */
export function normaliseIdMap(text: string): string {
  return text
    .split('\n')
    .map((l) => l.trim().replace(/\s+/g, ' '))
    .filter((l) => l !== '')
    .join('\n');
}

/** A line of uid_map or gid_map: `count` ids from `inside` are those from `outside` (user_namespaces(7)). */
export interface IdMapping {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

/** Parses uid_map or gid_map; a line that is none is skipped. */
export function parseIdMap(text: string): IdMapping[] {
  return text.split('\n').flatMap((line) => {
    const [, inside, outside, count] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s*$/.exec(line) ?? [];
    return count === undefined ? [] : [{ inside: Number(inside), outside: Number(outside), count: Number(count) }];
  });
}

/** The id inside for one outside; undefined where the map has none. */
export function idInside(map: readonly IdMapping[], id: number): number | undefined {
  const range = map.find((r) => id >= r.outside && id < r.outside + r.count);
  return range === undefined ? undefined : id - range.outside + range.inside;
}
