/** The lexemes of plain YAML, one at a time, with where they stand. */
import { CST, Lexer } from 'yaml';
import { TOKEN_LIMIT } from './text-rules.ts';

/** The file is not plain: it has to be read by the whole of YAML. */
export class NotPlain extends Error {}

export interface Lexemes {
  /** What stands here; 'end' after the last. */
  kind: CST.TokenType | 'end';
  source: string;
  /** Of its first character. */
  offset: number;
  /** Of the first character of its line. */
  lineStart: number;
  /** Whether it begins a line or has a blank before it. */
  spaced: boolean;
  count: number;
  readonly rest: Iterator<string>;
}

/** @throws NotPlain when the first is no part of plain YAML */
export function openLexemes(text: string): Lexemes {
  const rest = new Lexer().lex(text);
  const lexemes: Lexemes = { kind: 'space', source: '', offset: 0, lineStart: 0, spaced: true, count: 0, rest };
  step(lexemes);
  return lexemes;
}

/** @throws NotPlain at what is no part of plain YAML */
export function notPlain(): never {
  throw new NotPlain();
}

/** Goes on to the next. A plain scalar's mark is not seen: the scalar is. */
export function step(l: Lexemes): void {
  l.offset += l.source.length;
  if (l.kind === 'newline' || (l.kind === 'scalar' && l.source.endsWith('\n'))) {
    l.lineStart = l.offset;
  }
  l.spaced = l.kind === 'space' || l.kind === 'newline';
  const source = next(l);
  if (source === undefined) {
    l.kind = 'end';
    l.source = '';
  } else if (source === CST.SCALAR) {
    l.kind = 'scalar';
    l.source = next(l) ?? '';
  } else {
    l.kind = CST.tokenType(source) ?? notPlain();
    l.source = source;
    if ((l.kind === 'space' && source.includes('\t')) || (l.kind === 'newline' && source !== '\n')) {
      notPlain();
    }
  }
}

/** The mark of a document stands for no text. */
function next(l: Lexemes): string | undefined {
  for (;;) {
    const { value, done } = l.rest.next();
    if (done === true || value !== CST.DOCUMENT) {
      if (++l.count > TOKEN_LIMIT) {
        notPlain();
      }
      return done === true ? undefined : value;
    }
  }
}

/** Whether it is of one of these kinds. */
export function at({ kind }: Lexemes, ...kinds: readonly Lexemes['kind'][]): boolean {
  return kinds.includes(kind);
}

/** Column of the lexeme, from 0. */
export function columnOf(l: Lexemes): number {
  return l.offset - l.lineStart;
}

/** Over blanks, comments and ends of lines. The column of what comes then, -1 at the end. */
export function skipBlank(l: Lexemes): number {
  while (l.kind === 'space' || l.kind === 'newline' || l.kind === 'comment') {
    if (l.kind === 'comment' && !l.spaced) {
      notPlain();
    }
    step(l);
  }
  return l.kind === 'end' ? -1 : columnOf(l);
}

/** Over what may stand between a value and the end of its line, and over that. */
export function endLine(l: Lexemes): void {
  skipSpace(l);
  if (l.kind === 'comment' && l.spaced) {
    step(l);
  }
  if (l.kind === 'newline') {
    step(l);
  } else if (l.kind !== 'end') {
    notPlain();
  }
}

export function skipSpace(l: Lexemes): void {
  if (l.kind === 'space') {
    step(l);
  }
}

export function expect(l: Lexemes, kind: CST.TokenType): void {
  if (l.kind !== kind) {
    notPlain();
  }
  step(l);
}
