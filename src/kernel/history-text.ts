/** The last ends of a container, as its supervisors wrote them into an extended attribute: one line each. */
import { parseFields } from './fields-text.ts';

export interface RunEnd {
  /** Wall clock, ms since the epoch. */
  readonly endMs: number;
  readonly ranMs: number;
  /** As in RunState. */
  readonly exit: number;
  readonly signal: number;
  /** Processes that the kernel killed for want of memory during the run. */
  readonly oomKills: number;
  readonly why: 'exit' | 'stop' | 'unhealthy';
}

/** Oldest first; a line that is not whole is left out. */
export function parseHistory(text: string): RunEnd[] {
  return text.split('\n').flatMap((line): RunEnd[] => {
    const f = parseFields(line);
    const numbers = ['end', 'ran', 'exit', 'signal', 'oom'].map((key) =>
      /^-?\d{1,15}$/.test(f[key] ?? '') ? Number(f[key]) : Number.NaN,
    );
    const why = (['exit', 'stop', 'unhealthy'] as const).find((w) => w === f['why']);
    if (numbers.some(Number.isNaN) || why === undefined) {
      return [];
    }
    const [endMs = 0, ranMs = 0, exit = 0, signal = 0, oomKills = 0] = numbers;
    return [{ endMs, ranMs, exit, signal, oomKills, why }];
  });
}
