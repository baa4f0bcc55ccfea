/** Containers made from something else: fitted to the language, with a word for everything that has no place in it. */
import { containerSchema } from '../resources/container/schema.ts';

/** Text of the language in which '$' begins no interpolation. */
export function literal(value: unknown): unknown {
  if (typeof value === 'string') {
    return value.replaceAll('$', '$$$$');
  }
  if (Array.isArray(value)) {
    return value.map(literal);
  }
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, literal(v)]))
    : value;
}

/** Takes out what the language refuses, with its reason: what is left is a container it accepts. */
export function fit(
  container: Record<string, unknown>,
  notes: Array<{ readonly field: string; readonly text: string }>,
): void {
  for (let round = 0; round < 100; round++) {
    const { error } = containerSchema.safeParse(container);
    const issue = error?.issues[0];
    if (issue === undefined) {
      return;
    }
    const path = issue.path.map(String);
    const keys = issue.code === 'unrecognized_keys' ? issue.keys.map((k) => [...path, k]) : [path];
    for (const key of keys) {
      const why = issue.code === 'unrecognized_keys' ? 'the stack language has no such key' : issue.message;
      notes.push({ field: `container key ${key.join('.') || '(all)'}`, text: `${why}: left out` });
      if (!removeAt(container, key)) {
        return;
      }
    }
  }
}

/** Removes the value at a path, and with it a list's item as a whole. */
function removeAt(root: Record<string, unknown>, path: readonly string[]): boolean {
  let owner: unknown = root;
  for (const key of path.slice(0, -1)) {
    owner = (owner as Record<string, unknown> | undefined)?.[key];
  }
  const last = path.at(-1);
  if (typeof owner !== 'object' || owner === null || last === undefined) {
    return false;
  }
  if (Array.isArray(owner)) {
    owner.splice(Number(last), 1);
    return true;
  }
  const had = Object.hasOwn(owner, last);
  Reflect.deleteProperty(owner, last);
  return had;
}
