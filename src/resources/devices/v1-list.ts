/**
 * devices.list of the v1 devices controller (Documentation/admin-guide/cgroup-v1/devices.rst, security/device_cgroup.c).
 *
 * Under "deny by default" the list holds what is allowed: a request passes when one entry has all its bits. Under
 * "allow by default" it reads `a *:* rwm` whatever has been denied on top, so such denials cannot be seen.
 */
import { canonicalLines } from './canonical.ts';
import { parseAccess } from './schema.ts';
import { accessMask, allowedOf, patched, type DeviceSpace } from './space.ts';

export interface V1Entry {
  readonly type: 'b' | 'c';
  readonly major: number | '*';
  readonly minor: number | '*';
  readonly mask: number;
}

export interface V1List {
  /** "allow by default". */
  readonly unrestricted: boolean;
  readonly entries: readonly V1Entry[];
}

/** What the kernel matches entries by. */
export const entryKey = (e: V1Entry): string => `${e.type} ${e.major}:${e.minor}`;

const number = (text: string): number | '*' => (text === '*' ? '*' : Number(text));

/** Parses the file; undefined when a line is not one the kernel prints. */
export function parseDevicesList(text: string): V1List | undefined {
  const entries: V1Entry[] = [];
  let unrestricted = false;
  for (const line of text.split('\n').filter((l) => l.trim() !== '')) {
    const match = /^([abc]) (\*|\d+):(\*|\d+) ([rwm]+)$/.exec(line.trim());
    const access = parseAccess(match?.[4] ?? '');
    if (!match || access === undefined) return undefined;
    const [, type, major = '', minor = ''] = match;
    if (type === 'a') unrestricted = true;
    else
      entries.push({
        type: type === 'b' ? 'b' : 'c',
        major: number(major),
        minor: number(minor),
        mask: accessMask(access),
      });
  }
  return { unrestricted, entries };
}

/** What a list decides. */
export function spaceOfList(list: V1List): DeviceSpace {
  const everything = { type: 'a', major: '*', minor: '*', change: () => allowedOf(7) } as const;
  const each = list.entries.map((e) => ({ ...e, change: (v: number) => v | allowedOf(e.mask) }));
  return patched(list.unrestricted ? [everything] : each);
}

/** devices.list in canonical lines (canonicalRules). A text that is no such list is one line that says so. */
export function canonicalFromList(text: string): string[] {
  const list = parseDevicesList(text);
  return list ? canonicalLines(spaceOfList(list)) : [`unreadable devices.list: ${JSON.stringify(text.slice(0, 80))}`];
}
