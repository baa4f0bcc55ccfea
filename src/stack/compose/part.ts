/** Reading a Compose file map by map, so that what nobody asked for is told. */
import type { ComposeFile, Path } from './source.ts';

/** Something of the file that the stack does not do, or does otherwise. */
export interface Note {
  readonly line: number;
  /** 'services.web.ports' */
  readonly key: string;
  readonly text: string;
}

export type Data = Record<string, unknown>;

export function isMap(value: unknown): value is Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : value === undefined || value === null ? [] : [value];
}

export class Part {
  readonly data: Data;
  readonly path: Path;
  readonly file: ComposeFile;
  readonly notes: Note[];
  readonly #taken = new Set<string>();

  constructor(file: ComposeFile, notes: Note[], data: unknown, path: Path) {
    this.file = file;
    this.notes = notes;
    this.data = isMap(data) ? data : {};
    this.path = path;
    if (data !== null && !isMap(data)) {
      this.note('', 'is no map: left out');
    }
  }

  /** The value, null as if it were not there. */
  take(key: string): unknown {
    this.#taken.add(key);
    return this.data[key] ?? undefined;
  }

  /** A map below; undefined where there is none. */
  part(key: string): Part | undefined {
    const value = this.take(key);
    return value === undefined ? undefined : new Part(this.file, this.notes, value, [...this.path, key]);
  }

  /** `at`: a key, a path below this, or '' for the map itself. */
  note(at: string | Path, text: string): void {
    const path = [...this.path, ...(typeof at === 'string' ? (at === '' ? [] : [at]) : at)];
    this.notes.push({ line: this.file.lineOf(path), key: keyText(path), text });
  }

  /** Notes the keys that are there, with one reason. */
  drop(keys: readonly string[], text: string): void {
    for (const key of keys) {
      if (this.take(key) !== undefined) {
        this.note(key, text);
      }
    }
  }

  /** Notes what is left; x- keys are nobody's business. */
  finish(): void {
    for (const key of Object.keys(this.data)) {
      if (!this.#taken.has(key) && !key.startsWith('x-')) {
        this.note(key, 'is not known');
      }
    }
  }
}

function keyText(path: Path): string {
  return path.map((p, i) => (typeof p === 'number' ? `[${p}]` : i === 0 ? p : `.${p}`)).join('');
}
