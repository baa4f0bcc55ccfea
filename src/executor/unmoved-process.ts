/**
 * One read of what a step is about to change on a running process or in a live namespace: the same reading as a plan's,
 * of these attributes alone.
 */
import type { Value } from '../resources/attribute.ts';
import { effectiveCpus, type EffectiveCpus } from '../resources/container/process/affinity.ts';
import { liveSettings, SETTINGS_FILES } from '../resources/container/process/settings.ts';
import { NAMESPACE_ROW } from '../resources/namespace/registry.ts';
import { readSysctls } from '../resources/namespace/sysctls.ts';
import { textOrNone } from '../kernel/reader.ts';
import { isAlive, readStats } from '../resources/processes.ts';
import { directoryIn } from '../resources/scope.ts';
import type { Step } from '../resources/step.ts';
import type { ExecutionContext } from './context.ts';
import { readLabel } from './labels.ts';
import { readRun } from './run-state.ts';
import { utsPath } from './steps/namespace.ts';
import { PARAMETERS } from './steps/sysctls.ts';
import { liveFiles } from './steps/live-target.ts';

type Of<Op extends Step['op']> = Extract<Step, { op: Op }>;

/** Values by attribute name; undefined where there is nothing to read. */
export type Reading = Readonly<Record<string, Value | undefined>> | undefined;

/** Limits and scheduling of a container's own process; undefined when it ended, for then nothing is overwritten. */
export function readSettings(context: ExecutionContext, step: Of<'settings'>): Reading {
  const { kernel, stackName } = context;
  const run = readRun(context, step.path);
  const label = readLabel(context, step.path);
  if (run === undefined || label === undefined || !isAlive(readStats(kernel, [run.pid])[0], run.startTime)) {
    return undefined;
  }
  const texts = kernel.readFiles(SETTINGS_FILES.map((name) => `/proc/${run.pid}/${name}`));
  const files = new Map(SETTINGS_FILES.map((name, i) => [name as string, textOrNone(texts[i])]));
  const [thread] = kernel.scheduling([run.pid]);
  const [cpus] = effectiveCpus(kernel, [directoryIn('', kernel.settings.cgroupRoot, stackName, step.path)]);
  const desired = { rlimits: step.settings.rlimits };
  return liveSettings(files, typeof thread === 'object' ? thread : undefined, cpus as EffectiveCpus, label, desired);
}

/** Kernel parameters; undefined when these privileges do not show them. */
export async function readParameters(context: ExecutionContext, step: Of<'sysctls'>): Promise<Reading> {
  const keys = [...Object.keys(step.values), ...step.reset];
  const [sysctls] = await readSysctls(context.kernel, [{ file: liveFiles(context, step.target, PARAMETERS), keys }]);
  return sysctls === undefined ? undefined : { sysctls };
}

/** Host and domain name. */
export async function readNames(context: ExecutionContext, step: Of<'uts'>): Promise<Reading> {
  const [names] = await context.kernel.readUts([utsPath(context, step.target)]);
  return names === undefined ? undefined : NAMESPACE_ROW.uts.live([], names);
}
