/** What commands act on: containers and cgroups of stacks, several at once, under the lock of each stack. */
import { TsboxError } from '../errors.ts';
import type { ExecutionContext } from '../executor/context.ts';
import type { KernelReader } from '../kernel/reader.ts';
import { containerOf } from '../resources/container/replica-names.ts';
import { readScope, type ScopeEntry } from '../resources/scope.ts';
import { numberOption, type Arguments } from './args.ts';
import { stackNames } from './containers.ts';
import { EXIT } from './exit.ts';
import { printError } from './output.ts';
import { requirePrivileges } from './session.ts';

export interface Target {
  readonly stack: string;
  readonly address: string;
  readonly entry: ScopeEntry;
}

export type TargetKind = 'any' | 'container';

/** A target as people write it where several stacks may be meant: container/STACK:NAME. */
export function fullAddress(target: Pick<Target, 'stack' | 'address'>): string {
  return target.address.replace('/', `/${target.stack}:`);
}

/** Every way in which people write a target; a replica is meant by its container's name too. */
export function namesOf({ stack, address }: Pick<Target, 'stack' | 'address'>): string[] {
  const [kind = '', name = ''] = address.split(/\/(.*)/);
  const names = kind === 'container' ? [name, containerOf(name)] : [name];
  return names.flatMap((n) => [n, `${kind}/${n}`, `${stack}:${n}`, `${kind}/${stack}:${n}`]);
}

/** Everything there is, in one stack or in all. */
function everyTarget(reader: KernelReader, stack: string | undefined): Target[] {
  return (stack === undefined ? stackNames(reader) : [stack]).flatMap((s) =>
    [...readScope(reader, s).byAddress].map(([address, entry]): Target => ({ stack: s, address, entry })),
  );
}

/** The names that mean nothing that is there. */
export function absentNames(
  reader: KernelReader,
  wanted: readonly string[],
  stack: string | undefined,
): readonly string[] {
  const there = new Set(wanted.length === 0 ? [] : everyTarget(reader, stack).flatMap(namesOf));
  return wanted.filter((name) => !there.has(name));
}

/** The parts of ADDRESS, KIND/STACK:NAME, STACK:NAME or a bare NAME. */
function parseWanted(wanted: string): { kind: string | undefined; stack: string | undefined; name: string } {
  const [, kind, rest = wanted] = /^(container|cgroup)\/(.*)$/.exec(wanted) ?? [];
  const [first = '', second] = rest.split(/:(.*)/);
  return second === undefined ? { kind, stack: undefined, name: first } : { kind, stack: first, name: second };
}

/**
 * The resources that an address or a name means, in one stack or in all: one, or the replicas of a container.
 * @throws TsboxError TSB2003 when it is none, or may be several
 */
export function findTargets(
  reader: KernelReader,
  wanted: string,
  stack: string | undefined,
  only: TargetKind = 'any',
): Target[] {
  const parts = parseWanted(wanted);
  const inStack = parts.stack ?? stack;
  const all = everyTarget(reader, inStack).filter((t) => only === 'any' || t.address.startsWith('container/'));
  const matches = all.filter(({ address }) => {
    const [kind, name = ''] = address.split(/\/(.*)/);
    const fits = name === parts.name || (kind === 'container' && containerOf(name) === parts.name);
    return fits && (parts.kind === undefined || kind === parts.kind);
  });
  const what = only === 'any' ? 'container or cgroup' : 'container';
  if (matches.length === 0) {
    const known = all.slice(0, 8).map(fullAddress).join(', ');
    throw new TsboxError('TSB2003', `no ${what} '${wanted}'${inStack === undefined ? '' : ` in ${inStack}`}`, {
      hint: all.length === 0 ? 'nothing exists; apply a stack first' : `there are: ${known}`,
    });
  }
  const different = new Set(matches.map((t) => `${t.stack} ${containerOf(t.address)}`));
  if (different.size > 1) {
    throw new TsboxError('TSB2003', `'${wanted}' may be ${matches.slice(0, 8).map(fullAddress).join(', ')}`, {
      hint: 'write one of them in full',
    });
  }
  return matches;
}

/** Each target of several names once. */
export function findAllTargets(
  reader: KernelReader,
  wanted: readonly string[],
  stack: string | undefined,
  only: TargetKind = 'any',
): Target[] {
  const found = new Map<string, Target>();
  for (const name of wanted) {
    for (const target of findTargets(reader, name, stack, only)) {
      found.set(fullAddress(target), target);
    }
  }
  return [...found.values()];
}

/** The addresses of the command line, one at least. */
export function someAddresses(args: Arguments, usage: string): readonly string[] {
  if (args.positionals.length === 0) {
    throw new TsboxError('TSB2001', 'an address or a name is expected', { hint: usage });
  }
  return args.positionals;
}

/** Acts on the targets of one stack while nobody else changes it. */
export type Act = (context: ExecutionContext, target: Target) => Promise<void>;

export interface ActOptions {
  readonly only?: TargetKind;
  /** Puts the targets of a stack in groups: one after the other, side by side within each. */
  readonly order?: (targets: readonly Target[]) => readonly (readonly Target[])[];
}

/**
 * Finds the targets, all of them before anything is done, and acts on each. One that fails is told, and the others are
 * done all the same.
 * @returns the exit code
 */
export async function withTargets(
  args: Arguments,
  what: string,
  wanted: readonly string[],
  act: Act,
  options: ActOptions = {},
): Promise<number> {
  const { openKernel } = await import('../kernel/kernel.ts');
  const { executionContext } = await import('../executor/context.ts');
  const { lockStack } = await import('../executor/lock.ts');
  const kernel = openKernel(process.env);
  requirePrivileges(kernel, what);
  const names = new Map<string, string[]>();
  for (const target of findAllTargets(kernel, wanted, args.stack, options.only)) {
    names.set(target.stack, [...(names.get(target.stack) ?? []), target.address]);
  }
  const order = options.order ?? ((targets) => targets.map((t) => [t]));
  let code: number = EXIT.ok;
  for (const [stack, addresses] of names) {
    const context = executionContext(kernel, stack, undefined);
    const lock = await lockStack(context, numberOption(args, 'lock-timeout', 0, 0, 86_400) * 1000);
    try {
      // Again, under the lock: they may have been replaced meanwhile.
      for (const group of order(findAllTargets(kernel, addresses, stack))) {
        const outcomes = await Promise.allSettled(group.map((target) => act(context, target)));
        for (const [i, outcome] of outcomes.entries()) {
          if (outcome.status === 'rejected') {
            code = EXIT.error;
            await printError(withAddress(outcome.reason, group[i]?.address ?? ''));
          }
        }
      }
    } finally {
      lock.release();
    }
  }
  return code;
}

/** The error, naming what it is about. */
function withAddress(error: unknown, address: string): unknown {
  return error instanceof TsboxError && !error.message.includes(address)
    ? new TsboxError(error.code, `${address}: ${error.message}`, { ...error.info, address })
    : error;
}
