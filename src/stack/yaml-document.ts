/** YAML that is worked on as a document, outside of the stack language's own reader. */
import {
  LineCounter,
  parseDocument,
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
 * @throws TsboxError TSB1002 at the first place that is no YAML
 */
export function parsedYaml(
  name: string,
  text: string,
  options: ParseOptions & DocumentOptions & SchemaOptions,
): ParsedYaml {
  const counter = new LineCounter();
  const document = parseDocument(text, { ...options, lineCounter: counter, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = counter.linePos(error.pos[0]);
    throw new TsboxError('TSB1002', `this is not YAML: ${error.message}`, {
      at: { file: name, line, column: col, length: 1 },
      sourceLine: text.split('\n')[line - 1],
    });
  }
  return { document, counter };
}
