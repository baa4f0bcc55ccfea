/** `plan -o FILE`. */
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { MACHINE_ID } from '../../kernel/installation.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import type { Planned, PlanOptions } from '../../planner/index.ts';
import { basisOf, type Basis } from '../../planner/saved/basis.ts';
import { canonicalJson } from '../../planner/saved/canonical.ts';
import { digested } from '../../planner/saved/digested.ts';
import { planWithoutHiddenContents } from '../../report/contents.ts';
import { coveredPlan } from '../../report/covered.ts';
import { planDocument } from '../../report/terraform/document.ts';
import type { Stack } from '../../stack/types.ts';
import type { Arguments } from '../args.ts';
import { documented } from '../documented.ts';
import { masked, withoutSecrets } from '../output.ts';
import { shownBasis } from '../stale.ts';
import { VERSION } from '../version.ts';
import { PLAN_FORMAT, PLAN_FORMAT_VERSION, sha256, signed, writePlanFile, type SavedVariable } from './document.ts';
import { planKey, type PlanKey } from './key.ts';

/** Hexadecimal digits of a digest beside what is shown. */
const SHORT = 16;

/** What identifies the machine, whatever it is called; '' where there is no such file (a chroot). */
export function machineId(reader: KernelReader): string {
  const text = reader.readFiles([MACHINE_ID])[0];
  return typeof text === 'string' ? text.trim() : '';
}

/** The keyed digest of what a plan rests on, secrets included. */
export function basisDigest(planned: Planned, key: PlanKey): string {
  return key.mark('basis', canonicalJson(basisOf(planned)));
}

/** What a plan rests on as it is kept: keyed digests stand for secrets, so that it can be told which of them moved. */
export function keptBasis(planned: Planned, key: PlanKey): Basis {
  return digested(shownBasis(planned), basisOf(planned), (text) => key.mark('secret', text).slice(0, SHORT));
}

export function variableDigest(name: string, value: string, key: PlanKey): string {
  return key.mark(`variable ${name}`, value);
}

/** Saves a plan and returns its id. */
export function savePlan(
  path: string,
  reader: KernelReader,
  planned: Planned,
  stack: Stack | undefined,
  options: PlanOptions,
  args: Arguments,
): string {
  const key = planKey(reader.settings.stateDir, true);
  const sources = [...(stack?.sources ?? [])];
  const variables = Object.entries(stack?.variables ?? {}).map(
    ([name, { value, sensitive }]): [string, SavedVariable] => [
      name,
      sensitive ? { sensitive: true, digest: variableDigest(name, String(value), key) } : { value: String(value) },
    ],
  );
  const source = documented(planned, stack, { destroy: options.destroy, bootId: reader.bootId });
  const id = randomBytes(16).toString('hex');
  const plan = signed(
    {
      format: PLAN_FORMAT,
      format_version: PLAN_FORMAT_VERSION,
      tsbox_version: VERSION,
      id,
      created: source.time,
      machine_id: machineId(reader),
      boot_id: reader.bootId,
      cgroup_root: reader.settings.cgroupRoot,
      stack: planned.plan.stack,
      directory: process.cwd(),
      files: stack === undefined ? [] : args.files,
      sources: sources.map(([name, text]) => ({ name, sha256: sha256(text) })),
      variables: Object.fromEntries(variables),
      options,
      plan: withoutSecrets(planWithoutHiddenContents(coveredPlan(planned.plan, masked), masked)),
      basis: keptBasis(planned, key),
      basis_digest: basisDigest(planned, key),
      document: withoutSecrets(planDocument(source)),
      configuration: key.seal(JSON.stringify(sources)),
    },
    key,
  );
  writePlanFile(resolve(path), plan);
  return id;
}
