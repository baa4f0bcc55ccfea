/** Compose's variables and command lines in the words of the stack language. */
import { closing } from '../interpolate.ts';
import type { Part } from './part.ts';
import type { Path } from './source.ts';

const OPERATORS = /^([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?+])([\s\S]*))?$/;

/** What stands for $NAME and ${…}; text as it is between. */
type Piece = { readonly text: string } | { readonly name: string; readonly operator: string; readonly rest: string };

/** Texts of one conversion: which variables it mentions. */
export class Texts {
  /** Variables of the environment by name. */
  readonly variables = new Set<string>();

  /** A value in the stack language, with its variables; numbers and booleans as they are written. */
  text(value: unknown, part: Part, at: string | Path): string {
    const told = (text: string): void => part.note(at, text);
    if (isNested(value)) {
      told('is no text: left empty');
    }
    return this.#written(plain(value), told);
  }

  /** A value that has to be known here: variables are filled in by their defaults, which is told. */
  fixed(value: unknown, part: Part, at: string | Path): string {
    if (isNested(value)) {
      part.note(at, 'is no text: left empty');
    }
    const given = plain(value);
    const result = defaults(given);
    if (pieces(given).some((p) => 'name' in p)) {
      part.note(at, `the variables of '${given}' are not carried over: written as '${result}'`);
    }
    return result;
  }

  /** Text that means itself. */
  literal(text: string): string {
    return text.replaceAll('$', '$$$$');
  }

  #written(given: string, told: (text: string) => void): string {
    return pieces(given)
      .map((piece) => {
        if ('text' in piece) {
          return piece.text.replaceAll('$', '$$$$');
        }
        const { name, operator, rest } = piece;
        if (operator.endsWith('+')) {
          told(`'\${${name}${operator}${rest}}' has no counterpart: taken as not set`);
          return '';
        }
        this.variables.add(name);
        if (operator === '-' || operator === '?') {
          told(`'\${${name}${operator}…}' minds an empty value too in a stack`);
        }
        const inner = operator === '' ? '' : `:${operator.slice(-1)}${this.#written(rest, told)}`;
        return `\${${name}${inner}}`;
      })
      .join('');
  }
}

/** A scalar as it is written; a map or a list is no text and none stands for it. */
export function plain(value: unknown): string {
  return typeof value === 'string'
    ? value
    : value === undefined || value === null || isNested(value)
      ? ''
      : String(value);
}

function isNested(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

/** With variables that are not set: their defaults, or nothing. */
export function defaults(given: string): string {
  return pieces(given)
    .map((p) => ('text' in p ? p.text : p.operator.endsWith('-') ? defaults(p.rest) : ''))
    .join('');
}

function pieces(given: string): Piece[] {
  const found: Piece[] = [];
  let text = '';
  let at = 0;
  const push = (piece: Piece): void => {
    if (text !== '') {
      found.push({ text });
      text = '';
    }
    found.push(piece);
  };
  while (at < given.length) {
    const rest = given.slice(at);
    const name = /^\$([A-Za-z_][A-Za-z0-9_]*)/.exec(rest);
    if (rest.startsWith('$$')) {
      text += '$';
      at += 2;
    } else if (name !== null) {
      push({ name: name[1] ?? '', operator: '', rest: '' });
      at += name[0].length;
    } else if (rest.startsWith('${')) {
      const end = closing(given, at + 2);
      const match = end < 0 ? null : OPERATORS.exec(given.slice(at + 2, end));
      if (match === null) {
        text += '$';
        at += 1;
      } else {
        push({ name: match[1] ?? '', operator: match[2] ?? '', rest: match[3] ?? '' });
        at = end + 1;
      }
    } else {
      text += given[at] ?? '';
      at += 1;
    }
  }
  if (text !== '') {
    found.push({ text });
  }
  return found;
}

/** A command line in words, as a shell would part it without expanding anything; a variable stays in one word. */
export function words(line: string): string[] {
  const found: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let i = 0; i < line.length; i++) {
    const c = line[i] ?? '';
    if (quote === '' && line.startsWith('${', i)) {
      const end = closing(line, i + 2);
      if (end > 0) {
        word = (word ?? '') + line.slice(i, end + 1);
        i = end;
        continue;
      }
    }
    if (c === quote) {
      quote = '';
    } else if (c === '\\' && quote !== "'" && i + 1 < line.length) {
      const next = line[++i] ?? '';
      word = (word ?? '') + (quote === '"' && !'"\\$`'.includes(next) ? `\\${next}` : next);
    } else if (quote === '' && (c === '"' || c === "'")) {
      quote = c;
      word ??= '';
    } else if (quote === '' && /\s/.test(c)) {
      if (word !== undefined) {
        found.push(word);
        word = undefined;
      }
    } else {
      word = (word ?? '') + c;
    }
  }
  return word === undefined ? found : [...found, word];
}
