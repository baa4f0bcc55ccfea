/** Whether the containers of stacks have come up: what their supervisors say. */
import type { KernelReader } from '../../kernel/reader.ts';
import { readScope } from '../../resources/scope.ts';
import type { Health } from './stack-info.ts';

const LOOK = 250;
/** A container that ends at once runs for a moment first. */
const STEADY = 1000;

interface Found {
  /** What will not become better by itself. */
  readonly broken: readonly string[];
  /** What may. */
  readonly open: readonly string[];
  readonly restarts: number;
}

function healthOf(reader: KernelReader, stacks: readonly string[]): Found {
  const [broken, open]: [string[], string[]] = [[], []];
  let restarts = 0;
  for (const stack of stacks) {
    for (const [address, { run, label }] of readScope(reader, stack).byAddress) {
      if (!address.startsWith('container/') || run === undefined) {
        continue;
      }
      restarts += run.restarts;
      const ended = run.state === 'exited' || run.state === 'stopped';
      if (run.state === 'failed' || (ended && label?.stopped === undefined && run.exit !== 0 && run.exit !== -2)) {
        broken.push(`${stack}:${address} ${run.state}${run.exit > 0 ? ` with code ${run.exit}` : ''}`);
      } else if (run.state !== 'running' && !ended) {
        open.push(`${stack}:${address} is ${run.state}`);
      } else if (!ended && (run.health === 'starting' || run.health === 'unhealthy')) {
        open.push(`${stack}:${address} is ${run.health}`);
      }
    }
  }
  return { broken, open, restarts };
}

/** The same of one stack in a word. */
export function stackHealth(reader: KernelReader, stack: string): Exclude<Health, 'unknown'> {
  const { broken, open } = healthOf(reader, [stack]);
  return broken.length + open.length === 0 ? 'healthy' : 'degraded';
}

/** Waits until everything is up and stays so for a second. @returns what is wrong; undefined when nothing is */
export async function waitHealthy(
  reader: KernelReader,
  stacks: readonly string[],
  timeoutMs: number,
  ended: () => boolean,
): Promise<string | undefined> {
  const deadline = Date.now() + timeoutMs;
  let steady: { since: number; restarts: number } | undefined;
  for (;;) {
    const { broken, open, restarts } = healthOf(reader, stacks);
    const now = Date.now();
    if (broken.length > 0) {
      return broken.join(', ');
    }
    if (open.length > 0 || steady?.restarts !== restarts) {
      steady = open.length > 0 ? undefined : { since: now, restarts };
    } else if (now - steady.since >= STEADY) {
      return undefined;
    }
    if (now >= deadline || ended()) {
      return open.length > 0 ? `not in time: ${open.join(', ')}` : 'it does not come to rest';
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}
