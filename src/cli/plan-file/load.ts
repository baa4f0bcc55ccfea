/** `apply FILE`: the configuration that a plan carries, and whether what the plan rests on still holds. */
import { resolve } from 'node:path';
import { TsboxError, whyOf } from '../../errors.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import type { Planned } from '../../planner/index.ts';
import { movedFacts } from '../../planner/saved/moved.ts';
import { factsBeyond } from '../../planner/saved/subset.ts';
import type { Stack } from '../../stack/types.ts';
import type { Arguments } from '../args.ts';
import { loadStackFor } from '../session.ts';
import { movedLines, staleError } from '../stale.ts';
import { VERSION } from '../version.ts';
import { AGAIN, readPlanFile, type PlanFile } from './document.ts';
import { planKey, type PlanKey } from './key.ts';
import { basisDigest, keptBasis, machineId, variableDigest } from './save.ts';
import { alreadyUsed, usedAt } from './use.ts';

export interface Loaded {
  readonly file: PlanFile;
  readonly key: PlanKey;
  readonly path: string;
}

/** Opens a plan that may be applied here and now, as far as that can be told without planning. */
export function openPlan(given: string, reader: KernelReader): Loaded {
  const path = resolve(given);
  const key = planKey(reader.settings.stateDir, false);
  const file = readPlanFile(path, key);
  if (key === undefined) {
    throw new TsboxError('TSB3013', `${path}: this machine has no key for saved plans, so it was saved elsewhere`, {
      hint: AGAIN,
    });
  }
  const stale = (message: string): never => {
    throw new TsboxError('TSB3006', `${path}: ${message}`, { hint: AGAIN });
  };
  const used = usedAt(reader.settings.stateDir, file.id);
  if (used !== undefined) {
    throw alreadyUsed(path, used);
  }
  if (file.tsbox_version !== VERSION) {
    stale(`it was made by tsbox ${file.tsbox_version}, this is ${VERSION}`);
  }
  if (file.machine_id !== machineId(reader)) {
    stale(`it was made on the machine ${file.machine_id}, this is ${machineId(reader)}`);
  }
  if (file.boot_id !== reader.bootId) {
    stale(`the machine has been started anew since: boot ${file.boot_id} when planned, ${reader.bootId} now`);
  }
  if (file.cgroup_root !== reader.settings.cgroupRoot) {
    stale(`the root of the cgroups was ${file.cgroup_root} when planned and is ${reader.settings.cgroupRoot} now`);
  }
  return { file, key, path };
}

/**
 * The stack that the plan was made of: its own copy of the files, and the variables it had. Sensitive ones are not in
 * the plan: they must be given again, and be the same.
 */
export async function stackOfPlan({ file, key, path }: Loaded, args: Arguments): Promise<Stack | undefined> {
  if (file.files.length === 0) {
    return undefined;
  }
  const sources = JSON.parse(key.unseal(file.configuration)) as Array<[string, string]>;
  const known = Object.entries(file.variables).flatMap(([name, v]) => ('value' in v ? [[name, v.value] as const] : []));
  for (const [name, value] of Object.entries(args.variables)) {
    const saved = file.variables[name];
    if (saved !== undefined && 'value' in saved && saved.value !== value) {
      throw new TsboxError('TSB3006', `${path}: the variable '${name}' is not what it was when planned`, {
        hint: AGAIN,
      });
    }
  }
  // Relative paths in the stack mean what they meant.
  try {
    process.chdir(file.directory);
  } catch (cause) {
    throw new TsboxError('TSB3006', `${path}: the directory ${file.directory} of its stack: ${whyOf(cause)}`, {
      hint: AGAIN,
      cause,
    });
  }
  const stack = await loadStackFor(
    { ...args, files: file.files, variables: { ...args.variables, ...Object.fromEntries(known) } },
    new Map(sources),
  );
  for (const [name, saved] of Object.entries(file.variables)) {
    const value = stack.variables[name]?.value;
    if ('digest' in saved && (value === undefined || saved.digest !== variableDigest(name, String(value), key))) {
      throw new TsboxError('TSB3006', `${path}: the sensitive variable '${name}' is not what it was when planned`, {
        hint: `it is not in the plan: give it again with --var ${name}=…, or as it was given then`,
      });
    }
  }
  return stack;
}

/**
 * Looks whether the plan of this moment is the one that was saved, step by step and fact by fact.
 * @param allowSubset one that does less of it, and nothing else, is taken too
 * @returns what moved, told as a warning; undefined when nothing did
 * @throws TsboxError TSB3006 naming what moved
 */
export function requireUnmoved(
  { file, key, path }: Loaded,
  planned: Planned,
  allowSubset: boolean,
): string | undefined {
  if (basisDigest(planned, key) === file.basis_digest) {
    return undefined;
  }
  const now = keptBasis(planned, key);
  const moved = movedFacts(file.basis, now);
  const beyond = allowSubset ? factsBeyond(file.basis, now) : moved;
  if (beyond.length > 0 || !allowSubset) {
    throw staleError(`${path}: the plan`, beyond, AGAIN);
  }
  return `less is left to do than was planned, this moved since: ${movedLines(moved).join('; ')}`;
}
