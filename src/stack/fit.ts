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

/**
 * Takes out what the language refuses, each with its reason: what is left is a container it accepts.
 * @param tell the path of a key, and why it is left out
 * @param read what the language will see of it, where that is something else
 */
export function fit(
  container: Record<string, unknown>,
  tell: (path: string, why: string) => void,
  read: (container: Record<string, unknown>) => unknown = (same) => same,
): void {
  for (let round = 0; round < 100; round++) {
    const issue = containerSchema.safeParse(read(container)).error?.issues[0];
    if (issue === undefined) {
      return;
    }
    const path = issue.path.map(String);
    const keys = issue.code === 'unrecognized_keys' ? issue.keys.map((k) => [...path, k]) : [path];
    for (const key of keys) {
      const why = issue.code === 'unrecognized_keys' ? 'the stack language has no such key' : issue.message;
      tell(key.join('.'), `${why}: left out`);
      if (!removeAt(container, key)) {
        return;
      }
    }
  }
}

/** Removes the value at a path or the nearest above it that is there, and with it a list's item as a whole. */
function removeAt(root: Record<string, unknown>, path: readonly string[]): boolean {
  let owner: unknown = root;
  for (const [index, key] of path.entries()) {
    const inner = (owner as Record<string, unknown>)[key];
    if (index < path.length - 1 && typeof inner === 'object' && inner !== null) {
      owner = inner;
      continue;
    }
    if (Array.isArray(owner)) {
      owner.splice(Number(key), 1);
      return true;
    }
    return Object.hasOwn(owner as object, key) && Reflect.deleteProperty(owner as object, key);
  }
  return false;
}
