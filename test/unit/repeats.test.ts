/** What a webhook is sent of drift that comes and goes. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Happening } from '../../src/cli/daemon/happenings.ts';
import { Repeats } from '../../src/cli/daemon/repeats.ts';
import { pause } from '../support/wait.ts';

interface Sent {
  readonly event: string;
  readonly live?: number;
  readonly repeated?: number;
}

function collect(windowMs: number): { sent: Sent[]; repeats: Repeats; tell: (happening: Happening) => void } {
  const sent: Sent[] = [];
  const repeats = new Repeats((line) => sent.push(JSON.parse(line) as Sent), windowMs);
  return { sent, repeats, tell: (happening) => repeats.take(JSON.stringify(happening), happening) };
}

const drift = (live: number, id = 'x'): Happening => ({ event: 'drift', stack: 's', id, message: `is ${live}`, live });
const ended: Happening = { event: 'drift_ended', stack: 's', id: 'x', message: 'over' };

test('each event of an item goes at once the first time, the last of what came again when the time is over', async () => {
  const { sent, repeats, tell } = collect(60);
  tell(drift(1));
  tell(ended);
  assert.equal(
    sent.map((s) => s.event),
    ['drift', 'drift_ended'],
  );
  tell(drift(2));
  tell(ended);
  tell(drift(3));
  tell(drift(9, 'y'));
  assert.is(sent.length, 3, 'another item is not held back');
  await pause(120);
  assert.equal(sent.at(-1), { ...drift(3), repeated: 3 });
  repeats.close();
  assert.is(sent.length, 4);
});

test('the end of it goes at once, instead of what was held back', () => {
  const { sent, repeats, tell } = collect(60_000);
  tell(drift(1));
  tell(drift(2));
  tell(drift(3));
  tell(ended);
  assert.equal(sent, [drift(1), { ...ended, repeated: 2 }]);
  repeats.close();
  assert.is(sent.length, 2, 'nothing older comes after it');
});

test('after a calm it is new, and nothing is lost at the end', async () => {
  const { sent, repeats, tell } = collect(30);
  tell(drift(1));
  await pause(80);
  tell(drift(1));
  assert.is(sent.length, 2);
  tell(drift(1));
  assert.is(sent.length, 2);
  repeats.close();
  assert.equal(sent.at(-1), { ...drift(1), repeated: 1 });
});

test('events without an item are the same when they say the same', () => {
  const { sent, repeats, tell } = collect(60_000);
  tell({ event: 'failed', message: 'c1: no', commit: 'c1' });
  tell({ event: 'failed', message: 'c1: no', commit: 'c1' });
  tell({ event: 'failed', message: 'c2: no', commit: 'c2' });
  assert.is(sent.length, 2);
  repeats.close();
  assert.is(sent.length, 3);
});

test.run();
