/** What a reconciler knows of its source, kept between its runs and shown to others. It decides nothing in the kernel. */
import { readText } from '../../kernel/private-files.ts';
import { replaceFile } from '../../kernel/replace-file.ts';

export type Result =
  /** Nothing of it is tried again. */
  | 'applied'
  | 'failed'
  | 'rolled_back'
  | 'invalid'
  /** It is tried again. */
  | 'waiting'
  | 'pending';

export interface Status {
  readonly v: 1;
  readonly source: string;
  branch: string | null;
  /** The head of the branch when it was fetched last. */
  seen: string | null;
  /** The last revision whose signature was good. */
  verified: string | null;
  /** The last revision that was applied and became healthy: what a rollback goes back to. */
  good: { commit: string; at: string } | null;
  attempt: { commit: string; at: string; result: Result; reason: string | null } | null;
  /** The plan that waits for a word. */
  pending: { commit: string; digest: string; plan: readonly string[] } | null;
  rolledBack: { from: string; to: string; at: string; reason: string } | null;
  /** The way back from the last attempt was held up, by a lock or our end: each round tries it. */
  rollbackWaits: boolean;
  stacks: readonly string[];
  health: 'healthy' | 'degraded' | 'unknown';
  /** Items that drifted since; `tsbox drift` tells what, `tsbox watch` heals. */
  drift: number;
  error: string | null;
  checked: string | null;
  nextTry: string | null;
}

export const FINAL: readonly Result[] = ['applied', 'failed', 'rolled_back', 'invalid'];

export function readStatus(path: string, source: string): Status {
  const fresh: Status = {
    v: 1,
    source,
    branch: null,
    seen: null,
    verified: null,
    good: null,
    attempt: null,
    pending: null,
    rolledBack: null,
    rollbackWaits: false,
    stacks: [],
    health: 'unknown',
    drift: 0,
    error: null,
    checked: null,
    nextTry: null,
  };
  const text = readText(path);
  if (text === undefined) {
    return fresh;
  }
  try {
    const kept = JSON.parse(text) as Partial<Status> | null;
    return kept?.v === 1 && kept.source === source ? { ...fresh, ...kept } : fresh;
  } catch {
    // A half file of a crash: what it said is found again.
    return fresh;
  }
}

/** Whole or as it was. */
export function writeStatus(path: string, status: Status, mode: number): void {
  replaceFile(path, `${JSON.stringify(status, null, 2)}\n`, { mode });
}
