/** YAML that is worked on as a document, outside of the stack language's own reader. */
import {
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type ParseOptions,
  type DocumentOptions,
  type SchemaOptions,
} from 'yaml';
import { TsboxError } from '../errors.ts';

export interface ParsedYaml {
  readonly document: Document.Parsed;
  readonly counter: LineCounter;
}

/**
 * Parses one.
 * @throws TsboxError TSB1002 at the first place that is no YAML, or is an alias that stands inside its own value
 */
export function parsedYaml(
  name: string,
  text: string,
  options: ParseOptions & DocumentOptions & SchemaOptions,
): ParsedYaml {
  const counter = new LineCounter();
  const document = parseDocument(text, { ...options, lineCounter: counter, prettyErrors: false });
  const wrong = (message: string, offset: number, length: number): TsboxError => {
    const { line, col } = counter.linePos(offset);
    return new TsboxError('TSB1002', message, {
      at: { file: name, line, column: col, length },
      sourceLine: text.split('\n')[line - 1],
    });
  };
  const [error] = document.errors;
  if (error !== undefined) {
    const { code, message } = error;
    const why = code === 'MULTIPLE_DOCS' ? 'a second document begins, where a file has one' : message;
    throw wrong(`this is not YAML: ${why}`, error.pos[0], 1);
  }
  visit(document, {
    Alias(_, alias, path) {
      const target = alias.resolve(document);
      if (target !== undefined && path.includes(target)) {
        const message = `the alias *${alias.source} stands inside what it stands for`;
        throw wrong(message, alias.range?.[0] ?? 0, alias.source.length + 1);
      }
    },
  });
  return { document, counter };
}

/** Values of aliases that are followed in one document. */
const ALIASES = 1000;

/**
 * What a document says, its aliases followed.
 * @throws TsboxError TSB1002 where they stand for more than anybody writes
 */
export function documentValue(name: string, document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIASES });
  } catch (cause) {
    throw new TsboxError('TSB1002', `${name}: its aliases stand for too much: ${(cause as Error).message}`, { cause });
  }
}
