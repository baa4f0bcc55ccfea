/** One step of the closed union, executed. */
import type { Step } from '../resources/step.ts';
import { TsboxError } from '../errors.ts';
import type { ExecutionContext } from './context.ts';
import { writeLabel } from './labels.ts';
import { dropClaims } from './steps/claims.ts';
import { enter, evict, makeCgroup, removeCgroup } from './steps/cgroup.ts';
import { setFrozen } from './steps/freezer.ts';
import { writeKnobs } from './steps/knobs.ts';
import { adoptCgroup, releaseCgroup } from './steps/adopt.ts';
import { adoptContainer, awaitCompleted, setPolicy, startContainer, stopContainer } from './steps/container.ts';
import { awaitReady } from './steps/await-ready.ts';
import { awaitHealthy } from './steps/await-healthy.ts';
import { describeContainer, setHealth } from './steps/supervisor.ts';
import { applyDevices, clearDevices } from './steps/devices.ts';
import { editMounts } from './steps/mounts.ts';
import { makeVolume, removeVolume } from './steps/volume.ts';
import { applyNetwork, detachProgram } from './steps/network.ts';
import { setSysctls } from './steps/sysctls.ts';
import { applySettings } from './steps/settings.ts';
import { prepareImage, withResolved } from './steps/image.ts';
import { forgetResource, moveResource } from './steps/move.ts';
import {
  importNamespace,
  labelNamespace,
  makeNamespace,
  removeNamespace,
  repinNamespace,
  setNames,
} from './steps/namespace.ts';

export async function runStep(context: ExecutionContext, step: Step): Promise<void> {
  switch (step.op) {
    case 'cgroup-make':
      return makeCgroup(context, step);
    case 'cgroup-write':
      return writeKnobs(context, step);
    case 'cgroup-adopt':
      return adoptCgroup(context, step);
    case 'cgroup-release':
      return releaseCgroup(context, step);
    case 'freeze':
      return setFrozen(context, step);
    case 'devices':
      return applyDevices(context, step);
    case 'devices-clear':
      return clearDevices(context, step);
    case 'network':
      return applyNetwork(context, step);
    case 'network-detach':
      return detachProgram(context, step);
    case 'claims-drop':
      return dropClaims(context, step);
    case 'label':
      return writeLabel(context, step.path, withResolved(context, step.label));
    case 'cgroup-remove':
      return removeCgroup(context, step);
    case 'evict':
      return evict(context, step);
    case 'enter':
      return enter(context, step);
    case 'namespace-make':
      return makeNamespace(context, step);
    case 'namespace-import':
      return importNamespace(context, step);
    case 'move':
      return moveResource(context, step);
    case 'forget':
      return forgetResource(context, step);
    case 'namespace-repin':
      return repinNamespace(context, step);
    case 'namespace-remove':
      return removeNamespace(context, step);
    case 'namespace-label':
      return labelNamespace(context, step);
    case 'uts':
      return setNames(context, step);
    case 'sysctls':
      return setSysctls(context, step);
    case 'image':
      return prepareImage(context, step);
    case 'start':
      return startContainer(context, step);
    case 'adopt':
      return adoptContainer(context, step);
    case 'mounts':
      return editMounts(context, step);
    case 'volume-make':
      return makeVolume(context, step);
    case 'volume-remove':
      return removeVolume(context, step);
    case 'stop':
      return stopContainer(context, step);
    case 'settings':
      return applySettings(context, step);
    case 'policy':
      return setPolicy(context, step);
    case 'await-ready':
      return awaitReady(context, step);
    case 'health':
      return setHealth(context, step);
    case 'describe':
      return describeContainer(context, step);
    case 'await-healthy':
      return tolerant(context, step, awaitHealthy(context, step));
    case 'await-completed':
      return tolerant(context, step, awaitCompleted(context, step));
  }
}

/** A dependency that is not required holds nobody up: what became of it is noted. */
async function tolerant(
  context: ExecutionContext,
  step: Extract<Step, { op: 'await-healthy' | 'await-completed' }>,
  waiting: Promise<void>,
): Promise<void> {
  try {
    await waiting;
  } catch (error) {
    if (step.unlessFor === undefined || !(error instanceof TsboxError)) {
      throw error;
    }
    context.cache.note?.(step.unlessFor, `starts without container/${step.container}: ${error.message}`);
  }
}
