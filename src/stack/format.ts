/** The canonical style of stack files. Comments, anchors and the order within sections stay as they are. */
import { isMap, isScalar, isSeq, parseDocument, visit, type Pair, type Tags, type YAMLMap, type YAMLSeq } from 'yaml';
import { TsboxError } from '../errors.ts';
import { documentValue, parsedYaml } from './yaml-document.ts';

/** Sections in the order in which they are read best; others keep their places after them, x- keys stand first. */
const ORDER =
  'tsbox name include moved removed import variables modules cgroups namespaces devices volumes secrets configs containers'.split(
    ' ',
  );
/** After everything else, which stands after the containers. */
const LAST = ['preconditions', 'checks', 'policies', 'outputs'];
const rank = (pair: Pair): number => {
  const key = isScalar(pair.key) ? String(pair.key.value) : '';
  const at = ORDER.indexOf(key);
  // Anchors have to stand before what refers to them: x- keys go after the name.
  const last = LAST.indexOf(key);
  return key.startsWith('x-') ? 1.5 : last >= 0 ? ORDER.length + 1 + last : at < 0 ? ORDER.length : at;
};

type Collection = YAMLMap | YAMLSeq;

/** Line width up to which `{ a: 1, b: 2 }` stays on one line. */
const WIDTH = 100;

/**
 * The text in canonical style: two blanks of indentation, `{ a: 1 }` and `[a, b]` where the author wrote them so, quotes only
 * where they are needed, one empty line between at most, sections in order. What says nothing but comments stays as it is.
 * @throws TsboxError TSB1002 for what cannot be parsed, TSB9002 when the result would not mean the same
 */
export function formatStack(name: string, text: string): string {
  const { document } = parsedYaml(name, text, { customTags: asWritten });
  const [start, end] = document.contents?.range ?? [0, 0];
  if (start === end) {
    return text;
  }
  const before = JSON.stringify(sorted(documentValue(name, document)));
  visit(document, {
    Map: (_, node) => padded(node, ' '),
    Seq: (_, node) => padded(node, ''),
    Scalar(key, node) {
      // Quotes that change nothing go; text that looks like something else keeps them.
      if (node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE') {
        node.type = key === 'key' ? 'PLAIN' : node.type;
        if (node.type !== 'PLAIN' && typeof node.value === 'string' && /^[A-Za-z0-9_./-]+$/.test(node.value)) {
          node.type = 'PLAIN';
        }
        if (node.type === 'QUOTE_SINGLE' && typeof node.value === 'string' && !/["\\]/.test(node.value)) {
          node.type = 'QUOTE_DOUBLE';
        }
      }
    },
  });
  const { contents } = document;
  if (isMap(contents) && contents.flow !== true && canMove(contents.items)) {
    const items = [...contents.items];
    const moved = items.map((pair, i) => ({ pair, i })).sort((a, b) => rank(a.pair) - rank(b.pair) || a.i - b.i);
    contents.items = moved.map(({ pair }) => pair);
  }
  const result = document.toString({ lineWidth: WIDTH, minContentWidth: 0 });
  const again = parseDocument(result, { merge: false });
  if (again.errors.length > 0 || JSON.stringify(sorted(documentValue(name, again))) !== before) {
    throw new TsboxError('TSB9002', `${name}: formatting it would change what it means: left as it is`);
  }
  return result;
}

/** Numbers and words stay as they are written: 0750 is not 750. */
function asWritten(tags: Tags): Tags {
  return tags.map((tag) =>
    typeof tag === 'object' && tag.collection === undefined && tag.tag !== 'tag:yaml.org,2002:str'
      ? { ...tag, stringify: (item, ...rest) => item.source ?? tag.stringify?.(item, ...rest) ?? String(item.value) }
      : tag,
  );
}

/** `{ a: 1 }` has blanks inside and `[a, b]` has none; the library knows only one for both. */
function padded(node: Collection, padding: '' | ' '): void {
  const text = node.toString.bind(node) as (context?: object, ...rest: (() => void)[]) => string;
  const own = (context?: object, ...rest: (() => void)[]): string =>
    text(context === undefined ? context : { ...context, flowCollectionPadding: padding }, ...rest);
  Object.defineProperty(node, 'toString', { value: own });
}

/** An alias must stay behind its anchor, so a file whose top level uses anchors of other sections keeps its order. */
function canMove(items: readonly Pair[]): boolean {
  return items.every((pair) => isScalar(pair.key)) && !items.some((pair) => hasAlias(pair.value));
}

function hasAlias(node: unknown): boolean {
  if (isMap(node)) {
    return node.items.some((p) => hasAlias(p.value) || hasAlias(p.key));
  }
  return isSeq(node)
    ? node.items.some(hasAlias)
    : typeof node === 'object' && node !== null && 'source' in node && !isScalar(node);
}

/** Keys in one order: what is compared is what the file means. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(sorted);
  }
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(
        Object.entries(value)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([k, v]) => [k, sorted(v)]),
      )
    : value;
}
