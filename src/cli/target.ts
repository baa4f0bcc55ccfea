/** What freeze, thaw, signal and kill act on: a container or a cgroup of a stack, under the stack's lock. */
import { TsboxError } from '../errors.ts';
import type { ExecutionContext } from '../executor/context.ts';
import type { KernelReader } from '../kernel/reader.ts';
import { readScope, type ScopeEntry } from '../resources/scope.ts';
import { numberOption, type Arguments } from './args.ts';
import { stackNames } from './containers.ts';
import { requirePrivileges } from './session.ts';

export interface Target {
  readonly stack: string;
  readonly address: string;
  readonly entry: ScopeEntry;
}

/** The resource that ADDRESS, KIND/STACK:NAME or a bare NAME means, in one stack or in all. */
export function findTarget(reader: KernelReader, wanted: string, stack: string | undefined): Target {
  const [kind, rest] = wanted.includes('/') ? (wanted.split(/\/(.*)/) as [string, string]) : [undefined, wanted];
  const [first = '', second] = rest.split(':');
  const inStack = second === undefined ? stack : first;
  const name = second ?? first;
  const all = (inStack === undefined ? stackNames(reader) : [inStack]).flatMap((s) =>
    [...readScope(reader, s).byAddress].map(([address, entry]): Target => ({ stack: s, address, entry })),
  );
  const fits = (t: Target): boolean =>
    kind === undefined ? t.address.split(/\/(.*)/)[1] === name : t.address === `${kind}/${name}`;
  const matches = all.filter(fits);
  const [only] = matches;
  if (matches.length === 1 && only !== undefined) {
    return only;
  }
  const full = (t: Target): string => t.address.replace('/', `/${t.stack}:`);
  if (matches.length > 1) {
    throw new TsboxError('TSB2003', `'${wanted}' may be ${matches.slice(0, 8).map(full).join(', ')}`, {
      hint: 'write one of them in full',
    });
  }
  throw new TsboxError(
    'TSB2003',
    `no container or cgroup '${wanted}'${inStack === undefined ? '' : ` in ${inStack}`}`,
    {
      hint:
        all.length === 0 ? 'nothing exists; apply a stack first' : `there are: ${all.slice(0, 8).map(full).join(', ')}`,
    },
  );
}

/** The one address of the command line. */
export function onlyAddress(args: Arguments, usage: string, more = 0): string {
  const [address] = args.positionals;
  if (address === undefined || args.positionals.length !== 1 + more) {
    throw new TsboxError('TSB2001', `one address${more === 0 ? '' : ' and a signal'} expected`, { hint: usage });
  }
  return address;
}

/** Finds the target and acts on it while nobody else changes its stack. */
export async function withTarget<T>(
  args: Arguments,
  what: string,
  wanted: string,
  act: (context: ExecutionContext, target: Target) => Promise<T>,
): Promise<T> {
  const { openKernel } = await import('../kernel/kernel.ts');
  const { executionContext } = await import('../executor/context.ts');
  const { lockStack } = await import('../executor/lock.ts');
  const kernel = openKernel(process.env);
  requirePrivileges(kernel, what);
  const { stack } = findTarget(kernel, wanted, args.stack);
  const context = executionContext(kernel, stack, undefined);
  const lock = await lockStack(context, numberOption(args, 'lock-timeout', 0, 0, 86_400) * 1000);
  try {
    // Again, under the lock: it may have been replaced meanwhile.
    return await act(context, findTarget(kernel, wanted, stack));
  } finally {
    lock.release();
  }
}
