/** Steps on the mounts of a running container, and the description its supervisor restarts it by. */
import { TsboxError } from '../../errors.ts';
import { NAMESPACE_TYPES, type NamespaceType, type RootOp } from '../../kernel/init-spec.ts';
import { namespaceInode } from '../../kernel/proc.ts';
import { containerAddress } from '../../resources/container/declare.ts';
import { rootOps } from '../../resources/container/launch.ts';
import type { MountEdit } from '../../resources/container/mounts/edits.ts';
import { mountLines } from '../../resources/container/mounts/live.ts';
import { targetOf } from '../../resources/container/mounts/ops.ts';
import { isBelow } from '../../resources/container/mounts/schema.ts';
import type { Step } from '../../resources/step.ts';
import type { ExecutionContext } from '../context.ts';
import { writeLabel } from '../labels.ts';
import { launchFacts } from '../launch.ts';
import { readRun } from '../run-state.ts';
import { specOf } from './container.ts';

type Of<Op extends Step['op']> = Extract<Step, { op: Op }>;

const TIMEOUT = 30_000;

/** Order of joining: user first, so that its privileges cover the rest; pid last. */
const JOINED: readonly NamespaceType[] = ['user', 'ipc', 'uts', 'net', 'cgroup', 'mnt', 'pid'];

/** Operations that can take the place of a mount by themselves. */
const SWAPPABLE: readonly RootOp['op'][] = ['bind', 'mount', 'overlay', 'file'];

/** An edit as operations of native/init; `root`: what the container's root is made of. */
function operations(edit: MountEdit, root: readonly RootOp[]): RootOp[] {
  const { target } = edit;
  switch (edit.do) {
    case 'unmount':
      return [
        { op: 'expect', target, id: edit.id },
        { op: 'unmount', target },
      ];
    case 'remount': {
      const { set, clear, recursive, propagation } = edit;
      return [
        { op: 'expect', target, id: edit.id },
        { op: 'remount', target, set, clear, recursive, ...(propagation === undefined ? {} : { propagation }) },
      ];
    }
    case 'reconfigure':
      return [
        { op: 'expect', target, id: edit.id },
        { op: 'reconfigure', target, options: edit.options },
      ];
    case 'make': {
      const ops = root.filter((op) => isBelow(targetOf(op) ?? '', target));
      if (edit.swap === null) {
        return ops;
      }
      const [first, ...rest] = ops;
      const expected: RootOp = { op: 'expect', target, id: edit.swap };
      return first !== undefined && targetOf(first) === target && SWAPPABLE.includes(first.op)
        ? [expected, { ...first, swap: true } as RootOp, ...rest]
        : [expected, { op: 'unmount', target }, ...ops];
    }
  }
}

/** Runs the edits inside the container's namespaces and records the table they lead to. */
export async function editMounts(context: ExecutionContext, step: Of<'mounts'>): Promise<void> {
  const { kernel } = context;
  const address = containerAddress(step.container);
  const { stack, spec } = specOf(context, step.container);
  const run = readRun(context, step.path);
  if (run === undefined || run.pid === 0) {
    throw new TsboxError('TSB2004', `${address} is not running`, { address });
  }
  const root = rootOps(spec, launchFacts(context, stack, spec));
  const ops = step.edits.flatMap((edit) => operations(edit, root));
  const links = kernel.readLinks([
    ...NAMESPACE_TYPES.map((t) => `/proc/self/ns/${t}`),
    ...NAMESPACE_TYPES.map((t) => `/proc/${run.pid}/ns/${t}`),
  ]);
  const inode = (i: number): string | undefined => {
    const link = links[i];
    return typeof link === 'string' ? namespaceInode(link) : undefined;
  };
  const joined = JOINED.filter((type) => {
    const i = NAMESPACE_TYPES.indexOf(type);
    return type === 'mnt' || inode(i) !== inode(i + NAMESPACE_TYPES.length);
  });
  await kernel.runInit(
    {
      mode: 'mounts',
      title: `tsbox: mounts of ${context.stackName}/${step.container}`,
      pid: run.pid,
      startTime: run.startTime,
      join: joined.map((type) => ({ type, path: `/proc/${run.pid}/ns/${type}`, startTime: run.startTime })),
      ops,
    },
    '',
    TIMEOUT,
    true,
  );
  const mountinfo = kernel.readFiles([`/proc/${run.pid}/mountinfo`])[0];
  if (typeof mountinfo === 'string') {
    writeLabel(context, step.path, { address, mounts: mountLines(mountinfo) });
  }
}
