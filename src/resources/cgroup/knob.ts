/**
 * A knob: one setting of a cgroup controller, as a row of data. The kind derives schema, observation, diff and writes.
 */
import type { z } from 'zod';
import type { Unit } from '../attribute.ts';

export interface FileWrite {
  /** File name within the cgroup directory. */
  readonly file: string;
  readonly data: string;
}

/** How one cgroup version holds a knob. */
export interface KnobFiles {
  /** The files read, in the order given to parse. */
  readonly files: readonly string[];
  /**
   * Canonical value of the files' texts, undefined when they do not make sense. An absent file is given as undefined.
   */
  readonly parse: (texts: ReadonlyArray<string | undefined>) => string | undefined;
  /** Writes that make the kernel hold the canonical value. Their order is kept. */
  readonly format: (value: string) => readonly FileWrite[];
  /**
   * The canonical text the kernel shows after `value` was written; where it rounds, differs from `value`. A live value
   * that equals normalise(declared) is the declared one. Defaults to identity.
   */
  readonly normalise?: (value: string) => string;
}

export interface Knob {
  /** The v2 file's name, which is also the attribute's: 'memory.max'. */
  readonly name: string;
  readonly controller: string;
  /** Where it stands in the stack language: ['memory', 'max']. */
  readonly yaml: readonly [string, ...string[]];
  /** Accepts the stack's form and yields the canonical value. */
  readonly schema: z.ZodType<string>;
  /** The kernel's value when nobody wrote one. */
  readonly default: string;
  readonly unit: Unit;
  readonly v2: KnobFiles | undefined;
  readonly v1: KnobFiles | undefined;
  /** Core files exist without a controller being enabled in the parent. */
  readonly core?: boolean;
  readonly doc: string;
  readonly source: string;
}

/** A knob kept in one file whose text is already canonical. */
export function plainFile(file: string): KnobFiles {
  return {
    files: [file],
    parse: ([text]) => text?.trim(),
    format: (value) => [{ file, data: value }],
  };
}
