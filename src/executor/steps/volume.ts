/** Making and removing the directories of volumes. */
import { TsboxError } from '../../errors.ts';
import { LABEL_VERSION, encodeLabel, LABEL_XATTR } from '../../resources/label.ts';
import type { Step } from '../../resources/step.ts';
import { recordPath } from '../../resources/volume/index.ts';
import { volumeAddress, volumesDirectory } from '../../resources/volume/paths.ts';
import { parseMountInfo } from '../../kernel/proc.ts';
import type { ExecutionContext } from '../context.ts';

type Of<Op extends Step['op']> = Extract<Step, { op: Op }>;

export function makeVolume(context: ExecutionContext, step: Of<'volume-make'>): void {
  const { kernel, stackName } = context;
  if (!step.owned) {
    return;
  }
  const base = volumesDirectory(kernel.settings.stateDir, stackName);
  kernel.makeStateDir(base);
  kernel.makeOwnDirectory(step.directory, step.owner, step.mode);
  const stat = kernel.stats([step.directory])[0];
  if (typeof stat !== 'object') {
    throw new TsboxError('TSB3002', `${volumeAddress(step.name)}: ${step.directory} is gone again`);
  }
  const label = encodeLabel({ ...step.label, v: LABEL_VERSION, stack: stackName, ino: stat.ino });
  if (!kernel.trySetXattr(step.directory, LABEL_XATTR, label)) {
    kernel.placeFile(recordPath(step.directory), label);
  }
}

export function removeVolume(context: ExecutionContext, step: Of<'volume-remove'>): void {
  const { kernel, stackName } = context;
  const { stateDir } = kernel.settings;
  const base = volumesDirectory(stateDir, stackName);
  if (!step.directory.startsWith(`${base}/`)) {
    throw new TsboxError('TSB9002', `${step.directory} is not below ${base}`);
  }
  const mountinfo = kernel.readFiles(['/proc/self/mountinfo'])[0];
  const inside = parseMountInfo(typeof mountinfo === 'string' ? mountinfo : '').find(
    (m) => m.target === step.directory || m.target.startsWith(`${step.directory}/`),
  );
  if (inside !== undefined) {
    throw new TsboxError('TSB3002', `${volumeAddress(step.name)}: something is mounted on ${inside.target}`, {
      hint: 'unmount it first: what is mounted there would be removed with the volume',
    });
  }
  kernel.remove(step.directory);
  kernel.remove(recordPath(step.directory));
  for (const directory of [base, `${stateDir}/volumes`, stateDir]) {
    kernel.removeIfEmpty(directory);
  }
}
