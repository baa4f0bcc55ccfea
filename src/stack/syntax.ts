/**
 * YAML 1.2 text to nodes, within bounds. The lexer and the parser of `yaml` work step by step, so depth and length are
 * checked before anything recursive (which nesting alone can make run out of stack) sees the text.
 */
import { Composer, Lexer, Parser } from 'yaml';
import type { Document, YAMLParseError } from 'yaml';
import { TsboxError } from '../errors.ts';
import type { SourceFile } from './source.ts';
import { located } from './source.ts';
import { DEPTH_LIMIT, TOKEN_LIMIT } from './text-rules.ts';

/** Syntax errors told per file; after the first few the rest follows from them. */
const ERRORS_TOLD = 10;

type CstToken = Parameters<Composer['next']>[0];

/** The document of a file, or null when errors were added to `problems`. */
export function composeFile(file: SourceFile, problems: TsboxError[]): Document.Parsed | null {
  const tokens = boundedTokens(file, problems);
  if (tokens === null) {
    return null;
  }
  const composer = new Composer({
    version: '1.2',
    schema: 'core',
    uniqueKeys: false,
    resolveKnownTags: false,
    prettyErrors: false,
    logLevel: 'silent',
  });
  let document: Document.Parsed | null = null;
  for (const found of composer.compose(tokens, true, file.text.length)) {
    if (document !== null) {
      problems.push(
        new TsboxError('TSB1002', 'a stack file is one YAML document, and here begins another', {
          ...located({ file, start: found.range[0], end: found.range[0] + 3 }),
          expected: 'one document',
          hint: 'put it in a file of its own and give both with -f, or list it under include',
        }),
      );
      return null;
    }
    document = found;
  }
  if (document === null) {
    throw new TsboxError('TSB9002', `no document in '${file.name}'`);
  }
  return syntaxErrors(file, document, problems) ? null : document;
}

/** Tokens of the whole file; null when it is too deep or too long. */
function boundedTokens(file: SourceFile, problems: TsboxError[]): CstToken[] | null {
  const parser = new Parser();
  const tokens: CstToken[] = [];
  let count = 0;
  for (const lexeme of new Lexer().lex(file.text)) {
    for (const token of parser.next(lexeme)) {
      tokens.push(token);
    }
    count++;
    // The parser holds a map and its pending value per level, besides the document.
    const deep = parser.stack.length > 2 * DEPTH_LIMIT + 8;
    if (deep || count > TOKEN_LIMIT) {
      const at = { file, start: Math.max(0, parser.offset - 1), end: parser.offset };
      problems.push(deep ? tooDeep(at) : tooLong(at));
      return null;
    }
  }
  for (const token of parser.end()) {
    tokens.push(token);
  }
  return tokens;
}

export function tooDeep(at: Parameters<typeof located>[0]): TsboxError {
  return new TsboxError('TSB1007', `maps and lists are more than ${DEPTH_LIMIT} levels deep here`, {
    ...located(at),
    expected: `at most ${DEPTH_LIMIT} levels`,
  });
}

function tooLong(at: Parameters<typeof located>[0]): TsboxError {
  return new TsboxError('TSB1007', `the file has more than ${TOKEN_LIMIT} YAML tokens`, {
    ...located(at),
    expected: `at most ${TOKEN_LIMIT} tokens in one file, some 30000 lines`,
    hint: 'split it and list the parts under include',
  });
}

/** One error per line: what follows on the same line follows from it. */
function syntaxErrors(file: SourceFile, document: Document.Parsed, problems: TsboxError[]): boolean {
  const { yaml } = document.directives;
  if (yaml.explicit === true && yaml.version !== '1.2') {
    const start = Math.max(0, file.text.indexOf('%YAML'));
    problems.push(
      new TsboxError('TSB1002', `YAML ${yaml.version} is not read`, {
        ...located({ file, start, end: start + 9 }),
        expected: 'YAML 1.2, which needs no %YAML line',
      }),
    );
    return true;
  }
  const lines = new Set<number>();
  for (const error of document.errors) {
    const place = { file, start: error.pos[0], end: error.pos[1] };
    const where = located(place);
    if (where.at === undefined || lines.has(where.at.line) || lines.size >= ERRORS_TOLD) {
      continue;
    }
    lines.add(where.at.line);
    problems.push(new TsboxError('TSB1002', wording(error), { ...where, ...remedy(error, where.sourceLine ?? '') }));
  }
  return document.errors.length > 0;
}

/** The library's words in our form: lower case, no full stop. */
function wording(error: YAMLParseError): string {
  const known: Partial<Record<string, string>> = {
    TAB_AS_INDENT: 'a tab cannot indent in YAML',
    BLOCK_AS_IMPLICIT_KEY: "a second ': ' on one line begins a map inside a value",
    MULTILINE_IMPLICIT_KEY: "a key is not followed by ':' on its line",
    BAD_SCALAR_START: `a plain value cannot begin with ${error.message.slice(-1)}`,
  };
  const open = /^Flow (sequence|map) in block collection/.exec(error.message);
  if (open !== null) {
    return open[1] === 'map'
      ? 'a map in braces does not end before this'
      : 'a list in brackets does not end before this';
  }
  const text = known[error.code] ?? error.message;
  return text.charAt(0).toLowerCase() + text.slice(1).replace(/\.$/, '');
}

function remedy(error: YAMLParseError, line: string): { expected?: string; hint?: string } {
  switch (error.code) {
    case 'TAB_AS_INDENT':
      return { expected: 'spaces' };
    case 'BLOCK_AS_IMPLICIT_KEY':
      return { hint: 'put the value in quotes, or the inner map on lines of its own' };
    case 'BAD_SCALAR_START':
      return { hint: 'put the value in quotes' };
    case 'BAD_INDENT':
      if (/^Flow (sequence|map)/.test(error.message)) {
        return { expected: `a closing ${error.message.slice(-1)} further up, or this line indented more` };
      }
      return line.includes('\t') ? { hint: 'indent with spaces, not tabs' } : {};
    case 'MULTILINE_IMPLICIT_KEY':
      return { expected: "KEY: VALUE, with a space after the ':'" };
    case 'MISSING_CHAR':
      return /^Implicit map keys/.test(error.message) ? { expected: "KEY: VALUE, with a space after the ':'" } : {};
    default:
      return {};
  }
}
