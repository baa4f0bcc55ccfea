/** Whether a live value lets more through than the declared one, or less. */
import { isList, type Attribute, type Value } from '../../resources/attribute.ts';
import { canonicalLines } from '../../resources/devices/canonical.ts';
import { parseDeviceRule, type DeviceRule } from '../../resources/devices/schema.ts';
import { intersect, spaceOf, type DeviceSpace } from '../../resources/devices/space.ts';
import type { Direction } from './model.ts';

/** Limits: more is looser. A key of a map that is not there has no limit. */
const LIMITS =
  /^(cgroup\.max\..*|cpu\.max|cpu\.max\.burst|cpu\.uclamp\.max|memory\.(high|max|swap\.(high|max)|zswap\.max)|io\.max|pids\.max|hugetlb\..*|rdma\.max|misc\.max|dmem\.max|bandwidth\..*|rlimits|shm_size)$/;
/** Sets of privileges: one more is looser. */
const PRIVILEGES = /^(capabilities(\..*)?|cpuset\.(cpus|mems)(\.exclusive)?)$/;
/** Sets of restrictions: one less is looser. */
const RESTRICTIONS = /^(masked_paths|readonly_paths)$/;

export function directionOf(
  name: string,
  attribute: Attribute | undefined,
  declared: Value | undefined,
  live: Value | undefined,
): Direction {
  if (live === undefined) {
    return 'gone';
  }
  if (name === 'devices') {
    return devices(declared, live);
  }
  if (name === 'no_new_privs') {
    return /^(0|false|no|off)$/.test(String(live)) ? 'loosened' : 'tightened';
  }
  if (name === 'mounts') {
    return mounts(declared, live);
  }
  if (name === 'mode') {
    return octal(live) & ~octal(declared) ? 'loosened' : 'tightened';
  }
  if (LIMITS.test(name)) {
    return limit(name, declared ?? attribute?.default, live);
  }
  if (PRIVILEGES.test(name)) {
    return members(setOf(declared), setOf(live));
  }
  if (RESTRICTIONS.test(name)) {
    return members(setOf(live), setOf(declared));
  }
  return 'changed';
}

function octal(value: Value | undefined): number {
  return typeof value === 'string' && /^[0-7]{1,5}$/.test(value) ? parseInt(value, 8) : 0;
}

/** Loosened where `live` has a member that `declared` has not. */
function members(declared: ReadonlySet<string>, live: ReadonlySet<string>): Direction {
  return [...live].some((m) => !declared.has(m)) ? 'loosened' : 'tightened';
}

/** Members of a list, or of a kernel list such as 0-3,8. */
function setOf(value: Value | undefined): Set<string> {
  if (value === undefined || value === '') {
    return new Set();
  }
  if (typeof value !== 'string') {
    return new Set(isList(value) ? value : Object.entries(value).map(([k, v]) => `${k}=${v}`));
  }
  return new Set(
    value.split(/[,\s]+/).flatMap((part) => {
      const range = /^(\d{1,6})-(\d{1,6})$/.exec(part);
      const [from, to] = [Number(range?.[1]), Number(range?.[2])];
      return range === null || to - from > 65_536
        ? [part]
        : Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => String(from + i));
    }),
  );
}

function limit(name: string, declared: Value | undefined, live: Value): Direction {
  const [before, after] = [entries(declared), entries(live)];
  let [looser, tighter] = [false, false];
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const [x, y] = [amounts(name, before.get(key)), amounts(name, after.get(key))];
    for (const part of new Set([...x.keys(), ...y.keys()])) {
      const [a, b] = [x.get(part) ?? Infinity, y.get(part) ?? Infinity];
      looser ||= b > a;
      tighter ||= b < a;
    }
  }
  // With both, what was let through counts.
  return looser ? 'loosened' : tighter ? 'tightened' : 'changed';
}

function entries(value: Value | undefined): Map<string, string> {
  if (value === undefined || typeof value === 'string') {
    return new Map(value === undefined ? [] : [['', value]]);
  }
  return new Map(isList(value) ? value.map((v) => [v, v]) : Object.entries(value));
}

const NO_LIMIT = /^(max|none|unlimited|infinity)$/;

/** Amounts of one limit by part: '' for a plain one, 'rbps' and the like, or the place in a row. */
function amounts(name: string, text: string | undefined): Map<string, number> {
  const words = (text ?? 'max').split(/[\s,:]+/);
  const number = (word: string): number => (NO_LIMIT.test(word) ? Infinity : Number.parseFloat(word));
  if (name === 'cpu.max') {
    return new Map([['', number(words[0] ?? 'max') / number(words[1] ?? '100000')]]);
  }
  return new Map(
    words.map((word, i) => {
      const at = word.indexOf('=');
      return at < 0 ? [String(i), number(word)] : [word.slice(0, at), number(word.slice(at + 1))];
    }),
  );
}

/** A mount more, or one that may be written now. */
function mounts(declared: Value | undefined, live: Value): Direction {
  const [before, after] = [entries(declared), entries(live)];
  const loosened = [...after].some(([target, text]) => before.get(target) !== text);
  return loosened ? 'loosened' : 'tightened';
}

function devices(declared: Value | undefined, live: Value): Direction {
  const [before, after] = [spaceIn(declared), spaceIn(live)];
  if (before === undefined || after === undefined) {
    // A program that cannot be read back may allow anything.
    return 'loosened';
  }
  const both = canonicalLines(intersect(before, after));
  return both.join('\n') === canonicalLines(after).join('\n') ? 'tightened' : 'loosened';
}

/** What canonical rules allow; undefined for what is none. */
function spaceIn(value: Value | undefined): DeviceSpace | undefined {
  if (value === undefined || !isList(value)) {
    return undefined;
  }
  const lines = value.filter((line) => !line.startsWith('v1: '));
  const rules = lines.map((line): DeviceRule | string => {
    const match = /^(allow|deny) (.*)$/.exec(line);
    return match === null ? line : parseDeviceRule(match[1] === 'allow', match[2] ?? '');
  });
  return rules.every((r): r is DeviceRule => typeof r !== 'string') ? spaceOf(rules) : undefined;
}
