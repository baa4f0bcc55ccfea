/** `extends`: a service over another one, as the Compose specification merges them. */
import { isMap, type Data } from './part.ts';

/** Keys whose lists the one that extends replaces. */
const REPLACED = ['command', 'entrypoint', 'test'];

function merged(base: unknown, over: unknown, key: string): unknown {
  if (isMap(base) && isMap(over)) {
    const result: Data = { ...base };
    for (const [k, value] of Object.entries(over)) {
      result[k] = k in base ? merged(base[k], value, k) : value;
    }
    return result;
  }
  if (Array.isArray(base) && Array.isArray(over) && !REPLACED.includes(key)) {
    return [...new Set([...(base as unknown[]), ...(over as unknown[])])];
  }
  return over ?? base;
}

/** Services of a file by name; undefined for one that cannot be had. */
export type Lookup = (file: string | undefined) => Data | undefined;

/** The service with what it extends; `tell` takes what could not be had. */
export function extended(
  services: Data,
  name: string,
  lookup: Lookup,
  tell: (text: string) => void,
  seen: readonly string[] = [],
): Data | undefined {
  const own = services[name];
  const from = isMap(own) ? own['extends'] : undefined;
  if (!isMap(own) || from === undefined || from === null) {
    return isMap(own) ? own : own === null ? {} : undefined;
  }
  const file = isMap(from) && typeof from['file'] === 'string' ? from['file'] : undefined;
  const base = isMap(from) ? String(from['service']) : String(from);
  const id = `${file ?? ''}:${base}`;
  const rest = Object.fromEntries(Object.entries(own).filter(([k]) => k !== 'extends'));
  const others = file === undefined ? services : lookup(file);
  const found =
    seen.includes(id) || others === undefined ? undefined : extended(others, base, lookup, tell, [...seen, id]);
  if (found === undefined) {
    tell(
      `'${base}'${file === undefined ? '' : ` of ${file}`} ${seen.includes(id) ? 'extends itself' : 'is not there'}`,
    );
    return rest;
  }
  // A base that is kept out of the way by a profile does not take those that extend it with it.
  const inherited = Object.fromEntries(Object.entries(found).filter(([k]) => k !== 'profiles'));
  return merged(inherited, rest, '') as Data;
}
