/**
 * The language of device rules: `{ allow: /dev/null rwm }`, `{ deny: "c 10:* w" }`, `{ allow: all }`.
 *
 * A rule set is a list; it starts from "deny everything" and a later rule wins over an earlier one, bit by bit of
 * read, write and mknod.
 */
import * as z from 'zod';

/** Largest numbers a Linux dev_t holds: 12 bits of major, 20 of minor (include/linux/kdev_t.h). */
export const MAX_MAJOR = 0xfff;
export const MAX_MINOR = 0xfffff;

/** A non-empty subset of read, write and mknod, always in this order. */
export type DeviceAccess = 'r' | 'w' | 'm' | 'rw' | 'rm' | 'wm' | 'rwm';

export interface DeviceRule {
  readonly allow: boolean;
  /** Block, character, or (a) both. */
  readonly type: 'a' | 'b' | 'c';
  readonly major: number | '*';
  readonly minor: number | '*';
  /** Last minor of a range that starts at `minor`. */
  readonly minorEnd?: number | undefined;
  readonly access: DeviceAccess;
  /** A /dev path still to be looked up by resolveRules; type, major and minor mean nothing until then. */
  readonly path?: string | undefined;
}

const EXAMPLES = "'/dev/null rwm', 'c 1:5 rw', 'b *:* m' or 'all'";

/** The subset of 'rwm' that the letters of `text` name, or undefined when it is not one. */
export function parseAccess(text: string): DeviceAccess | undefined {
  const letters = new Set(text);
  const ok = /^[rwm]{1,3}$/.test(text) && letters.size === text.length;
  return ok ? ([...'rwm'].filter((l) => letters.has(l)).join('') as DeviceAccess) : undefined;
}

type Numbers = Pick<DeviceRule, 'major' | 'minor' | 'minorEnd'>;

function parseNumbers(text: string): Numbers | string {
  const match = /^(\*|\d{1,9}):(\*|\d{1,9})(?:-(\d{1,9}))?$/.exec(text);
  if (!match || (match[2] === '*' && match[3] !== undefined)) {
    return `expected MAJOR:MINOR such as 1:5, 10:*, *:* or 4:0-63, found '${text}'`;
  }
  const major = match[1] === '*' ? '*' : Number(match[1]);
  const minor = match[2] === '*' ? '*' : Number(match[2]);
  const minorEnd = match[3] === undefined ? undefined : Number(match[3]);
  if (major !== '*' && major > MAX_MAJOR) return `major ${major} is above ${MAX_MAJOR}, the largest there is`;
  const last = minorEnd ?? minor;
  if (last !== '*' && last > MAX_MINOR) return `minor ${last} is above ${MAX_MINOR}, the largest there is`;
  if (minor === '*' || minorEnd === undefined || minorEnd === minor) return { major, minor };
  if (minorEnd < minor) return `the range ${minor}-${minorEnd} is backwards: write ${minorEnd}-${minor}`;
  return { major, minor, minorEnd };
}

/** Parses what follows `allow:` or `deny:`; the answer is a string when it says what is wrong. */
export function parseDeviceRule(allow: boolean, text: string): DeviceRule | string {
  const words = text.trim().split(/\s+/);
  const first = words[0] ?? '';
  const typed = /^[abc]$/.test(first);
  if (words.length > (typed ? 3 : 2)) return `expected ${EXAMPLES}, found '${text}'`;
  const accessText = words[typed ? 2 : 1] ?? 'rwm';
  const access = parseAccess(accessText);
  if (access === undefined) {
    return `expected an access of the letters r (read), w (write) and m (mknod), each once, such as 'rw', found '${accessText}'`;
  }
  if (first === 'all') return { allow, type: 'a', major: '*', minor: '*', access };
  if (typed) {
    const numbers = parseNumbers(words[1] ?? '');
    return typeof numbers === 'string' ? numbers : { allow, type: first as 'a' | 'b' | 'c', ...numbers, access };
  }
  if (!first.startsWith('/')) return `expected ${EXAMPLES}, found '${text}'`;
  const parts = first.split('/').slice(1);
  if (parts[0] !== 'dev' || parts.length < 2 || parts.some((p) => p === '' || p === '.' || p === '..')) {
    return `expected a plain path below /dev such as /dev/fuse, found '${first}'`;
  }
  return { allow, type: 'c', major: 0, minor: 0, access, path: first };
}

/** One item of a rule set. */
export const deviceRuleSchema = z
  .strictObject({ allow: z.string().optional(), deny: z.string().optional() })
  .transform((item, ctx): DeviceRule => {
    const text = item.allow ?? item.deny;
    if (ctx.issues.length > 0) return z.NEVER; // a misspelt key has been reported already
    if (text === undefined || (item.allow !== undefined && item.deny !== undefined)) {
      ctx.addIssue({
        code: 'custom',
        message: `expected exactly one of allow and deny, such as { allow: /dev/null rwm }`,
      });
      return z.NEVER;
    }
    const allow = item.allow !== undefined;
    const rule = parseDeviceRule(allow, text);
    if (typeof rule === 'string') {
      ctx.addIssue({ code: 'custom', message: rule, path: [allow ? 'allow' : 'deny'] });
      return z.NEVER;
    }
    return rule;
  });

/** A rule set: starts from "deny everything"; later rules win. */
export const deviceRulesSchema = z.array(deviceRuleSchema).max(1024, 'at most 1024 device rules in one set');

/** Where rules are used: a list, or the name of a set declared under `devices:`. */
export const deviceUseSchema = z.union([
  z.string().min(1, "expected the name of a set declared under 'devices'"),
  deviceRulesSchema,
]);
export type DeviceUse = z.infer<typeof deviceUseSchema>;
