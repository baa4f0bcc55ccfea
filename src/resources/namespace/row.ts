/** A namespace type as a row of data: its settings, how they show in /proc, and why it cannot be changed in place. */
import type { NamespaceType } from '../../kernel/init-spec.ts';
import type { UtsNames } from '../../kernel/reader.ts';
import type { Attribute, Value } from '../attribute.ts';
import type { NamespaceSettings } from './schema.ts';

export interface NamespaceRow {
  readonly type: NamespaceType;
  /** Why joining another one means a new process. */
  readonly reason: string;
  /** Attributes of its settings. */
  readonly settings: readonly Attribute[];
  /** Declared values of the settings; only those the stack (or a default of ours) sets. */
  readonly desired: (settings: NamespaceSettings, fallbackHostname: string | null) => Record<string, Value>;
  /** Files below /proc/PID that show the settings, read for `live`. */
  readonly procFiles: readonly string[];
  readonly live: (
    texts: ReadonlyArray<string | undefined>,
    uts: UtsNames | undefined,
  ) => Record<string, Value | undefined>;
  readonly doc: string;
  readonly source: string;
}

/** The rest of a row whose type has no settings. */
export const NO_SETTINGS_ROW = {
  settings: [],
  desired: (): Record<string, Value> => ({}),
  procFiles: [],
  live: (): Record<string, Value> => ({}),
} as const;
