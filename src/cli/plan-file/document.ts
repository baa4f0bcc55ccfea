/** A saved plan: one JSON file that says what will be done, what that rests on, and by which mark it is known. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { errnoOf, TsboxError } from '../../errors.ts';
import type { PlanOptions } from '../../planner/index.ts';
import type { Plan } from '../../planner/plan.ts';
import type { Basis } from '../../planner/saved/basis.ts';
import { canonicalJson } from '../../planner/saved/canonical.ts';
import { writeWhole } from '../write-file.ts';
import type { PlanKey, Sealed } from './key.ts';

export const PLAN_FORMAT = 'tsbox-plan';
export const PLAN_FORMAT_VERSION = 1;

/** A variable: its value, or of a sensitive one a keyed digest. */
export type SavedVariable = { readonly value: string } | { readonly sensitive: true; readonly digest: string };

export interface PlanFile {
  readonly format: typeof PLAN_FORMAT;
  readonly format_version: number;
  readonly tsbox_version: string;
  /** 128 random bits: a plan is applied once. */
  readonly id: string;
  readonly created: string;
  readonly machine_id: string;
  readonly boot_id: string;
  readonly cgroup_root: string;
  readonly stack: string;
  readonly directory: string;
  /** As they were given. */
  readonly files: readonly string[];
  /** Every file that was read, with the SHA-256 of its text. */
  readonly sources: ReadonlyArray<{ readonly name: string; readonly sha256: string }>;
  readonly variables: Readonly<Record<string, SavedVariable>>;
  readonly options: PlanOptions;
  /** The plan as it was shown, without secrets. */
  readonly plan: Plan;
  /** What it rests on, with digests for secrets, and the keyed digest of it with them. */
  readonly basis: Basis;
  readonly basis_digest: string;
  /** The document of `plan --format json`. */
  readonly document: Readonly<Record<string, unknown>>;
  /** The texts of the sources. */
  readonly configuration: Sealed;
  readonly integrity: { readonly sha256: string; readonly mark: string };
}

export type Unsigned = Omit<PlanFile, 'integrity'>;

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export function signed(plan: Unsigned, key: PlanKey): PlanFile {
  const text = canonicalJson(plan);
  return { ...plan, integrity: { sha256: sha256(text), mark: key.mark('integrity', text) } };
}

/** Writes the file, which nobody but its owner reads; what was there stays until the new one is whole. */
export function writePlanFile(path: string, plan: PlanFile): void {
  writeWhole(path, `${JSON.stringify(plan, null, 1)}\n`, 0o600);
}

const same = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

/**
 * Reads a saved plan and looks whether it is whole.
 * @param key of this machine: with it the plan must bear its mark
 * @throws TsboxError TSB3013
 */
export function readPlanFile(path: string, key: PlanKey | undefined): PlanFile {
  const refuse = (message: string, hint?: string): never => {
    throw new TsboxError('TSB3013', `${path}: ${message}`, { subject: path, hint });
  };
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new TsboxError('TSB2001', `cannot read the plan ${path}: ${errnoOf(error)}`);
  }
  let plan: PlanFile;
  try {
    plan = JSON.parse(text) as PlanFile;
  } catch {
    return refuse('this is not a saved plan', 'plan -o FILE saves one');
  }
  if (typeof plan !== 'object' || plan === null || plan.format !== PLAN_FORMAT) {
    return refuse('this is not a saved plan', 'plan -o FILE saves one');
  }
  if (plan.format_version !== PLAN_FORMAT_VERSION) {
    return refuse(`it has the format ${String(plan.format_version)}, this tsbox reads ${PLAN_FORMAT_VERSION}`, AGAIN);
  }
  const { integrity, ...unsigned } = plan;
  const canonical = canonicalJson(unsigned);
  if (typeof integrity?.sha256 !== 'string' || !same(integrity.sha256, sha256(canonical))) {
    return refuse('it was changed since it was saved, or is damaged', AGAIN);
  }
  if (
    key !== undefined &&
    !(typeof integrity.mark === 'string' && same(integrity.mark, key.mark('integrity', canonical)))
  ) {
    return refuse('it does not bear the mark of this machine: it was changed, or saved elsewhere', AGAIN);
  }
  return plan;
}

export const AGAIN = 'make and look at a new plan: tsbox plan -o FILE';
