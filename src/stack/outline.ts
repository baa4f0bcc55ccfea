/** What a stack file names, without its meaning: enough for completion, of files that are not finished, too. */
import { isMap, isScalar, isSeq, type YAMLMap } from 'yaml';
import type { TsboxError } from '../errors.ts';
import { decode, readBytes, sourceFile } from './source.ts';
import { composeFile } from './syntax.ts';

export interface Outline {
  readonly name: string | undefined;
  readonly addresses: readonly string[];
  readonly variables: readonly string[];
}

const KINDS = { cgroups: 'cgroup', namespaces: 'namespace', volumes: 'volume', containers: 'container' } as const;

/** Replicas listed one by one. */
const LISTED = 32;

/**
 * Reads one file; what it includes, its modules and everything that is interpolated are left out.
 * @throws TsboxError TSB1001, TSB1007 when it cannot be read; a file that cannot be parsed names nothing
 */
export function readOutline(path: string): Outline {
  const problems: TsboxError[] = [];
  const root = composeFile(sourceFile(path, path, '.', decode(readBytes(path, path), path)), problems)?.contents;
  if (!isMap(root)) {
    return { name: undefined, addresses: [], variables: [] };
  }
  const name = root.get('name');
  return {
    name: typeof name === 'string' ? name : undefined,
    addresses: Object.entries(KINDS).flatMap(([section, kind]) =>
      namesIn(root, section, '').map((n) => `${kind}/${n}`),
    ),
    variables: entriesOf(root, 'variables').map(([variable]) => variable),
  };
}

function entriesOf(map: YAMLMap, key: string): [name: string, item: unknown][] {
  const section = map.get(key, true);
  return isMap(section)
    ? section.items.flatMap(({ key: k, value }) => (isScalar(k) ? [[String(k.value), value] as [string, unknown]] : []))
    : [];
}

/** The items of a section and, of cgroups, those below them. */
function namesIn(map: YAMLMap, section: string, parent: string): string[] {
  return entriesOf(map, section).flatMap(([name, item]) => {
    if (!isMap(item)) {
      return [parent + name];
    }
    const names = instancesOf(parent + name, item);
    return [...names, ...names.flatMap((n) => namesIn(item, 'children', `${n}/`))];
  });
}

/** What one item stands for: itself, one for each key of for_each, and its replicas. */
function instancesOf(name: string, item: YAMLMap): string[] {
  const each = item.get('for_each', true);
  if (isMap(each)) {
    return entriesOf(item, 'for_each').map(([key]) => `${name}.${key}`);
  }
  if (isSeq(each)) {
    return each.items.flatMap((key) => (isScalar(key) ? [`${name}.${String(key.value)}`] : []));
  }
  const replicas = item.get('replicas');
  const count = typeof replicas === 'number' ? Math.min(replicas, LISTED) : 0;
  return [name, ...Array.from({ length: count }, (_, i) => `${name}[${i}]`)];
}
