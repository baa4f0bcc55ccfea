/**
 * Right before a step: whether what it overwrites or removes is still what the plan read. The lock keeps other applies
 * out, not the rest of the machine, and a plan may have waited for somebody's word.
 */
import { TsboxError } from '../errors.ts';
import type { PlannedChange } from '../planner/plan.ts';
import { sameValue, type Value } from '../resources/attribute.ts';
import { observeKnobs } from '../resources/cgroup/observe.ts';
import { observeDevices } from '../resources/devices/observe.ts';
import type { AttributeChange } from '../resources/kind.ts';
import { NETWORK_NAMES } from '../resources/network/attributes.ts';
import { observeNetwork } from '../resources/network/observe.ts';
import { kindOf } from '../resources/registry.ts';
import type { Step } from '../resources/step.ts';
import { volumeLabel } from '../resources/volume/index.ts';
import { volumeAddress } from '../resources/volume/paths.ts';
import { primaryDirectory, type ExecutionContext } from './context.ts';
import { isLabelled } from './labels.ts';
import { readNames, readParameters, readSettings, type Reading } from './unmoved-process.ts';

const FREEZE = 'cgroup.freeze';
const DEVICES = 'devices';
/** The kernel finds it invalid, or valid, as the processors above change, which this apply may have done. */
const PARTITION = 'cpuset.cpus.partition';
const AGAIN = 'nothing of it was overwritten; look at a new plan: tsbox plan';

/** @throws TsboxError TSB3006 naming what moved */
export async function requireUnmoved(context: ExecutionContext, change: PlannedChange, step: Step): Promise<void> {
  if (step.op === 'cgroup-remove') {
    requireOwn(context, step.path);
  } else if (step.op === 'volume-remove') {
    requireOwnVolume(context, step);
  } else if (change.action === 'update' || change.action === 'restart') {
    await requireValues(context, change, step);
  }
}

/** One read of what is about to be written. What came to be with this apply had no value before. */
async function requireValues(context: ExecutionContext, change: PlannedChange, step: Step): Promise<void> {
  const names = writtenBy(context, change, step);
  const due = change.attributes.filter((a) => names.includes(a.name) && a.before !== undefined && !follows(a));
  const live = due.length === 0 ? undefined : await liveValues(context, step, due);
  if (live === undefined) {
    return;
  }
  const table = kindOf(change.address).attributes;
  for (const { name, before } of due) {
    const attribute = table.get(name);
    const now = live[name];
    if (attribute !== undefined && !sameValue(attribute, before, now)) {
      throw new TsboxError('TSB3006', `${name} moved since the plan: it was ${text(before)}, and is ${text(now)} now`, {
        address: change.address,
        hint: AGAIN,
      });
    }
  }
}

/** The attributes that a step writes, as far as one read shows them and no other step of this apply moves them. */
function writtenBy({ kernel }: ExecutionContext, change: PlannedChange, step: Step): readonly string[] {
  const { layout } = kernel;
  // On v1 a parent's cpuset has to change its children's first, and its devices change theirs.
  const isV2 = layout.primary?.version === 2;
  switch (step.op) {
    case 'cgroup-write': {
      const moves = layout.byController.get('cpuset')?.version === 1;
      return step.writes
        .map((w) => w.attribute)
        .filter((name) => name !== PARTITION && !(moves && name.startsWith('cpuset.')));
    }
    // A stop thaws.
    case 'freeze':
      return isV2 && change.action === 'update' ? [FREEZE] : [];
    case 'devices':
    case 'devices-clear':
      return isV2 ? [DEVICES] : [];
    case 'network':
      return NETWORK_NAMES;
    case 'settings':
      return step.names;
    // After a restart they are those of another process.
    case 'sysctls':
      return change.action === 'update' ? ['sysctls'] : [];
    case 'uts':
      return change.action === 'update' ? ['hostname', 'domainname'] : [];
    default:
      return [];
  }
}

/** A list of processors that somebody set is cut anew by the kernel when the cpuset above changes, in this apply too. */
function follows({ name, before, applied }: AttributeChange): boolean {
  return name === 'cpu_affinity' && before !== applied;
}

async function liveValues(context: ExecutionContext, step: Step, due: readonly AttributeChange[]): Promise<Reading> {
  const { kernel, stackName } = context;
  switch (step.op) {
    case 'cgroup-write':
    case 'freeze': {
      const knobs = new Map(due.map((a) => [a.name, [a.after, a.applied] as const]));
      return observeKnobs(kernel, stackName, [{ path: step.path, knobs }])[0] ?? {};
    }
    case 'devices':
    case 'devices-clear':
      return { [DEVICES]: observeDevices(kernel, stackName, [step.path])[0] };
    case 'network':
      return observeNetwork(kernel, stackName, [step.path], [true])[0]?.live ?? {};
    case 'settings':
      return readSettings(context, step);
    case 'sysctls':
      return readParameters(context, step);
    case 'uts':
      return readNames(context, step);
    default:
      return {};
  }
}

function text(value: Value | undefined): string {
  return typeof value === 'string' ? value : value === undefined ? 'not there' : JSON.stringify(value);
}

/** A directory of the same name that somebody made anew is not ours to kill and remove: the label is on the inode. */
function requireOwn(context: ExecutionContext, path: string): void {
  const directory = primaryDirectory(context, path);
  if (typeof context.kernel.stats([directory])[0] !== 'object') {
    return;
  }
  if (!isLabelled(context, path)) {
    throw new TsboxError('TSB3006', `${directory} is not the cgroup that the plan saw: it has no label of this stack`, {
      subject: directory,
      hint: 'somebody else has made it anew; what tsbox did not make it does not remove',
    });
  }
}

/** The same of a volume, in which somebody else's files may be by now. */
function requireOwnVolume(
  { kernel, stackName }: ExecutionContext,
  { name, directory }: Extract<Step, { op: 'volume-remove' }>,
): void {
  const stat = kernel.stats([directory])[0];
  if (
    typeof stat === 'object' &&
    volumeLabel(kernel, directory, stackName, volumeAddress(name), stat.ino) === undefined
  ) {
    throw new TsboxError('TSB3006', `${directory} is not the volume that the plan saw: it has no label of ${name}`, {
      subject: directory,
      hint: 'somebody else has made it anew; what tsbox did not make it does not remove',
    });
  }
}
