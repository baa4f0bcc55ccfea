/** Reading an OCI config.json field by field, so that what nobody asked for can be told. */
import { TsboxError } from '../../errors.ts';

/** Something of the bundle that the stack does not do, or does otherwise. */
export interface Note {
  /** As the runtime specification writes it: 'process.user.umask', 'mounts[3].options'. */
  readonly field: string;
  readonly text: string;
}

/** Numbers that a double cannot hold come as text. */
const LONG_NUMBER = /"(?:\\.|[^"\\])*"|-?\d{16,}(?![\d.eE])/g;

/** Parses JSON whose numbers may have 64 bits: those of 16 digits and more become strings. */
export function parseWide(text: string): unknown {
  return JSON.parse(text.replace(LONG_NUMBER, (found) => (found.startsWith('"') ? found : `"${found}"`)));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** One object of the file. Every accessor takes its key; finish() tells of the rest. */
export class Fields {
  readonly #value: Record<string, unknown>;
  readonly #taken = new Set<string>();
  readonly path: string;
  readonly notes: Note[];

  constructor(value: unknown, path: string, notes: Note[]) {
    if (!isObject(value)) {
      throw wrong(path === '' ? 'the file' : path, 'an object');
    }
    this.#value = value;
    this.path = path;
    this.notes = notes;
  }

  at(key: string): string {
    return this.path === '' ? key : `${this.path}.${key}`;
  }

  note(key: string, text: string): void {
    this.notes.push({ field: key === '' ? this.path : this.at(key), text });
  }

  keys(): string[] {
    return Object.keys(this.#value);
  }

  has(key: string): boolean {
    return this.#value[key] !== undefined && this.#value[key] !== null;
  }

  take(key: string): unknown {
    this.#taken.add(key);
    return this.#value[key] ?? undefined;
  }

  string(key: string): string | undefined {
    return this.#typed(key, 'text', (v): v is string => typeof v === 'string');
  }

  boolean(key: string): boolean | undefined {
    return this.#typed(key, 'true or false', (v): v is boolean => typeof v === 'boolean');
  }

  number(key: string): number | undefined {
    const value = this.take(key);
    if (value === undefined || typeof value === 'number') {
      return value;
    }
    if (typeof value === 'string' && /^-?\d+$/.test(value)) {
      return Number(value);
    }
    throw wrong(this.at(key), 'a number');
  }

  /** A number exactly, however long. */
  integer(key: string): bigint | undefined {
    const value = this.take(key);
    if (value === undefined) {
      return undefined;
    }
    if (
      (typeof value === 'number' && Number.isInteger(value)) ||
      (typeof value === 'string' && /^-?\d+$/.test(value))
    ) {
      return BigInt(value);
    }
    throw wrong(this.at(key), 'a whole number');
  }

  strings(key: string): string[] | undefined {
    return this.#typed(
      key,
      'a list of texts',
      (v): v is string[] => Array.isArray(v) && v.every((x) => typeof x === 'string'),
    );
  }

  numbers(key: string): number[] | undefined {
    return this.#typed(
      key,
      'a list of numbers',
      (v): v is number[] => Array.isArray(v) && v.every((x) => typeof x === 'number'),
    );
  }

  object(key: string): Fields | undefined {
    const value = this.take(key);
    return value === undefined ? undefined : new Fields(value, this.at(key), this.notes);
  }

  objects(key: string): Fields[] {
    const value = this.take(key) ?? [];
    if (!Array.isArray(value)) {
      throw wrong(this.at(key), 'a list');
    }
    return value.map((v, i) => new Fields(v, `${this.at(key)}[${i}]`, this.notes));
  }

  /** A map of texts, such as sysctl. */
  texts(key: string): Record<string, string> | undefined {
    return this.#typed(
      key,
      'a map of texts',
      (v): v is Record<string, string> => isObject(v) && Object.values(v).every((x) => typeof x === 'string'),
    );
  }

  /** Tells of every key that was not taken. */
  finish(text = 'is no field of the runtime specification that tsbox knows'): void {
    for (const key of this.keys()) {
      if (!this.#taken.has(key)) {
        this.note(key, text);
      }
    }
  }

  #typed<T>(key: string, what: string, is: (value: unknown) => value is T): T | undefined {
    const value = this.take(key);
    if (value === undefined || is(value)) {
      return value;
    }
    throw wrong(this.at(key), what);
  }
}

function wrong(where: string, what: string): TsboxError {
  return new TsboxError('TSB1003', `config.json: ${where} is not ${what}`, {
    hint: 'the runtime specification says what it may be: config.md and config-linux.md',
  });
}
