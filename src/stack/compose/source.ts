/** A Compose file: its values with aliases and merge keys resolved, and the line each of them stands on. */
import { isAlias, isMap, isNode, isScalar, isSeq, type Document, type Node } from 'yaml';
import { documentValue, parsedYaml } from '../yaml-document.ts';
import { TsboxError } from '../../errors.ts';

export type Path = readonly (string | number)[];

export interface ComposeFile {
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Line of the key or item at a path, or of the nearest above it that the file has. */
  lineOf(path: Path): number;
}

/**
 * Parses one.
 * @throws TsboxError TSB1002 for what is no YAML, TSB1003 for what is no map
 */
export function parseCompose(name: string, text: string): ComposeFile {
  const { document, counter } = parsedYaml(name, text, { merge: true });
  const data = documentValue(name, document);
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    throw new TsboxError('TSB1003', `${name} is no Compose file`, { expected: 'a map with services' });
  }
  return {
    name,
    data: data as Record<string, unknown>,
    lineOf: (path) => counter.linePos(offsetOf(document, path)).line,
  };
}

function offsetOf(document: Document.Parsed, path: Path): number {
  let node: Node | null | undefined = document.contents;
  let offset = node?.range?.[0] ?? 0;
  for (const key of path) {
    const found: { key: Node | null; value: Node | null } | undefined = step(document, node, key, 0);
    if (found === undefined) {
      break;
    }
    offset = (found.key ?? found.value)?.range?.[0] ?? offset;
    node = found.value;
  }
  return offset;
}

function step(
  document: Document.Parsed,
  given: Node | null | undefined,
  key: string | number,
  depth: number,
): { key: Node | null; value: Node | null } | undefined {
  const node = isAlias(given) ? given.resolve(document) : given;
  if (depth > 20) {
    return undefined;
  }
  if (isSeq(node)) {
    const item = node.items[Number(key)];
    return isNode(item) ? { key: null, value: item } : undefined;
  }
  if (!isMap(node)) {
    return undefined;
  }
  const own = node.items.find((p) => isScalar(p.key) && String(p.key.value) === String(key));
  if (own !== undefined) {
    return { key: own.key as Node, value: own.value as Node | null };
  }
  for (const pair of node.items) {
    if (isScalar(pair.key) && pair.key.value === '<<') {
      const from = pair.value as Node;
      for (const source of isSeq(from) ? (from.items as Node[]) : [from]) {
        const found = step(document, source, key, depth + 1);
        if (found !== undefined) {
          return found;
        }
      }
    }
  }
  return undefined;
}
