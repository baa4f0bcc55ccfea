/** From what differs in a running container's mounts to the edits that end it, without touching its processes. */
import type { MountFlags } from '../../../kernel/init-spec.ts';
import type { Propagation } from '../../../kernel/mount-spec.ts';
import { parseMountInfo, type MountInfo } from '../../../kernel/proc.ts';
import type { AttributeChange } from '../../kind.ts';
import { entriesOf } from '../../attribute.ts';
import { SHM } from './live.ts';
import { isBelow } from './schema.ts';
import { stackAt } from './text.ts';

export type MountEdit =
  /** Take the topmost mount off, if it is still the one with this id. */
  | { readonly do: 'unmount'; readonly target: string; readonly id: number }
  /**
   * Put there what the description has for the target and below it. With an id it takes that mount's place. What is
   * neither declared nor a default stays away.
   */
  | { readonly do: 'make'; readonly target: string; readonly swap: number | null }
  | {
      readonly do: 'remount';
      readonly target: string;
      readonly id: number;
      readonly set: MountFlags;
      readonly clear: MountFlags;
      readonly recursive: boolean;
      readonly propagation?: Propagation;
    }
  | { readonly do: 'reconfigure'; readonly target: string; readonly id: number; readonly options: readonly string[] };

const FLAGS = ['ro', 'nosuid', 'nodev', 'noexec'] as const;

interface Parsed {
  readonly kind: string;
  readonly words: readonly string[];
  readonly name: string;
}

function parse(text: string): Parsed {
  const [kind = '', words = '', ...name] = text.split(' ');
  return { kind, words: words.split(','), name: name.join(' ') };
}

function has(p: Parsed, flag: (typeof FLAGS)[number]): boolean {
  return p.words.includes(flag) || (flag === 'ro' && p.words.includes('ro-top'));
}

/** Words that a mount can be given while it is there. */
const CHANGEABLE = /^(ro|rw|ro-top|nosuid|nodev|noexec|r?(private|slave|shared|unbindable)|size=.*|inodes=.*)$/;

/**
 * Changes that keep the mount; undefined when another has to take its place. `locked`: in a user namespace of its own
 * flags cannot be taken off.
 */
function adjust(target: string, id: number, live: string, wanted: string, locked: boolean): MountEdit[] | undefined {
  const before = parse(live);
  const after = parse(wanted);
  const fixed = (p: Parsed): string =>
    [p.kind, p.name, ...p.words.filter((w) => !CHANGEABLE.test(w)).sort()].join('\0');
  if (fixed(before) !== fixed(after)) {
    return undefined;
  }
  const value = (p: Parsed, key: string): string | undefined =>
    p.words.find((w) => w.startsWith(`${key}=`))?.slice(key.length + 1);
  const options: string[] = [];
  for (const [key, name] of [
    ['size', 'size'],
    ['inodes', 'nr_inodes'],
  ] as const) {
    const now = value(after, key);
    if (value(before, key) === now) {
      continue;
    }
    // The kernel's own default cannot be asked for by a number.
    if (now === undefined) {
      return undefined;
    }
    options.push(`${name}=${now}`);
  }
  const propagationIn = (p: Parsed): string | undefined => p.words.find((w) => /^r?(slave|shared|unbindable)$/.test(w));
  const [old, now] = [propagationIn(before), propagationIn(after)];
  // To follow its source a copy has to be made of it anew; it can be cut off where it is.
  if (old !== now && now !== undefined && !now.endsWith('unbindable')) {
    return undefined;
  }
  if (before.words.includes('ro-top') !== after.words.includes('ro-top')) {
    return undefined;
  }
  const set = Object.fromEntries(FLAGS.filter((f) => has(after, f) && !has(before, f)).map((f) => [f, true]));
  const clear = Object.fromEntries(FLAGS.filter((f) => !has(after, f) && has(before, f)).map((f) => [f, true]));
  if (locked && Object.keys(clear).length > 0) {
    return undefined;
  }
  const propagation = old === now ? undefined : ((now ?? 'rprivate') as Propagation);
  const flags = Object.keys(set).length + Object.keys(clear).length > 0;
  return [
    ...(options.length === 0 ? [] : [{ do: 'reconfigure', target, id, options } as const]),
    ...(!flags && propagation === undefined
      ? []
      : [
          {
            do: 'remount',
            target,
            id,
            set,
            clear,
            recursive: after.kind === 'bind' && !after.words.includes('ro-top'),
            ...(propagation === undefined ? {} : { propagation }),
          } as const,
        ]),
  ];
}

/** Takes off what is stacked on a target until `keep` mounts are left. */
function peel(stack: readonly MountInfo[], keep: number): MountEdit[] {
  return stack
    .slice(keep)
    .reverse()
    .map((m) => ({ do: 'unmount', target: m.target, id: m.id }));
}

