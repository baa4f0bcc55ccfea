/** The series about stacks that watch and reconcile both have. */
import { metricBlock } from '../../report/exposition.ts';

export type Sync = 'synced' | 'drifted' | 'unknown';
/** What the supervisors say of a stack's containers; degraded when one is not up or not healthy. */
export type Health = 'healthy' | 'degraded' | 'unknown';

export interface StackInfo {
  readonly stack: string;
  readonly sync: Sync;
  readonly health: Health;
}

export function stackInfoBlock(stacks: readonly StackInfo[]): string {
  return metricBlock(
    'tsbox_stack_info',
    'gauge',
    'One per stack; sync is synced, drifted or unknown, health is healthy, degraded or unknown.',
    stacks.map(({ stack, sync, health }) => [{ stack, sync, health }, 1]),
  );
}

export function applyBlock(counts: Readonly<Record<'applied' | 'failed' | 'locked', number>>): string {
  return metricBlock('tsbox_apply_total', 'counter', 'Applies by their result.', [
    [{ result: 'applied' }, counts.applied],
    [{ result: 'failed' }, counts.failed],
    [{ result: 'locked' }, counts.locked],
  ]);
}
