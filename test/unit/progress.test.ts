/** Live progress on a terminal that is too small for a list. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { liveProgress } from '../../src/cli/progress-live.ts';
import { TsboxError } from '../../src/errors.ts';
import type { PlannedChange } from '../../src/planner/plan.ts';

test('a change that fails ends nothing else', async () => {
  const change = { address: 'container/a' } as unknown as PlannedChange;
  const loose: unknown[] = [];
  const hear = (reason: unknown): void => void loose.push(reason);
  process.on('unhandledRejection', hear);
  const progress = liveProgress([change], 0);
  const error = new TsboxError('TSB3002', 'label exec web: ENOENT', {});
  progress.event({ type: 'failed', change, error } as unknown as Parameters<typeof progress.event>[0]);
  await progress.end();
  await new Promise((resolve) => setTimeout(resolve, 20));
  process.off('unhandledRejection', hear);
  assert.equal(loose, []);
});

test.run();
