/** The contract of a resource kind, and the nouns of the pipeline: declared, observed, change, step. */
import type { SourceSpan, TsboxError } from '../errors.ts';
import type { KernelReader } from '../kernel/reader.ts';
import type { Stack } from '../stack/types.ts';
import type { AttributeTable, ChangeMode, Value } from './attribute.ts';
import type { IgnoreRule, Lifecycle } from './lifecycle.ts';
import type { StackScope } from './scope.ts';
import type { Step } from './step.ts';

export type Address = string;

/** What the stack file says of one resource. */
export interface Declared {
  readonly address: Address;
  readonly kind: string;
  readonly desired: Readonly<Record<string, Value>>;
  /** Of what is ignored in part what was applied last, the ignored part as it is live: what else moved is drift. */
  readonly settled?: Readonly<Record<string, Value>>;
  /** Resources that must exist before it. */
  readonly needs: readonly Address[];
  /** The subset of needs whose namespaces it lives in: when one of those is made anew, so is this. */
  readonly shares: readonly Address[];
  /** depends_on: what must be true of another container first. */
  readonly waits: ReadonlyArray<{
    readonly address: Address;
    readonly condition: 'started' | 'healthy' | 'completed';
    readonly optional?: boolean;
  }>;
  readonly at: SourceSpan | undefined;
  readonly lifecycle?: Lifecycle | undefined;
  /** What making or restarting it takes besides, for the plan. */
  readonly notes?: readonly string[];
}

/** What this kernel cannot do of what the stack asks. */
export interface Problem {
  readonly severity: 'error' | 'warning';
  readonly error: TsboxError;
}

/** Something inside what we own that is not ours. */
export interface Extra {
  readonly what: 'process' | 'cgroup' | 'mount' | 'program';
  /** For people: 'process 4711 (sleep)'. */
  readonly text: string;
  readonly steps: readonly Step[];
}

/** What the kernel shows of one resource. */
export interface Observed {
  readonly address: Address;
  readonly exists: boolean;
  readonly live: Readonly<Record<string, Value | undefined>>;
  /** Last applied, from the label; null where there is none. */
  readonly applied: Readonly<Record<string, Value>> | null;
  readonly extras: readonly Extra[];
  /** What an attribute goes back to when it is no longer declared, where that is not the kernel's default. */
  readonly defaults?: Readonly<Record<string, Value>>;
  /** Attributes that these privileges cannot read. */
  readonly unreadable: readonly string[];
  /** Facts worth showing: pid, path. */
  readonly facts: Readonly<Record<string, string>>;
  /** Its removal is to be refused: lifecycle.prevent_destroy of the last apply. */
  readonly isProtected?: boolean;
  /** lifecycle.ignore_changes of the last apply. */
  readonly ignores?: readonly IgnoreRule[];
  /** It holds data: it is removed only when that is asked for by name. */
  readonly kept?: boolean;
}

export interface AttributeChange {
  readonly name: string;
  readonly before: Value | undefined;
  readonly after: Value | undefined;
  readonly applied: Value | undefined;
  readonly cause: 'config' | 'drift' | 'both' | 'unknown' | 'new';
  readonly mode: ChangeMode;
  readonly reason: string | undefined;
  /** Who has claimed it (claims.ts), and what of it. */
  readonly manager?: string;
  readonly claimed?: readonly string[];
  /** What the new value does to what runs now, when it hurts. */
  readonly risk?: string;
  /** What files say whose contents are digests in the values, by target, where both sides are text: for show alone. */
  readonly contents?: Readonly<Record<string, { readonly before: string; readonly after: string }>>;
}

/** What a kind is told when it turns a change into steps. */
export interface StepContext {
  readonly stack: Stack | undefined;
  readonly reader: KernelReader;
  readonly scope: StackScope;
  readonly observed: ReadonlyMap<Address, Observed>;
}

export interface ResourceKind {
  readonly kind: string;
  readonly attributes: AttributeTable;
  /** The declared resources of this kind. Consults the reader for facts (device numbers, accounts); problems are reported, not thrown. */
  declare(stack: Stack, reader: KernelReader, report: (problem: Problem) => void): Declared[];
  /** Live state of declared and owned resources of this kind, in one batch. */
  observe(
    reader: KernelReader,
    scope: StackScope,
    declared: readonly Declared[],
    stack: Stack | undefined,
  ): Promise<Observed[]>;
  /** Steps that make it. */
  create(declared: Declared, context: StepContext): Step[];
  /** Steps that change it in place or restart it. */
  update(declared: Declared, changes: readonly AttributeChange[], context: StepContext): Step[];
  /** Steps that remove it; works from the label alone. */
  remove(observed: Observed, context: StepContext): Step[];
}
