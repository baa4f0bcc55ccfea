/** Finding containers across stacks, from the kernel alone. */
import { TsboxError } from '../errors.ts';
import { MAX_DIRECTORIES, type KernelReader } from '../kernel/reader.ts';
import { isAlive, readStats } from '../resources/processes.ts';
import { directoryIn, readScope, type ScopeEntry, type StackScope } from '../resources/scope.ts';
import { signalName } from '../resources/signals.ts';

export interface FoundContainer {
  readonly stack: string;
  readonly name: string;
  readonly entry: ScopeEntry;
  readonly scope: StackScope;
  readonly alive: boolean;
  readonly supervised: boolean;
}

/** Names of the stacks that exist here. */
export function stackNames(reader: KernelReader): string[] {
  const primary = reader.layout.primary;
  if (primary === undefined) {
    return [];
  }
  const root = directoryIn(primary.mount, reader.settings.cgroupRoot, '').replace(/\/$/, '');
  const walked = reader.walkDirs(root, MAX_DIRECTORIES);
  return Array.isArray(walked) ? walked.filter((d) => d.path !== '' && !d.path.includes('/')).map((d) => d.path) : [];
}

/** A container's leaf as /proc/PID/cgroup names it. */
export function cgroupOf(reader: KernelReader, { stack, entry }: Pick<FoundContainer, 'stack' | 'entry'>): string {
  return directoryIn('', reader.settings.cgroupRoot, stack, entry.path);
}

/** Every container of the stacks, or of one of them. */
export function findContainers(reader: KernelReader, stack?: string): FoundContainer[] {
  return (stack === undefined ? stackNames(reader) : [stack]).flatMap((name) => {
    const scope = readScope(reader, name);
    const entries = [...scope.byAddress].filter(([address]) => address.startsWith('container/'));
    const stats = readStats(
      reader,
      entries.flatMap(([, e]) => [e.run?.pid ?? 0, e.run?.supervisor ?? 0]),
    );
    return entries.map(([address, entry], i) => ({
      stack: name,
      name: address.slice('container/'.length),
      entry,
      scope,
      alive: isAlive(stats[2 * i], entry.run?.startTime ?? ''),
      supervised: isAlive(stats[2 * i + 1], entry.run?.supervisorStartTime ?? ''),
    }));
  });
}

/** The container that NAME, container/NAME or container/STACK:NAME means. */
export function findContainer(reader: KernelReader, wanted: string, stack: string | undefined): FoundContainer {
  const text = wanted.startsWith('container/') ? wanted.slice('container/'.length) : wanted;
  const [first = '', second] = text.split(':');
  const inStack = second === undefined ? stack : first;
  const name = second ?? first;
  const all = findContainers(reader, inStack);
  const matches = all.filter((c) => c.name === name);
  if (matches.length === 1 && matches[0] !== undefined) {
    return matches[0];
  }
  if (matches.length > 1) {
    throw new TsboxError(
      'TSB2003',
      `several stacks have a container ${name}: ${matches.map((m) => m.stack).join(', ')}`,
      {
        hint: `write container/${matches[0]?.stack}:${name}, or give --stack`,
      },
    );
  }
  const known = all.map((c) => `container/${c.stack}:${c.name}`);
  throw new TsboxError('TSB2003', `no container ${name}${inStack === undefined ? '' : ` in stack ${inStack}`}`, {
    hint:
      known.length === 0 ? 'no container exists; apply a stack first' : `there are: ${known.slice(0, 8).join(', ')}`,
  });
}

/** How a container is, in a word or two. */
export function stateText(c: FoundContainer): string {
  const run = c.entry.run;
  if (c.alive) {
    return c.supervised ? 'running' : 'running, unsupervised';
  }
  if (run === undefined) {
    return 'never started';
  }
  if (c.supervised) {
    return run.state;
  }
  if (run.state === 'exited' || run.state === 'failed') {
    if (run.exit === -1 && run.signal === 0) {
      return 'start failed';
    }
    return run.signal > 0 ? `killed (SIG${signalName(run.signal)})` : `exited (${run.exit === -2 ? '?' : run.exit})`;
  }
  return run.state === 'stopped' ? 'stopped' : 'gone';
}
