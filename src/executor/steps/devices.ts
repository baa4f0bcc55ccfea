/** Putting device rules in force: one BPF program on v2, devices.allow and devices.deny on v1. */
import { TsboxError } from '../../errors.ts';
import { refused } from '../../kernel/kernel.ts';
import { compileRules } from '../../resources/devices/compile.ts';
import { v1Transition } from '../../resources/devices/v1.ts';
import type { DeviceRule } from '../../resources/devices/schema.ts';
import type { Step } from '../../resources/step.ts';
import { allDirectories, primaryDirectory, type ExecutionContext } from '../context.ts';

type Of<Op extends Step['op']> = Extract<Step, { op: Op }>;

export function applyDevices(context: ExecutionContext, step: Of<'devices'>): void {
  const { kernel } = context;
  if (kernel.layout.primary?.version === 2) {
    const key = step.canonical.join('\n');
    const program = context.cache.programs.get(key) ?? compileRules(step.rules);
    context.cache.programs.set(key, program);
    kernel.replaceDevices(primaryDirectory(context, step.path), program);
    openV1(context, step.path);
    return;
  }
  writeV1(context, step.path, step.rules);
}

export function clearDevices(context: ExecutionContext, step: Of<'devices-clear'>): void {
  if (context.kernel.layout.primary?.version === 2) {
    context.kernel.clearDevices(primaryDirectory(context, step.path));
    openV1(context, step.path);
    return;
  }
  writeV1(context, step.path, [{ allow: true, type: 'a', major: '*', minor: '*', access: 'rwm' }]);
}

/** On a hybrid machine the v1 controller filters as well: it is left wide open, so that the program alone decides. */
function openV1(context: ExecutionContext, path: string): void {
  const dir = v1Directory(context, path);
  const list = dir === undefined ? undefined : context.kernel.readFiles([`${dir}/devices.list`])[0];
  if (dir !== undefined && typeof list === 'string' && list.trim() !== 'a *:* rwm') {
    context.kernel.write([{ path: `${dir}/devices.allow`, data: 'a' }]);
  }
}

function v1Directory(context: ExecutionContext, path: string): string | undefined {
  return allDirectories(context, path).find((d) => d.version === 1 && d.controllers.includes('devices'))?.dir;
}

function writeV1(context: ExecutionContext, path: string, rules: readonly DeviceRule[]): void {
  const dir = v1Directory(context, path);
  const list = dir === undefined ? undefined : context.kernel.readFiles([`${dir}/devices.list`])[0];
  if (dir === undefined || typeof list !== 'string') {
    throw new TsboxError(
      'TSB1009',
      'this kernel has neither cgroup v2 nor the v1 devices controller: device rules cannot be enforced',
    );
  }
  const transition = v1Transition(list, rules);
  if (!transition.ok) {
    throw new TsboxError('TSB1009', `these device rules cannot be written for cgroup v1: ${transition.inexpressible}`);
  }
  for (const write of transition.writes) {
    const result = context.kernel.tryWrite(`${dir}/${write.file}`, write.line);
    if (result !== 0) {
      throw refused('write', `${dir}/${write.file}`, result, write.line);
    }
  }
}
