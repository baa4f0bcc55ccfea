/** Generators and plain models of device rules, written apart from the code under test. */
import fc from 'fast-check';
import type { DeviceAccess, DeviceRule } from '../../src/resources/devices/schema.ts';

export const MAX_MINOR = 0xfffff;
export const ACCESSES: readonly DeviceAccess[] = ['r', 'w', 'm', 'rw', 'rm', 'wm', 'rwm'];
const majors = fc.constantFrom<number | '*'>('*', '*', 0, 1, 2, 5, 4095);
const minors = fc.oneof(
  fc.constantFrom<number | '*'>('*', '*', 0, 1, 2, 3, 255, MAX_MINOR - 1, MAX_MINOR),
  fc.integer({ min: 0, max: 6 }),
);

export const ruleArbitrary: fc.Arbitrary<DeviceRule> = fc
  .record({
    allow: fc.boolean(),
    type: fc.constantFrom('a' as const, 'b' as const, 'c' as const),
    major: majors,
    minor: minors,
    length: fc.constantFrom(0, 0, 0, 1, 4, 300, MAX_MINOR),
    access: fc.constantFrom(...ACCESSES),
  })
  .map(({ length, minor, ...rule }) => {
    const end = minor === '*' || length === 0 ? undefined : Math.min(MAX_MINOR, minor + length);
    return end === undefined || end === minor ? { ...rule, minor } : { ...rule, minor, minorEnd: end };
  });

export const rulesArbitrary = fc.array(ruleArbitrary, { maxLength: 10 });

export interface Point {
  readonly type: 'b' | 'c';
  readonly major: number;
  readonly minor: number;
}

function matches(rule: DeviceRule, p: Point): boolean {
  const minor = rule.minor === '*' || (rule.minor <= p.minor && p.minor <= (rule.minorEnd ?? rule.minor));
  return (rule.type === 'a' || rule.type === p.type) && (rule.major === '*' || rule.major === p.major) && minor;
}

/** The definition: for each bit the last rule that speaks of it, and deny when none does. */
export function modelAllows(rules: readonly DeviceRule[], p: Point, access: DeviceAccess): boolean {
  return [...access].every((bit) => rules.findLast((r) => matches(r, p) && r.access.includes(bit))?.allow ?? false);
}

/** A point in every region that any of the rules can tell apart, and both sides of every edge. */
export function tellingPoints(rules: readonly DeviceRule[]): Point[] {
  const of = (value: number | '*' | undefined): number[] =>
    typeof value === 'number' ? [value - 1, value, value + 1] : [];
  const majorsSeen = new Set([0, 7, 4095, ...rules.flatMap((r) => of(r.major))]);
  const minorsSeen = new Set([0, 77, MAX_MINOR, ...rules.flatMap((r) => [...of(r.minor), ...of(r.minorEnd)])]);
  const inside =
    (max: number) =>
    (n: number): boolean =>
      n >= 0 && n <= max;
  return [...majorsSeen].filter(inside(4095)).flatMap((major) =>
    [...minorsSeen].filter(inside(MAX_MINOR)).flatMap((minor) => [
      { type: 'b' as const, major, minor },
      { type: 'c' as const, major, minor },
    ]),
  );
}

/** The v1 devices controller as security/device_cgroup.c behaves, for a cgroup whose parent allows everything. */
export class V1Kernel {
  allowByDefault: boolean;
  private readonly exceptions = new Map<string, Set<string>>();

  constructor(allowByDefault: boolean) {
    this.allowByDefault = allowByDefault;
  }

  write(file: 'devices.allow' | 'devices.deny', line: string): void {
    const allow = file === 'devices.allow';
    if (line.startsWith('a')) {
      this.exceptions.clear();
      this.allowByDefault = allow;
      return;
    }
    const match = /^([bc] (?:\*|\d+):(?:\*|\d+)) ([rwm]{1,3})$/.exec(line);
    if (!match) throw new Error(`EINVAL: ${line}`);
    const [, key = '', access = ''] = match;
    const set = this.exceptions.get(key) ?? new Set();
    for (const bit of access) {
      if (allow !== this.allowByDefault) set.add(bit);
      else set.delete(bit);
    }
    if (set.size > 0) this.exceptions.set(key, set);
    else this.exceptions.delete(key);
  }

  list(): string {
    if (this.allowByDefault) return 'a *:* rwm\n';
    const bits = (set: Set<string>): string => [...'rwm'].filter((b) => set.has(b)).join('');
    return [...this.exceptions].map(([key, set]) => `${key} ${bits(set)}\n`).join('');
  }

  allows(p: Point, access: DeviceAccess): boolean {
    const keys = [`${p.major}:${p.minor}`, `${p.major}:*`, `*:${p.minor}`, '*:*'].map(
      (numbers) => `${p.type} ${numbers}`,
    );
    const hits = keys.flatMap((key) => this.exceptions.get(key) ?? []);
    if (this.allowByDefault) return !hits.some((set) => [...access].some((bit) => set.has(bit)));
    return hits.some((set) => [...access].every((bit) => set.has(bit)));
  }
}
