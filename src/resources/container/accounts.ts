/** User and group names to numbers, from the container's own passwd and group files (passwd(5), group(5)). */
import type { UserSpec } from './user.ts';

export interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/**
 * Resolves a user spec. A user given without a group gets the one in passwd; a number that passwd does not know gets
 * the group of the same number, not root's.
 * @returns the account, or the name that is not there
 */
export function resolveAccount(spec: UserSpec, passwd: string, group: string): Account | { readonly missing: string } {
  const users = rows(passwd);
  const groups = rows(group);
  const row = users.find((u) => (typeof spec.user === 'number' ? Number(u[2]) === spec.user : u[0] === spec.user));
  const uid = typeof spec.user === 'number' ? spec.user : Number(row?.[2] ?? Number.NaN);
  if (Number.isNaN(uid)) {
    return { missing: `user ${spec.user}` };
  }
  const gidOf = (name: string | number): number =>
    typeof name === 'number' ? name : Number(groups.find((g) => g[0] === name)?.[2] ?? Number.NaN);
  const gid = spec.group === null ? Number(row?.[3] ?? uid) : gidOf(spec.group);
  if (Number.isNaN(gid)) {
    return { missing: `group ${spec.group}` };
  }
  const extra: number[] = [];
  for (const name of spec.groups) {
    const id = gidOf(name);
    if (Number.isNaN(id)) {
      return { missing: `group ${name}` };
    }
    extra.push(id);
  }
  return { uid, gid, groups: extra };
}

function rows(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}
