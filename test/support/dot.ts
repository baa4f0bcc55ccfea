/** Reads graphviz's language by its grammar (graphviz.org/doc/info/lang.html), as much of it as a digraph of ours may have. */

export interface DotGraph {
  readonly name: string;
  readonly nodes: readonly string[];
  readonly edges: readonly (readonly [from: string, to: string])[];
  readonly clusters: readonly string[];
  /** Values of every label attribute, escapes as they stand. */
  readonly labels: readonly string[];
}

/** A double-quoted string (only \" is an escape of the language itself), a name, a number, or a mark. */
const TOKEN = /\s*(?:"((?:[^"\\]|\\[^])*)"|([A-Za-z_][A-Za-z0-9_]*|-?\d+(?:\.\d+)?)|(->|[{}[\];,=]))/y;

interface Token {
  readonly kind: 'id' | 'mark';
  readonly text: string;
  readonly quoted: boolean;
}

const KEYWORDS = ['graph', 'node', 'edge', 'subgraph'];

function tokens(text: string): Token[] {
  const found: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; text.slice(at).trim() !== ''; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) {
      throw new Error(`no token at: ${text.slice(at, at + 60)}`);
    }
    const id = match[1]?.replaceAll('\\"', '"') ?? match[2];
    found.push(
      id === undefined
        ? { kind: 'mark', text: match[3] ?? '', quoted: false }
        : { kind: 'id', text: id, quoted: match[1] !== undefined },
    );
  }
  return found;
}

/** @throws Error where the text is not of the language */
export function parseDot(text: string): DotGraph {
  const list = tokens(text);
  let at = 0;
  const nodes: string[] = [];
  const edges: Array<readonly [string, string]> = [];
  const clusters: string[] = [];
  const labels: string[] = [];
  const isMark = (mark: string): boolean => list[at]?.kind === 'mark' && list[at]?.text === mark;
  const id = (): string => {
    const token = list[at++];
    if (token?.kind !== 'id') {
      throw new Error(`an id was expected, not '${token?.text ?? 'the end'}'`);
    }
    return token.text;
  };
  const mark = (wanted: string): void => {
    const token = list[at++];
    if (token?.kind !== 'mark' || token.text !== wanted) {
      throw new Error(`'${wanted}' was expected, not '${token?.text ?? 'the end'}'`);
    }
  };
  const assigned = (name: string): void => {
    mark('=');
    const value = id();
    if (name === 'label') {
      labels.push(value);
    }
  };
  const attributes = (): void => {
    mark('[');
    while (!isMark(']')) {
      assigned(id());
      if (isMark(',') || isMark(';')) {
        at++;
      }
    }
    mark(']');
  };
  const block = (): void => {
    mark('{');
    while (!isMark('}')) {
      const keyword = list[at]?.quoted === false && KEYWORDS.includes(list[at]?.text ?? '');
      const first = id();
      if (keyword && first === 'subgraph') {
        clusters.push(id());
        block();
      } else if (isMark('=')) {
        assigned(first);
      } else if (isMark('->')) {
        at++;
        edges.push([first, id()]);
        attributes();
      } else {
        attributes();
        if (!keyword) {
          nodes.push(first);
        }
      }
      if (isMark(';')) {
        at++;
      }
    }
    mark('}');
  };
  const word = id();
  if (word !== 'digraph') {
    throw new Error(`a digraph was expected, not ${word}`);
  }
  const name = id();
  block();
  if (at !== list.length) {
    throw new Error(`more after the graph: ${list[at]?.text}`);
  }
  return { name, nodes, edges, clusters, labels };
}