/** `defaults`: targets that the root has a mount for without being told. */
function editsFor(
  change: AttributeChange,
  mounts: readonly MountInfo[],
  defaults: ReadonlySet<string>,
  locked: boolean,
): { off: MountEdit[]; on: MountEdit[] } {
  const live = entriesOf(change.before);
  const wanted = entriesOf(change.after);
  const off: MountEdit[] = [];
  const on: MountEdit[] = [];
  for (const target of [...new Set([...Object.keys(live), ...Object.keys(wanted)])].sort()) {
    const [before, after] = [live[target], wanted[target]];
    if (before === after) {
      continue;
    }
    const stack = stackAt(mounts, target);
    const lowest = stack[0];
    if (lowest === undefined) {
      on.push({ do: 'make', target, swap: null });
    } else if (after === undefined && !defaults.has(target)) {
      off.push(...peel(stack, 0));
    } else {
      // Whatever else was stacked there goes first; what is then left is changed or replaced.
      const small =
        stack.length === 1 && before !== undefined && after !== undefined
          ? adjust(target, lowest.id, before, after, locked)
          : undefined;
      off.push(...peel(stack, 1));
      on.push(...(small ?? [{ do: 'make', target, swap: lowest.id } as const]));
    }
  }
  return { off, on };
}

/** Edits for changes of the attributes that are mounts. */
export function mountEdits(
  changes: readonly AttributeChange[],
  mountinfo: string,
  defaults: ReadonlySet<string>,
  locked: boolean,
): MountEdit[] {
  const mounts = parseMountInfo(mountinfo);
  const off: MountEdit[] = [];
  const on: MountEdit[] = [];
  for (const change of changes) {
    if (change.name === 'shm_size') {
      on.push(...shmEdits(change, mounts));
    } else if (change.name === 'mounts' || change.name === 'secrets' || change.name === 'configs') {
      const edits = editsFor(change, mounts, defaults, locked);
      off.push(...edits.off);
      on.push(...edits.on);
    }
  }
  return ordered(off, on);
}

function shmEdits(change: AttributeChange, mounts: readonly MountInfo[]): MountEdit[] {
  const top = stackAt(mounts, SHM).at(-1);
  if (top === undefined) {
    return [{ do: 'make', target: SHM, swap: null }];
  }
  return [{ do: 'reconfigure', target: SHM, id: top.id, options: [`size=${String(change.after)}`] }];
}

/** Off from the deepest, on from the highest; what a mount that is made brings along is not made twice. */
function ordered(off: readonly MountEdit[], on: readonly MountEdit[]): MountEdit[] {
  const depth = (e: MountEdit): number => e.target.split('/').length;
  const made = on.filter((e) => e.do === 'make').map((e) => e.target);
  const inside = (e: MountEdit): boolean => made.some((t) => t !== e.target && isBelow(e.target, t));
  return [
    ...[...off].sort((a, b) => depth(b) - depth(a)),
    ...on.filter((e) => !inside(e)).sort((a, b) => depth(a) - depth(b)),
  ];
}

/** The parts of a recorded line: see mountLines. */
export function partsOf(line: string): { target: string; fstype: string; ro: boolean; idmapped: boolean } {
  const [, target = '', fstype = '', flag = '', idmapped] = /^(.*) (\S+) (ro|rw)( idmapped)?$/.exec(line) ?? [];
  return { target, fstype, ro: flag === 'ro', idmapped: idmapped !== undefined };
}

/** Edits that bring the mounts on these targets back to what was recorded. */
export function foreignEdits(
  targets: ReadonlySet<string>,
  mountinfo: string,
  recorded: readonly string[],
): MountEdit[] {
  const mounts = parseMountInfo(mountinfo);
  const off: MountEdit[] = [];
  const on: MountEdit[] = [];
  for (const target of targets) {
    const wanted = recorded.map(partsOf).filter((p) => p.target === target);
    const stack = stackAt(mounts, target);
    off.push(...peel(stack, wanted.length));
    const [top, last] = [stack[wanted.length - 1], wanted.at(-1)];
    if (last === undefined) {
      continue;
    }
    if (top === undefined) {
      on.push({ do: 'make', target, swap: null });
    } else if (top.fstype !== last.fstype || top.options.includes('idmapped') !== last.idmapped) {
      on.push({ do: 'make', target, swap: top.id });
    } else if (top.options.includes('ro') !== last.ro) {
      const [set, clear] = last.ro ? [{ ro: true }, {}] : [{}, { ro: true }];
      on.push({ do: 'remount', target, id: top.id, set, clear, recursive: false });
    }
  }
  return ordered(off, on);
}
