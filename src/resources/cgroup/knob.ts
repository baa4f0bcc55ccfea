/**
 * A knob: one setting of a cgroup controller, as a row of data. The kind derives schema, observation, diff and writes.
 */
import type { z } from 'zod';
import type { Unit } from '../attribute.ts';

/** A canonical value: one text, or one text per key where the kernel keeps a line per device, page size or resource. */
export type KnobValue = string | Readonly<Record<string, string>>;

export interface FileWrite {
  /** File name within the cgroup directory. */
  readonly file: string;
  readonly data: string;
}

/** Values of the cgroup's other knobs, for those that share a file: memory+swap of v1. */
export type KnobValues = Readonly<Record<string, unknown>>;

/** How one cgroup version holds a knob. */
export interface KnobFiles {
  /** The files read, in the order given to parse; of a keyed knob they may depend on the keys that are managed. */
  readonly files: readonly string[] | ((keys: readonly string[]) => readonly string[]);
  /**
   * Canonical value of the files' texts, undefined when they do not make sense. An absent file is given as undefined.
   */
  readonly parse: (texts: ReadonlyArray<string | undefined>, keys: readonly string[]) => KnobValue | undefined;
  /** Writes that make the kernel hold the canonical value; in a keyed knob only the given keys are touched. */
  readonly format: (value: KnobValue, others: KnobValues) => readonly FileWrite[];
  /**
   * The canonical text the kernel shows after `value` was written; where it rounds, differs from `value`. A live value
   * that equals normalise(declared) is the declared one. Defaults to identity; per key in a keyed knob.
   */
  readonly normalise?: (value: string, key?: string) => string;
  /** First kernel that has the file, '5.14'. */
  readonly since?: string;
  /**
   * The kernel's configuration decides whether the file is there, so it is looked for before anything is promised: in
   * the cgroups that exist, or by this function of the kernel that serves it ('' when none is known).
   */
  readonly conditional?: string;
}

export interface Knob {
  /** The v2 file's name, which is also the attribute's: 'memory.max'. What only v1 has is named in the same manner. */
  readonly name: string;
  /** The v2 controller's name. */
  readonly controller: string;
  /** The controller's name on v1 where it differs. */
  readonly v1Controller?: string;
  /** Where it stands in the stack language: ['memory', 'max']; ['io'] for one that a section gathers. */
  readonly yaml: readonly [string, ...string[]];
  /** Accepts the stack's form and yields the canonical value; absent where a section does that. */
  readonly schema?: z.ZodType<string>;
  /** The kernel's value when nobody wrote one; {} in a keyed knob. */
  readonly default: KnobValue;
  /** Keyed knobs: what is written to give one key back to the kernel. */
  readonly keyDefault?: (key: string) => string;
  readonly unit: Unit;
  readonly v2: KnobFiles | undefined;
  readonly v1: KnobFiles | undefined;
  /** Other files that hold the same on kernels without the first ones. */
  readonly v2Else?: KnobFiles;
  readonly v1Else?: KnobFiles;
  /** Core files exist without a controller being enabled in the parent. */
  readonly core?: boolean;
  /** Keys name block devices: a /dev path is resolved to MAJ:MIN, a partition to its disk. */
  readonly keys?: 'device';
  /** What is in use now, and what becomes of it when the limit is set below. */
  readonly use?: { readonly v2: string; readonly v1?: string; readonly effect: string };
  /** How ancestors bound it: the least of all (min), the intersection (subset), or not at all. */
  readonly bound?: 'min' | 'subset';
  readonly doc: string;
  readonly source: string;
}

/** A section of the language whose shape is not one field per knob. */
export interface KnobSection {
  readonly key: string;
  readonly schema: z.ZodType<unknown>;
  /** Canonical knob values of what the schema made. */
  readonly collect: (parsed: unknown) => Readonly<Record<string, KnobValue>>;
}

/** A knob kept in one file whose text is already canonical. */
export function plainFile(file: string, more: Pick<KnobFiles, 'since' | 'conditional'> = {}): KnobFiles {
  return {
    files: [file],
    parse: ([text]) => text?.trim(),
    format: (value) => [{ file, data: textOf(value) }],
    ...more,
  };
}

/** The text of an unkeyed value. */
export function textOf(value: KnobValue): string {
  return typeof value === 'string' ? value : '';
}

/** The entries of a keyed value. */
export function entriesOf(value: KnobValue): Array<[string, string]> {
  return typeof value === 'string' ? [] : Object.entries(value);
}
