/** Putting network tags and bandwidths in force: BPF programs on v2, net_cls and net_prio on v1. */
import { TsboxError } from '../../errors.ts';
import { EPERM, refused } from '../../kernel/kernel.ts';
import type { BpfProgram } from '../../kernel/reader.ts';
import { burstName, DIRECTIONS, MARK, PRIORITY, rateName } from '../../resources/network/attributes.ts';
import {
  compileSlot,
  HOOKS,
  RATES,
  readSlot,
  TAG_PACKET,
  TAG_SOCKET,
  type Bucket,
  type Tag,
} from '../../resources/network/programs.ts';
import type { NetworkValues } from '../../resources/network/schema.ts';
import { CLASSID, IFPRIOMAP, parsePriorityMap, v1Directory } from '../../resources/network/v1.ts';
import type { Step } from '../../resources/step.ts';
import { primaryDirectory, type ExecutionContext } from '../context.ts';

type Of<Op extends Step['op']> = Extract<Step, { op: Op }>;
type Slot<P> = Parameters<typeof compileSlot<P>>[0];

/** How often a program that goes away while it is being replaced is looked for again. */
const ATTEMPTS = 5;

export function applyNetwork(context: ExecutionContext, step: Of<'network'>): void {
  if (context.kernel.layout.primary?.version !== 2) {
    writeFiles(context, step.path, step.values);
    return;
  }
  const directory = primaryDirectory(context, step.path);
  const tag = tagOf(step.values);
  setSlot(context, directory, TAG_SOCKET, tag);
  setSlot(context, directory, TAG_PACKET, tag);
  for (const direction of DIRECTIONS) {
    setSlot(context, directory, RATES[direction], bucketOf(step.values, direction));
  }
}

/** Takes off a program that is not ours. */
export function detachProgram(context: ExecutionContext, step: Of<'network-detach'>): void {
  context.kernel.detachProgram(primaryDirectory(context, step.path), HOOKS[step.hook], step.id);
}

function tagOf(values: NetworkValues): Tag | undefined {
  const tag = { mark: Number(values[MARK] ?? 0), priority: Number(values[PRIORITY] ?? 0) };
  return tag.mark === 0 && tag.priority === 0 ? undefined : tag;
}

function bucketOf(values: NetworkValues, direction: (typeof DIRECTIONS)[number]): Bucket | undefined {
  const rate = values[rateName(direction)];
  return rate === undefined || rate === 'max'
    ? undefined
    : { rate: Number(rate), burst: Number(values[burstName(direction)]) };
}

/**
 * Makes the program of a slot the one with these parameters, in the place of the old one at once; takes it off where
 * there are none. A bucket starts full.
 */
function setSlot<P>(context: ExecutionContext, directory: string, slot: Slot<P>, wanted: P | undefined): void {
  const { kernel } = context;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const programs = kernel.cgroupPrograms([directory], HOOKS[slot.hook])[0];
    if (!Array.isArray(programs)) {
      throw refused('bpf', directory, programs ?? 0);
    }
    const [old, ...more] = programs.filter((p) => p.name === slot.name);
    for (const { id } of wanted === undefined && old !== undefined ? [old, ...more] : more) {
      kernel.detachProgram(directory, HOOKS[slot.hook], id);
    }
    if (
      wanted === undefined ||
      isAlready(slot, old, wanted) ||
      attach(context, directory, slot, wanted, old?.id ?? 0)
    ) {
      return;
    }
  }
  throw new TsboxError('TSB3001', `${directory}: the program ${slot.name} keeps being changed by somebody else`);
}

/** A bucket that is as it should be keeps what is in it. */
function isAlready<P>(slot: Slot<P>, old: BpfProgram | undefined, wanted: P): boolean {
  const live = old === undefined || typeof old.xlated === 'number' ? undefined : readSlot(slot, old.xlated);
  return live !== undefined && JSON.stringify(live) === JSON.stringify(wanted);
}

function attach<P>(context: ExecutionContext, directory: string, slot: Slot<P>, wanted: P, old: number): boolean {
  try {
    return context.kernel.attachProgram(directory, compileSlot(slot, wanted), old) !== undefined;
  } catch (error) {
    if ((error as { errno?: number }).errno !== EPERM) {
      throw error;
    }
    throw new TsboxError('TSB3001', `bpf ${directory}: EPERM: ${slot.name} cannot be attached at ${slot.hook}`, {
      syscall: 'bpf',
      errno: EPERM,
      errnoCode: 'EPERM',
      subject: directory,
      hint: 'without CAP_BPF and CAP_NET_ADMIN nothing is; with them, a program here or above it holds the hook alone',
      cause: error,
    });
  }
}

function writeFiles(context: ExecutionContext, path: string, values: NetworkValues): void {
  const { kernel, stackName } = context;
  const mark = values[MARK];
  const classes = v1Directory(kernel, stackName, path, 'net_cls');
  if (mark !== undefined && classes !== undefined) {
    kernel.write([{ path: `${classes}/${CLASSID}`, data: mark }]);
  }
  const priority = values[PRIORITY];
  const priorities = v1Directory(kernel, stackName, path, 'net_prio');
  if (priority === undefined || priorities === undefined) {
    return;
  }
  const file = `${priorities}/${IFPRIOMAP}`;
  const text = kernel.readFiles([file])[0];
  const map = parsePriorityMap(typeof text === 'string' ? text : '');
  kernel.write([...map.keys()].map((name) => ({ path: file, data: `${name} ${priority}` })));
}
